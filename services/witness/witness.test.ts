/** A witness, request by request as c2sp.org/tlog-witness says. Real SQLite. docs/protocol/transparency.md §7 */
import { createHash } from 'node:crypto';
import { ed25519, sha256 } from '@island/protocol/crypto/primitives.ts';
import { signCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { verifierOf } from '@island/protocol/transparency/cosignature.ts';
import {
  formatVkey,
  noteSigner,
  parseNote,
  parseVkey,
  verifyNote,
} from '@island/protocol/transparency/note.ts';
import { base32, base64 } from '@island/protocol/wire/text.ts';
import * as fc from 'fast-check';
import t from 'tap';
import { requestBody, testLogOf } from './testing/log.ts';
import { testWitness } from './testing/witness.ts';

const log = testLogOf('example.com/log');
const text = 'text/plain; charset=utf-8';

async function trusting() {
  let now = 1_800_000_000_000;
  const witness = await testWitness({ now: () => now });
  await witness.trust(log.vkey);
  const to = (milliseconds: number) => {
    now = milliseconds;
  };
  return Object.assign(witness, { to });
}

/** Times of the cosignatures, each verified, of one answer. */
function times(note: string, body: string, keys: readonly string[]): number[] {
  const known = keys.map((key) => verifierOf(parseVkey(key)));
  const { verified } = verifyNote(`${parseNote(note).text}\n${body}`, known);
  return verified.map(({ signature }) => Number(Buffer.from(signature).readBigUInt64BE()));
}

t.test('K1: a checkpoint that grew is cosigned with both keys', async (t) => {
  await using witness = await trusting();
  for (const [old, size] of [
    [0, 0],
    [0, 1],
    [1, 5],
    [5, 8],
    [8, 13],
  ] as const) {
    const { status, type, body } = await witness.add(await log.request(old, size));
    t.match({ status, type }, { status: 200, type: text }, `${old} to ${size}`);
    const signed = times(await log.checkpoint(size), body, witness.keys.keys);
    t.same(signed, [1_800_000_000, 1_800_000_000]);
    t.match(body, /^— pi-witness\/[a-z2-7]{26} \S+\n— pi-witness\/[a-z2-7]{26} \S+\n$/);
  }
});

t.test('a lost answer is asked again: equal sizes are signed anew, at a newer time', async (t) => {
  await using witness = await trusting();
  await witness.add(await log.request(0, 5));
  const lost = await witness.add(await log.request(0, 5));
  t.same(lost, { status: 409, type: 'text/x.tlog.size', body: '5\n' });
  witness.to(1_800_000_007_000);
  const again = await witness.add(await log.request(5, 5));
  const note = await log.checkpoint(5);
  t.same(times(note, again.body, witness.keys.keys), [1_800_000_007, 1_800_000_007]);
  witness.to(1_700_000_000_000);
  const back = await witness.add(await log.request(5, 6));
  t.same(
    times(await log.checkpoint(6), back.body, witness.keys.keys),
    [1_800_000_007, 1_800_000_007],
    'a clock that was put back denies nothing that was signed before',
  );
});

t.test('the same request, again within a second, is answered without a write', async (t) => {
  await using witness = await trusting();
  await witness.add(await log.request(0, 5));
  witness.to(1_800_000_003_000);
  const stored = async () =>
    (await witness.store.rows<{ head: Buffer }>('SELECT head FROM logs'))[0]?.head;
  const before = await stored();
  const first = await witness.add(await log.request(5, 5));
  const written = await stored();
  t.notSame(written, before, 'a newer second is kept');
  witness.to(1_800_000_003_999);
  const body = await log.request(5, 5);
  const flood = await Promise.all(Array.from({ length: 200 }, () => witness.add(body)));
  t.equal(flood.filter((answer) => answer.body === first.body).length, 200, 'the same signatures');
  t.same(await stored(), written);
  t.equal((await witness.add(await log.fork(3).request(5, 5))).status, 422, 'of that root alone');
  witness.to(1_800_000_004_000);
  // Many at once, before anybody has signed: one writes for all.
  const answers = await Promise.all(Array.from({ length: 64 }, () => witness.add(body)));
  t.same([...new Set(answers.map(({ status }) => status))], [200]);
  t.equal(new Set(answers.map((answer) => answer.body)).size, 1);
  const note = await log.checkpoint(5);
  t.same(times(note, answers[0]?.body ?? '', witness.keys.keys), [1_800_000_004, 1_800_000_004]);
  await witness.restart();
  t.equal((await witness.add(body)).body, answers[0]?.body, 'also by the next process');
});

t.test('each refusal has the status that the specification gives it', async (t) => {
  await using witness = await trusting();
  const stranger = testLogOf('example.com/unknown');
  const forger = testLogOf('example.com/forger');
  await witness.add(await log.request(0, 5));
  const note = await log.checkpoint(8);
  const [line = ''] = note.split('\n\n').slice(1);
  const forged = (await forger.checkpoint(8)).replaceAll(forger.origin, log.origin);
  const proof = await log.proof(5, 8);
  const other = await log.fork(3).checkpoint(5);
  const status = async (body: Uint8Array | string) => (await witness.add(body)).status;

  t.equal(await status(await stranger.request(0, 3)), 404, 'an unknown origin');
  t.equal(await status(requestBody(5, proof, forged)), 403, 'signed by nobody who is known');
  const broken = `${note.slice(0, -1)}\n${line.replace(/.(?=.{12}\n$)/, (c) => (c === 'A' ? 'B' : 'A'))}`;
  t.equal(await status(requestBody(5, proof, broken)), 403, 'one of two signatures is wrong');
  t.equal(await status(requestBody(9, [], note)), 400, 'an old size above the size');
  t.same(
    await witness.add(requestBody(4, await log.proof(4, 8), note)),
    { status: 409, type: 'text/x.tlog.size', body: '5\n' },
    'an old size that is not the newest',
  );
  t.equal((await witness.add(requestBody(0, [], note))).body, '5\n', 'as who asks for the size');
  t.equal(await status(requestBody(5, [], note)), 422, 'no proof');
  t.equal(await status(requestBody(5, await log.fork(6).proof(5, 8), note)), 422, 'a bad proof');
  t.equal(await status(requestBody(5, [...proof, ...proof], note)), 422, 'too long a proof');
  t.equal(await status(requestBody(5, [], other)), 422, 'equal size, other root');
  t.equal(await status(requestBody(5, proof, await log.checkpoint(5))), 422, 'a needless proof');
  t.equal(await status(requestBody(5, proof, note)), 200, 'and the right one');

  await using fresh = await trusting();
  const first = async (body: Uint8Array | string) => (await fresh.add(body)).status;
  t.equal(await first(requestBody(0, proof, note)), 422, 'a proof from the empty tree');
  t.same(await fresh.add(requestBody(3, [], note)), {
    status: 409,
    type: 'text/x.tlog.size',
    body: '0\n',
  });
});

t.test('a size of zero has the root of the empty tree', async (t) => {
  await using witness = await trusting();
  const signer = noteSigner('odd', ed25519.fromSeed(new Uint8Array(32).fill(7)));
  await witness.trust(formatVkey(signer.vkey));
  const note = signCheckpoint({ origin: 'odd', size: 0, root: await log.root(1) }, signer);
  t.equal((await witness.add(requestBody(0, [], note))).status, 422);
});

t.test('what is no request is a 400, and changes nothing', async (t) => {
  await using witness = await trusting();
  const good = Buffer.from(await log.request(0, 3)).toString();
  const [head = ''] = good.split('\n\n');
  const rest = good.slice(head.length);
  for (const [what, body] of [
    ['nothing', ''],
    ['no empty line', 'old 0\n'],
    ['no old line', `\n${rest}`],
    ['a leading zero', `old 00${rest}`],
    ['a sign', `old +0${rest}`],
    ['two spaces', `old  0${rest}`],
    ['a carriage return', `old 0\r${rest}`],
    ['too large a number', `old 99999999999999999999${rest}`],
    ['a hash of 31 bytes', `old 0\n${base64(new Uint8Array(31))}${rest}`],
    ['no base64', `old 0\n${'*'.repeat(44)}${rest}`],
    [
      '64 hashes',
      `old 0\n${Array(64)
        .fill(base64(new Uint8Array(32)))
        .join('\n')}${rest}`,
    ],
    ['no note', `old 0\n\n${log.origin}\n`],
    ['no signature', `old 0\n\n${log.origin}\n3\n${base64(await log.root(3))}\n\n`],
  ] as const)
    t.equal((await witness.add(body)).status, 400, what);
  t.equal((await witness.add(Buffer.from([0x6f, 0xff, 0x0a, 0x0a]))).status, 400, 'no UTF-8');
  t.equal((await witness.add(good)).status, 200, 'the good one');
});

t.test('several signatures on a note: those of unknown keys are passed over', async (t) => {
  await using witness = await trusting();
  const others = ['a', 'b', 'c'].map((name) => testLogOf(`example.com/${name}`));
  const more = await Promise.all(
    others.map(async (other) => (await other.checkpoint(2)).split('\n\n')[1] ?? ''),
  );
  const [body = '', own = ''] = (await log.checkpoint(4)).split('\n\n');
  const note = `${body}\n\n${more[0]}${own}${more[1]}${more[2]}`;
  t.equal((await witness.add(requestBody(0, [], note))).status, 200);
  const unsigned = `${body}\n\n${more.join('')}`;
  t.equal((await witness.add(requestBody(4, [], unsigned))).status, 403);
});

t.test('a line that is said again and again is looked at, and kept, once', async (t) => {
  await using witness = await trusting();
  const { text: said } = parseNote(await log.checkpoint(5));
  const line = (await log.checkpoint(5)).slice(said.length + 1);
  const { status, body } = await witness.add(requestBody(0, [], `${said}\n${line.repeat(128)}`));
  t.equal(status, 200, 'with ours it would have more signatures than a note may');
  const id = createHash('sha256').update(log.origin).digest('hex');
  t.equal(await witness.note(id), `${said}\n${line}${body}`);
});

t.test('pitfall: a witness never signs two roots for one size', async (t) => {
  for (let round = 0; round < 4; round++) {
    await using witness = await trusting();
    await witness.add(await log.request(0, 4));
    const [one, other] = [await log.request(4, 9), await log.fork(5).request(4, 9)];
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, n) =>
        witness.add((n + round) % 2 === 0 ? one : other).then((answer) => ({ n, ...answer })),
      ),
    );
    t.equal(answers.filter(({ status }) => status === 200).length, 1, 'one wins');
    t.equal(answers.filter(({ status, body }) => status === 409 && body === '9\n').length, 63);
    // Whoever lost and asks again with the size that it was told gets no further.
    const again = await Promise.all(
      [log, log.fork(5)].map(async (side) => (await witness.add(await side.request(9, 9))).status),
    );
    t.same(again.sort(), [200, 422]);
  }
});

t.test(
  'what was signed outlives the process, also for a log that was not trusted meanwhile',
  async (t) => {
    await using witness = await trusting();
    await witness.add(await log.request(0, 6));
    const before = witness.keys.keys;
    await witness.restart();
    t.same(witness.keys.keys, before, 'the same keys');
    t.equal((await witness.add(await log.fork(2).request(0, 7))).body, '6\n');
    await witness.distrust(log.origin);
    t.equal((await witness.add(await log.request(6, 7))).status, 404);
    await witness.trust(log.vkey);
    t.equal((await witness.add(await log.fork(2).request(0, 7))).body, '6\n', 'still known');
    t.equal((await witness.add(await log.request(6, 7))).status, 200);
  },
);

t.test('M5: a row that was exchanged is an error, and never a log without a past', async (t) => {
  await using witness = await trusting();
  const second = testLogOf('example.com/second');
  await witness.trust(second.vkey);
  await witness.add(await log.request(0, 6));
  await witness.add(await second.request(0, 3));
  const heads = await witness.store.rows<{ head: Buffer }>('SELECT head FROM logs');
  for (const { head } of heads) t.notMatch(head.toString('latin1'), /example\.com/);
  await witness.store.write((_db, sql) =>
    sql.run('UPDATE logs SET head = (SELECT head FROM logs AS o WHERE o.id <> logs.id)'),
  );
  await t.rejects(witness.add(await log.request(0, 2)), { name: 'UnopenedRecord' });
});

t.test('pitfall: a row that does not open stops its own log and nobody beside it', async (t) => {
  await using witness = await trusting();
  const logs = Array.from({ length: 12 }, (_, n) => testLogOf(`example.com/beside/${n}`));
  for (const each of logs) {
    await witness.trust(each.vkey);
    await witness.add(await each.request(0, 2));
  }
  const requests = await Promise.all(logs.map((each) => each.request(2, 5)));
  const lost = createHash('sha256').update('example.com/beside/5').digest();
  // The row changes when all of them have read it and their transaction waits.
  const answers = witness.store.write(async (_db, sql) => {
    const asked = Promise.allSettled(requests.map((body) => witness.add(body)));
    for (let read = 0; read < 30; read++) await witness.store.rows('SELECT 1');
    await sql.run('UPDATE logs SET head = zeroblob(60) WHERE id = ?', [lost]);
    return { asked };
  });
  const came = await (await answers).asked;
  const told = came.map((one) => (one.status === 'fulfilled' ? one.value.status : one.reason.name));
  t.same(told, Array(12).fill(200).with(5, 'UnopenedRecord'));
  for (const [n, each] of logs.entries())
    if (n !== 5) t.match(await witness.add(await each.request(2, 6)), { status: 409, body: '5\n' });
});

t.test(
  'pitfall: no word of the operator, and no row that lost its head, makes a witness begin anew',
  async (t) => {
    await using witness = await trusting();
    const anew = await log.fork(2).request(0, 6);
    await witness.add(await log.request(0, 6));
    const others = Array.from({ length: 7 }, (_, n) => {
      const pair = ed25519.fromSeed(new Uint8Array(32).fill(n + 1));
      return formatVkey(noteSigner(log.origin, pair).vkey);
    });
    for (const vkey of [log.vkey, ...others]) {
      await witness.distrust(log.origin);
      await witness.trust(vkey);
      t.match(await witness.add(anew), { status: 409, body: '6\n' });
    }
    await witness.store.write((_db, sql) => sql.run('UPDATE logs SET head = NULL'));
    await t.rejects(witness.add(anew), { name: 'UnopenedRecord' });
    await t.rejects(witness.distrust(log.origin), { name: 'UnopenedRecord' });
    await t.rejects(witness.trust(log.vkey), { name: 'UnopenedRecord' }, 'nor is it said anew');
  },
);

t.test('a key that is none of a log is not trusted', async (t) => {
  await using witness = await testWitness();
  for (const vkey of ['', 'x', ...witness.keys.keys, log.vkey.replace('+', '+0')])
    await t.rejects(witness.trust(vkey), { code: 'malformed' });
  await t.rejects(witness.distrust('nobody'), { code: 'not_found' });
});

t.test("the name of an island's log is that of its key: nobody else speaks for it", async (t) => {
  await using witness = await testWitness();
  const [pair, other] = [1, 2].map((n) => ed25519.fromSeed(new Uint8Array(32).fill(n)));
  if (pair === undefined || other === undefined) throw new RangeError();
  const origin = `pi-kt/${base32(sha256(pair.public).subarray(0, 16))}`;
  const vkey = formatVkey(noteSigner(origin, pair).vkey);
  t.same(await witness.trust(vkey), { origin });
  const stranger = formatVkey(noteSigner(origin, other).vkey);
  await t.rejects(witness.trust(stranger), { code: 'malformed' });
});

t.test(
  'any request that was altered on its way gets a refusal, and never a signature',
  async (t) => {
    await using witness = await trusting();
    const good = await log.request(0, 7);
    const property = fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 })), {
        minLength: 1,
      }),
      fc.nat(good.length),
      async (changes, length) => {
        const bytes = Uint8Array.from(
          good.subarray(0, changes.length % 3 === 0 ? length : undefined),
        );
        for (const [at, by] of changes) if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ by;
        if (Buffer.compare(bytes, good) === 0) return true;
        const { status } = await witness.add(bytes);
        return [400, 403, 404, 409, 422].includes(status);
      },
    );
    await fc.assert(property, { numRuns: 500 });
    t.equal((await witness.add(good)).status, 200);
  },
);
