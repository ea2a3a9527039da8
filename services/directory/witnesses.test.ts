/** A log and its witnesses, with all that goes wrong between them. Real witnesses, real HTTP. docs/protocol/transparency.md §7 */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { parseSignatureLines, parseVkey, sameKeyId } from '@island/protocol/transparency/note.ts';
import { type Policy, parsePolicy, satisfied } from '@island/protocol/transparency/policy.ts';
import t from 'tap';
import { systemClock } from '../kit/clock.ts';
import { eventually } from '../kit/testing/outcome.ts';
import { testLog } from '../kit/testing/pki.ts';
import { type TestLog, testLogOf } from '../witness/testing/log.ts';
import { policyOf, type WitnessServer, witnessServer } from './testing/witness-server.ts';
import { type KnownSizes, openWitnesses } from './witnesses.ts';

const log = testLogOf('pi-kt/example');

async function scene(count: number, k: number) {
  await using held = new AsyncDisposableStack();
  const servers: WitnessServer[] = [];
  for (let n = 0; n < count; n++) servers.push(held.use(await witnessServer(log.vkey)));
  const sizes = new Map<string, number>();
  const carried = new Map<string, { size: number; signature: Uint8Array }>();
  const known: KnownSizes = {
    size: async (vkey) => sizes.get(vkey) ?? 0,
    learn: async (vkey, size) => void sizes.set(vkey, size),
    carry: async (vkey, size, signature) => void carried.set(vkey, { size, signature }),
    async carried(vkey, size) {
      const found = carried.get(vkey);
      return found?.size === size ? found.signature : undefined;
    },
    root: async () => undefined,
  };
  const witnesses = held.use(openWitnesses({ known, clock: systemClock, log: testLog() }));
  const policy = parsePolicy(policyOf(log.vkey, k, servers));
  const stack = held.move();
  const submission = async (size: number, from: TestLog = log) => ({
    note: await from.checkpoint(size),
    size,
    proofFrom: (old: number) => from.proof(old, size),
  });
  const gather = async (
    size: number,
    options: { policies?: Policy[]; signal?: AbortSignal } = {},
  ) => {
    const { policies = [policy], signal = AbortSignal.timeout(10_000) } = options;
    return witnesses.gather(await submission(size), { policies, signal });
  };
  const server = (n: number): WitnessServer => servers[n] as WitnessServer;
  return {
    ...{ servers, server, sizes, witnesses, policy, submission, gather },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const cosigners = (policy: Policy, note: string) =>
  satisfied(policy, note)
    .cosigners.map(({ name }) => name)
    .sort();

t.test('K1: all witnesses are asked, at each size again, and no more than once', async (t) => {
  await using s = await scene(3, 2);
  for (const size of [3, 4, 9]) {
    const note = await s.gather(size);
    t.equal(satisfied(s.policy, note).ok, true);
    t.same(cosigners(s.policy, note), ['w0', 'w1', 'w2'], 'those above the quorum, too');
    t.ok(note.startsWith(await log.checkpoint(size)), 'behind the signature of the log');
  }
  t.same(
    s.servers.map(({ asked }) => asked),
    [3, 3, 3],
  );
  t.same([...s.sizes.values()], [9, 9, 9]);
});

t.test('pitfall: an empty witness list is nobody, never everybody', async (t) => {
  await using s = await scene(1, 1);
  const empty = { ...s.policy, groups: [{ name: 'all-of-them', threshold: 0, members: [] }] };
  const nobody = { ...s.policy, witnesses: [] };
  for (const policy of [empty, nobody]) {
    const signal = AbortSignal.timeout(300);
    await t.rejects(s.gather(3, { policies: [policy], signal }), { name: 'TimeoutError' });
    await t.rejects(
      s.gather(3, { policies: [s.policy, policy], signal: AbortSignal.timeout(300) }),
    );
  }
  const none = parsePolicy(`log ${log.vkey}\nquorum none\n`);
  t.equal(await s.gather(4, { policies: [none] }), await log.checkpoint(4), 'nobody was asked for');
  t.equal(satisfied(none, await log.checkpoint(4)).ok, false, 'and it does not count as witnessed');
});

t.test('pitfall: a lost answer is asked again', async (t) => {
  await using s = await scene(1, 1);
  let lost = 0;
  s.server(0).change = (answer) => (lost++ === 0 ? undefined : answer);
  const note = await s.gather(5);
  t.equal(satisfied(s.policy, note).ok, true);
  t.equal(s.server(0).asked, 3, 'lost, told its own size, signed anew');
});

t.test(
  'a witness that is slow, broken or silent holds up nobody whom the quorum does without',
  async (t) => {
    await using s = await scene(3, 2);
    s.server(0).change = (answer) => ({ ...answer, status: 503 });
    t.same(cosigners(s.policy, await s.gather(5)), ['w1', 'w2']);
    t.match(s.witnesses.state(s.server(0).vkey), { problem: 'unreachable' });
    s.server(0).change = undefined;
    // It has signed what it said that it could not: the next one goes on from there.
    t.same(cosigners(s.policy, await s.gather(7)), ['w0', 'w1', 'w2']);
    t.equal(s.witnesses.state(s.server(0).vkey)?.problem, undefined);
  },
);

t.test(
  'one whose root is to be seen first, and who takes the call and says nothing, holds up nobody either',
  async (t) => {
    await using s = await scene(2, 1);
    const silent = createServer((socket) => void socket.on('error', () => undefined).resume());
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const url = `https://127.0.0.1:${port}/witness`;
    const text = policyOf(log.vkey, 1, s.servers).replace(s.server(0).url, url);
    const roots = new Map([[url, new Uint8Array(32)]]);
    for (const size of [3, 5]) {
      const begun = performance.now();
      const policy = parsePolicy(text);
      const signal = AbortSignal.timeout(20_000);
      const note = await s.witnesses.gather(await s.submission(size), {
        ...{ policies: [policy], signal, roots },
      });
      t.same(cosigners(policy, note), ['w1']);
      t.ok(performance.now() - begun < 5000, 'it would have had ten seconds');
    }
    const closed = once(silent, 'close');
    silent.close();
    await closed;
  },
);

t.test('a witness that comes back is asked until the quorum is there', async (t) => {
  await using s = await scene(2, 2);
  await s.server(1).witness.distrust(log.origin);
  const asking = s.gather(5);
  await eventually(() => s.witnesses.state(s.server(1).vkey)?.problem === 'untrusting');
  await s.server(1).witness.trust(log.vkey);
  t.same(cosigners(s.policy, await asking), ['w0', 'w1']);
});

t.test('signatures of others, wrong ones, and what is none, count for nothing', async (t) => {
  await using s = await scene(2, 1);
  const [other, own] = [s.server(0), s.server(1)];
  const strange = await other.witness.add(await log.request(0, 3));
  own.change = (answer) => ({ ...answer, body: strange.body });
  other.change = (answer) => ({ ...answer, status: 500 });
  await t.rejects(s.gather(3, { signal: AbortSignal.timeout(500) }), { name: 'TimeoutError' });
  t.match(s.witnesses.state(own.vkey), { problem: 'unsigned' });
  own.change = (answer) => ({ ...answer, body: 'x'.repeat(100_000) });
  await t.rejects(s.gather(3, { signal: AbortSignal.timeout(500) }));
  t.match(s.witnesses.state(own.vkey), { problem: 'unreachable' }, 'too long an answer');
  own.change = (answer) =>
    answer.status === 200 ? { ...answer, body: `${strange.body}${answer.body}` } : answer;
  t.same(cosigners(s.policy, await s.gather(3)), ['w1'], 'its own, among others');
});

t.test('two policies: each has to be satisfied, and a witness of both is asked once', async (t) => {
  await using s = await scene(3, 1);
  const [a, b, c] = [s.server(0), s.server(1), s.server(2)];
  const before = parsePolicy(policyOf(log.vkey, 2, [a, b]));
  const after = parsePolicy(policyOf(log.vkey, 2, [b, c]));
  const note = await s.gather(5, { policies: [before, after] });
  t.ok(satisfied(before, note).ok && satisfied(after, note).ok);
  t.same(
    s.servers.map(({ asked }) => asked),
    [1, 1, 1],
  );
  a.change = (answer) => ({ ...answer, status: 500 });
  const signal = AbortSignal.timeout(500);
  await t.rejects(s.gather(6, { policies: [before, after], signal }));
});

t.test(
  'K2: a log that was put back finds out before it signs: witnesses know a larger one',
  async (t) => {
    await using s = await scene(3, 2);
    await s.gather(9);
    const old = await s.submission(4);
    const signal = AbortSignal.timeout(5000);
    const told = await s.witnesses.sizes(old, s.policy, signal);
    t.same([...told].sort(), [
      ['w0', 9],
      ['w1', 9],
      ['w2', 9],
    ]);
    await t.rejects(s.gather(4, { signal: AbortSignal.timeout(300) }));
    t.match(s.witnesses.state(s.server(0).vkey), { problem: 'ahead' });
    const same = await s.witnesses.sizes(await s.submission(9), s.policy, signal);
    t.same([...same.values()], [9, 9, 9]);
  },
);

t.test(
  'who says nothing when an island starts is told of by name, and who was not asked by nobody',
  async (t) => {
    await using s = await scene(3, 2);
    s.server(0).change = () => undefined;
    s.server(1).change = () => new Promise(() => undefined);
    const old = await s.submission(3);
    t.same([...(await s.witnesses.sizes(old, s.policy, AbortSignal.timeout(500)))], [['w2', 3]]);
    const state = (n: number) => s.witnesses.state(s.server(n).vkey);
    for (const n of [0, 1]) t.match(state(n), { problem: 'unreachable' });
    t.match(state(2), { problem: undefined });
    await using other = await scene(1, 1);
    await other.witnesses.sizes(old, other.policy, AbortSignal.abort());
    t.equal(other.witnesses.state(other.server(0).vkey), undefined);
  },
);

t.test('K1: who has no line counts by what came by hand, and by nothing else', async (t) => {
  await using s = await scene(1, 1);
  const { vkey, url, witness } = s.server(0);
  const byHand = parsePolicy(policyOf(log.vkey, 1, s.servers).replace(` ${url}`, ''));
  const signal = AbortSignal.timeout(300);
  await t.rejects(s.gather(3, { policies: [byHand], signal }), { name: 'TimeoutError' });
  t.equal(s.server(0).asked, 0);

  const { body } = await witness.add(await log.request(0, 3));
  const key = parseVkey(vkey);
  const lines = parseSignatureLines(body);
  const line = lines.find((one) => sameKeyId(one.keyId, key.keyId));
  if (line === undefined) throw new Error('it did not sign');
  const gathering = s.gather(3, { policies: [byHand] });
  const old = await s.submission(3);
  t.equal((await s.witnesses.sizes(old, byHand, AbortSignal.timeout(5000))).size, 0);
  await s.witnesses.take(old, key, line);
  t.same(cosigners(byHand, await gathering), ['w0'], 'whoever waits for it is told');
  t.same(cosigners(byHand, await s.gather(3, { policies: [byHand] })), ['w0'], 'it is kept');
  await t.rejects(s.gather(4, { policies: [byHand], signal: AbortSignal.timeout(300) }));
  const told = await s.witnesses.sizes(old, byHand, AbortSignal.timeout(5000));
  t.same([...told], [['w0', 3]], 'and it is what that witness says it has seen');
});

t.test('a fork gets no signature, however often it is asked for', async (t) => {
  await using s = await scene(1, 1);
  await s.gather(4);
  const fork = await s.submission(4, log.fork(2));
  const signal = AbortSignal.timeout(500);
  await t.rejects(s.witnesses.gather(fork, { policies: [s.policy], signal }));
  t.match(s.witnesses.state(s.server(0).vkey), { problem: 'refused' });
});

t.test('a witness that plays with sizes does not keep us busy', async (t) => {
  await using s = await scene(1, 1);
  await s.gather(4);
  let n = 0;
  s.server(0).change = () => ({ status: 409, type: 'text/x.tlog.size', body: `${n++ % 4}\n` });
  const before = s.server(0).asked;
  await t.rejects(s.gather(6, { signal: AbortSignal.timeout(500) }));
  t.ok(s.server(0).asked - before <= 10, `${s.server(0).asked - before} requests`);
});

t.test('one witness that says it knows more, and cannot show it, is not believed', async (t) => {
  await using s = await scene(3, 2);
  await s.gather(4);
  s.server(0).change = () => ({ status: 409, type: 'text/x.tlog.size', body: '1000\n' });
  const signal = AbortSignal.timeout(5000);
  const told = await s.witnesses.sizes(await s.submission(4), s.policy, signal);
  t.same([...told].sort(), [
    ['w1', 4],
    ['w2', 4],
  ]);
});
