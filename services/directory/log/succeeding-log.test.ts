/** A log that was put back, and the one that takes its place. docs/protocol/transparency.md §6.7 */

import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import { accountOfName, checkAnswer } from '@island/protocol/transparency/answer.ts';
import { parseCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { ed25519Cosigner } from '@island/protocol/transparency/cosignature.ts';
import { nameLabel } from '@island/protocol/transparency/label.ts';
import { readLeaf } from '@island/protocol/transparency/leaves.ts';
import { addSignatures, formatVkey, parseNote } from '@island/protocol/transparency/note.ts';
import { encodePredecessor } from '@island/protocol/transparency/predecessor.ts';
import { decodeEntries, widthIn } from '@island/protocol/transparency/tiles.ts';
import { hex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { eventually, faultCode } from '../../kit/testing/outcome.ts';
import { type TestKeyLog, testKeyLog } from '../testing/key-log.ts';
import type { Asked } from './epoch-witnesses.ts';

const signer = ed25519Cosigner('w.example/1', ed25519.generate());

/** The witness of every test here: it signs the logs that it trusts, and remembers what it was shown. */
function openWitness() {
  const trusted = new Set<string>();
  const shown = new Map<string, Set<string>>();
  return {
    shown,
    trust: (vkey: string) => void trusted.add(vkey.slice(0, vkey.indexOf('+'))),
    async cosign({ note, policies }: Asked, signal: AbortSignal): Promise<string> {
      const { text } = parseNote(note);
      const { origin, size } = parseCheckpoint(text);
      const at = `${origin} ${size}`;
      shown.set(at, (shown.get(at) ?? new Set()).add(note));
      if (policies.every((policy) => policy.includes('quorum none'))) return note;
      await eventually(() => {
        signal.throwIfAborted();
        return trusted.has(origin);
      }, 20_000);
      return addSignatures(note, [signer.cosign(text, Math.floor(Date.now() / 1000))]);
    },
  };
}

async function witnessed({ store, log }: TestKeyLog): Promise<void> {
  const { vkey } = await log.pinned();
  const text = `log ${vkey}\nwitness w ${formatVkey(signer.vkey)}\nquorum w\n`;
  await store.write((_db, sql) =>
    sql.run('INSERT INTO policies (number, text, published) VALUES (2, ?, 0)', [text]),
  );
  log.wake();
  await eventually(async () => (await log.pinned()).witnessed);
}

async function entriesOf({ log }: TestKeyLog): Promise<Uint8Array[]> {
  const { size } = parseCheckpoint(parseNote(log.checkpoint()).text);
  const width = widthIn(size, 'entries', 0);
  return decodeEntries(await log.tile({ level: 'entries', index: 0, width }), width);
}

const eventsOf = (entries: readonly Uint8Array[]): string[] =>
  entries.filter((entry) => readLeaf(entry).type === 1).map(hex);

const shownOf = async ({ log }: TestKeyLog, name: string) =>
  checkAnswer(await log.lookUp(name), {
    log: await log.pinned(),
    labels: [nameLabel(name), accountOfName],
    allowUnwitnessed: true,
  });

t.test(
  'K2: a log that was put back goes on as another one: every event of it byte for byte, witnessed from the first checkpoint on',
  async (t) => {
    const dir = t.testdir();
    const witness = openWitness();
    let before = '';
    let events: string[] = [];
    {
      await using test = await testKeyLog(dir, { cosign: witness.cosign });
      before = (await test.log.pinned()).vkey;
      witness.trust(before);
      await witnessed(test);
      const [ada] = await test.join('ada', 'bob');
      if (ada !== undefined) await test.change([ada], 2);
      await test.log.settled();
      t.same(await faultCode(test.log.succeed(false)), 'forbidden', 'nothing was put back');
      await test.store.write((_db, sql) =>
        sql.run(
          'UPDATE log_events SET opening = NULL WHERE version = 1 AND label = (SELECT min(id) FROM log_labels)',
        ),
      );
      events = eventsOf(await entriesOf(test));
      t.equal(events.length, 5);
    }
    const known = async () => new Map([['w', 100]]);
    let vkey = '';
    {
      await using test = await testKeyLog(dir, { cosign: witness.cosign, known });
      await eventually(() => test.log.standing().problem === 'rolled_back');
      const old = test.log.checkpoint();
      const { size } = parseCheckpoint(parseNote(old).text);
      const said = await test.log.succeed(false);
      t.match(said, { size, seen: 100, waiting: true });
      vkey = said.vkey;
      t.not(vkey, before);
      t.same(await test.log.succeed(true), said, 'the same again changes nothing');
      await test.join('carol');
      await test.log.settled();
      t.match(test.log.standing(), { problem: 'succeeding', successor: vkey, waiting: 4 });
      t.equal(test.log.checkpoint(), old, 'the old one signs nothing more');
      t.equal((await test.log.pinned()).vkey, before);
    }
    witness.trust(vkey);
    await using test = await testKeyLog(dir, {
      cosign: witness.cosign,
      known: async ({ size, note }) =>
        new Map([['w', note.startsWith(vkey.slice(0, 32)) ? size : 100]]),
    });
    await eventually(async () => (await test.log.pinned()).vkey === vkey);
    await eventually(async () => (await faultCode(test.log.lookUp('ada'))) !== 'unavailable');
    const pinned = await test.log.pinned();
    t.match(pinned, { policyNumber: 1, policyEntry: 0, witnessed: true, follows: { seen: 100 } });
    t.match(pinned.follows, { vkey: before });
    const entries = await entriesOf(test);
    if (pinned.follows)
      t.same(Buffer.from(entries[2] ?? []), Buffer.from(encodePredecessor(pinned.follows)));
    t.same(eventsOf(entries).slice(0, 5), events, 'also the one whose opening is gone');
    t.equal(eventsOf(entries).length, 7, 'and who came while it waited');
    const { labels } = await shownOf(test, 'ada');
    t.match(labels, [{ present: true }, { present: true, version: 2 }]);
    await test.join('dave');
    await test.log.settled();
    t.match((await shownOf(test, 'dave')).labels, [
      { present: true },
      { present: true, version: 1 },
    ]);
    for (const [at, notes] of witness.shown) t.equal(notes.size, 1, `one checkpoint at ${at}`);
    await using again = await testKeyLog(dir, { cosign: witness.cosign });
    t.same((await again.log.pinned()).follows, pinned.follows, 'also after a restart');
  },
);

t.test('a log without witnesses is succeeded only if it is forced, and at once', async (t) => {
  const dir = t.testdir();
  const witness = openWitness();
  await using test = await testKeyLog(dir, { cosign: witness.cosign });
  await test.join('ada');
  await test.log.settled();
  const before = (await test.log.pinned()).vkey;
  t.equal(await faultCode(test.log.succeed(false)), 'forbidden');
  const asked = [shownOf(test, 'ada'), test.log.succeed(true), shownOf(test, 'ada')] as const;
  const [first, said] = await Promise.all(asked).catch(
    async () => [await asked[0], await asked[1]] as const,
  );
  t.match(said, { waiting: false });
  t.match(first.labels, [{ present: true }, { present: true }]);
  await eventually(async () => (await faultCode(test.log.lookUp('ada'))) !== 'unavailable');
  t.match((await shownOf(test, 'ada')).labels, [{ present: true }, { present: true }]);
  t.match(await test.log.pinned(), {
    vkey: said.vkey,
    follows: { vkey: before },
    witnessed: false,
  });
});

t.test(
  'K2: what a successor says of its predecessor is the last that this has signed',
  async (t) => {
    let signing: (() => Promise<unknown>) | undefined;
    const epochs = async ({ store }: Pick<TestKeyLog, 'store'>) =>
      (await store.rows('SELECT size FROM log_epochs')).length;
    await using test = await testKeyLog(t.testdir(), {
      wrap: (store) => ({
        ...store,
        async rows(sql: string, ...more: []) {
          const work = sql.includes('FROM policies ORDER BY number DESC') ? signing : undefined;
          if (work) signing = undefined;
          const found = await store.rows(sql, ...more);
          await work?.();
          return found as never;
        },
      }),
    });
    await test.join('ada');
    await test.log.settled();
    const isClosed = () => {
      try {
        return test.log.checkpoint() === '';
      } catch {
        return true;
      }
    };
    signing = async () => {
      const before = await epochs(test);
      await test.join('bob');
      test.log.wake();
      await eventually(async () => isClosed() || (await epochs(test)) > before);
    };
    await test.log.succeed(true);
    const { follows } = await test.log.pinned();
    const [row] = await test.store.rows<{ note: string }>('SELECT note FROM log_predecessors');
    t.equal(follows?.size, parseCheckpoint(parseNote(row?.note ?? '').text).size);
  },
);

t.test('what fails while a successor takes over is tried again, and the log answers', async (t) => {
  let failing = 0;
  await using test = await testKeyLog(t.testdir(), {
    wrap: (store) => ({
      ...store,
      async rows(sql: string, ...more: []) {
        if (sql.includes('FROM log_successor') && failing > 0 && --failing === 0)
          throw new Error('a disk that is full for a moment');
        return (await store.rows(sql, ...more)) as never;
      },
    }),
  });
  await test.join('ada');
  await test.log.settled();
  // The first looks whether one waits, the second is that of the log which is opened again.
  failing = 2;
  let said: unknown;
  const succeeded = test.log.succeed(true).then((each) => {
    said = each;
  });
  await eventually(() => said !== undefined);
  await succeeded;
  t.match(said, { waiting: false });
  await eventually(async () => (await faultCode(test.log.lookUp('ada'))) !== 'unavailable');
  t.match((await shownOf(test, 'ada')).labels, [{ present: true }, { present: true }]);
});
