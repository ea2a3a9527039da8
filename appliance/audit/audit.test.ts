/** The auditor against an honest log, over many runs. docs/protocol/transparency.md §9.2 */
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import { openCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { verifierOf } from '@island/protocol/transparency/cosignature.ts';
import { parseVkey, verifyNote } from '@island/protocol/transparency/note.ts';
import { testPolicy, testVkey } from '@island/protocol/vectors/directory-log.ts';
import { base64, hex } from '@island/protocol/wire/text.ts';
import { test } from 'tap';
import { startCommand } from '../../tests/island.ts';
import { causesOf, grown, serveLog } from './testing/served-log.ts';

test('K3: an honest log is replayed to every root, and the next run goes on from there', async (t) => {
  const log = grown(300);
  await using served = await serveLog(log);
  const first = await served.audit();
  t.strictSame(causesOf(first), []);
  t.equal(first.report.verdict, 'consistent');
  t.match(first.report, { entries: 605, newEntries: 605, labels: 300, events: 600, epochs: 3 });
  t.equal(first.report.mapRoot, base64(log.map.root));
  t.strictSame(
    first.report.cosigners.map(({ name }) => name),
    ['w1', 'w2'],
  );

  served.shown.paths.length = 0;
  t.equal((await served.audit()).report.newEntries, 0, 'nothing is new');
  t.notOk(
    served.shown.paths.some((path) => path.includes('entries')),
    'nothing is fetched again',
  );

  await served.show(grown(7, log));
  const next = await served.audit();
  t.strictSame(causesOf(next), []);
  t.match(next.report, { entries: 621, newEntries: 16, labels: 300 });
  t.strictSame(
    served.shown.paths.filter((path) => path.includes('entries')),
    ['/log/tile/entries/002.p/109'],
  );
});

test('The report is signed, and its cosignature stands for what was replayed', async (t) => {
  await using served = await serveLog(grown(3));
  const { report, text, cosigned = '', auditor } = await served.audit({ cosign: true });
  const note = await readFile(text, 'utf8');
  const { text: said } = verifyNote(note, [verifierOf(parseVkey(auditor))]);
  const json = await readFile(text.replace(/txt$/, 'json'));
  t.equal(said.split('\n')[5], base64(sha256(json)), 'it names the JSON');
  t.strictSame(JSON.parse(json.toString()), report);
  const checkpoint = await readFile(cosigned, 'utf8');
  t.equal(openCheckpoint(checkpoint, verifierOf(parseVkey(testVkey))).size, report.entries);
  t.match(checkpoint, /— pi-kt-auditor\/[0-9a-f]{32} /);
  t.equal((await served.audit()).auditor, auditor, 'the key stays');
});

test('pitfall: interruptions: a run that was cut off is finished by the next, whatever it had fetched', async (t) => {
  await using served = await serveLog(grown(600));
  const stop = new AbortController();
  served.shown.tile = ({ index }) => {
    if (index === 3) stop.abort();
    return undefined;
  };
  await t.rejects(served.audit({ signal: stop.signal }));
  delete served.shown.tile;
  served.shown.paths.length = 0;
  const { report } = await served.audit();
  t.equal(report.verdict, 'consistent');
  t.equal(report.entries, 1205);
  const folder = join(served.state, hex(sha256(Buffer.from(testVkey)).subarray(0, 8)));
  await served.show(grown(2, served.shown.log));
  const size = (await readFile(join(folder, 'entries'))).length;
  await writeFile(join(folder, 'entries'), Buffer.alloc(300, 1), { flag: 'a' });
  t.equal(
    (await served.audit()).report.verdict,
    'consistent',
    'garbage behind the entries is dropped',
  );
  await truncate(join(folder, 'entries'), size - 1);
  await t.rejects(served.audit(), { name: 'Stated', message: /damaged/ });
});

test('pitfall: rollback: an auditor knows a log by its key, whatever address it is asked under', async (t) => {
  const log = grown(3);
  await using served = await serveLog(log);
  await served.audit();
  const folder = join(served.state, hex(sha256(Buffer.from(testVkey)).subarray(0, 8)));
  const old = await readFile(join(folder, 'log.json'));
  const elsewhere = await serveLog(log);
  t.equal((await served.audit({ address: elsewhere.address })).report.newEntries, 0);
  await elsewhere[Symbol.asyncDispose]();
  await served.show(grown(3, log));
  await served.audit();
  await writeFile(join(folder, 'log.json'), old);
  const mixed = served.audit();
  await t.rejects(
    mixed,
    { name: 'Stated', message: /damaged/ },
    'files of two times accuse nobody',
  );
});

test('pitfall: SIGKILL: whenever an audit is killed, the next one ends in order', async (t) => {
  const log = grown(2000);
  await using served = await serveLog(log);
  const [policy, ca] = [join(served.state, 'policy'), join(served.state, 'ca.pem')];
  await writeFile(policy, testPolicy);
  await writeFile(ca, served.root);
  const state = join(served.state, 'killed');
  const args = ['--vkey', testVkey, '--policy', policy, '--ca', ca, '--state', state];
  for (const index of [0, 7, 15]) {
    const { child, ended } = startCommand(['audit', served.address, ...args]);
    served.shown.tile = (tile) => {
      if (tile.index === index) child.kill('SIGKILL');
      return undefined;
    };
    await ended;
  }
  delete served.shown.tile;
  const { report } = await served.audit({ state });
  t.match(report, { verdict: 'consistent', entries: 4005, findings: [] });
});

test('A server that is busy is asked again; what it does not have is said', async (t) => {
  await using served = await serveLog(grown(2));
  served.shown.once = 503;
  t.equal((await served.audit()).report.verdict, 'consistent');
  served.shown.once = 429;
  t.equal((await served.audit()).report.verdict, 'consistent');
  served.shown.once = 404;
  await t.rejects(served.audit(), { name: 'Stated', message: /serves no log/ });
  await t.rejects(served.audit({ address: 'https://localhost:1' }), {
    message: /can't be reached/,
  });
  const fingerprint = Buffer.from(served.fingerprint).toString('base64url');
  const { report } = await served.audit({ root: undefined, fingerprint } as object);
  t.equal(report.verdict, 'consistent', 'a fingerprint is as good as the root');
});
