/** The policy of a running directory: who may change it to what, and what the log shows of it. Real bus, store and witnesses. */
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import { encodeOperator, operatorKinds } from '@island/protocol/transparency/leaves.ts';
import { formatVkey, keyTypes, makeVkey, parseVkey } from '@island/protocol/transparency/note.ts';
import { checkCheckpoint, parsePolicy } from '@island/protocol/transparency/policy.ts';
import { parseTlogProof, verifyTlogProof } from '@island/protocol/transparency/tlog-proof.ts';
import { leafHash } from '@island/protocol/transparency/tree.ts';
import t from 'tap';
import { testIsland } from '../kit/testing/kit.ts';
import { eventually, faultCode } from '../kit/testing/outcome.ts';
import { directory } from './contract.ts';
import { directoryService } from './service.ts';
import { policyOf, type WitnessServer, witnessServer } from './testing/witness-server.ts';

const island = await testIsland(['directory', 'control', 'gateway']);
t.teardown(() => island[Symbol.asyncDispose]());
await island.start(directoryService);
const { bus } = await island.kit('control');
const { bus: gateway } = await island.kit('gateway');
const { vkey, ...first } = await bus.call(directory, 'log', {});

const servers: WitnessServer[] = [];
for (const trusted of [[vkey], [vkey], []]) {
  const server = await witnessServer(...trusted);
  t.teardown(() => server[Symbol.asyncDispose]());
  servers.push(server);
}
const [one, two, stranger] = servers as [WitnessServer, WitnessServer, WitnessServer];

const set = (after: number, text: string) =>
  bus.call(directory, 'setPolicy', { after, text, roots: [] });
const inForce = (number: number) =>
  eventually(async () => (await bus.call(directory, 'policy', {})).number === number);

t.test('a log begins without witnesses, and says so', async (t) => {
  t.match(first, { policyNumber: 1, witnessed: false });
  t.match(await bus.call(directory, 'policy', {}), { number: 1, text: /^log .*\nquorum none\n$/ });
  t.same((await bus.call(directory, 'witnesses', {})).witnesses, []);
});

t.test('K1: a policy that its witnesses have not signed under is not taken', async (t) => {
  t.equal(await faultCode(set(1, policyOf(vkey, 1, [stranger]))), 'policy_unmet');
  t.match(await bus.call(directory, 'policy', {}), { number: 1, pending: undefined });
});

t.test('a policy whose checkpoints could be too long for an answer is not taken', async (t) => {
  const large = (count: number) => {
    const names = Array.from({ length: count }, (_, n) => `w${n}`);
    const lines = names.map((name, n) => {
      const key = makeVkey(name, keyTypes.mldsaCosignature, new Uint8Array(1312).fill(n + 1));
      return `witness ${name} ${formatVkey(key)}`;
    });
    return [`log ${vkey}`, ...lines, `group some 1 ${names.join(' ')}`, 'quorum some', ''].join(
      '\n',
    );
  };
  t.equal(await faultCode(set(1, large(20))), 'policy_large');
  t.equal(await faultCode(set(1, large(15))), 'policy_unmet', 'it would fit, and nobody signs');
  t.match(await bus.call(directory, 'policy', {}), { number: 1, pending: undefined });
});

t.test(
  'K1: the first witnesses: the epoch that brings the policy is published with their signatures',
  async (t) => {
    const text = policyOf(vkey, 2, [one, two]);
    t.same(await set(1, text), { number: 2 });
    await inForce(2);
    const { note } = await gateway.call(directory, 'checkpoint', {});
    const { cosigners } = checkCheckpoint(parsePolicy(text), note, { allowUnwitnessed: false });
    t.equal(cosigners.length, 2);
    t.match(await bus.call(directory, 'log', {}), {
      policy: text,
      policyNumber: 2,
      witnessed: true,
    });
    const { size, witnesses } = await bus.call(directory, 'witnesses', {});
    for (const witness of witnesses) t.match(witness, { size, problem: undefined });
  },
);

t.test('who has not seen the newest policy changes nothing', async (t) => {
  t.equal(await faultCode(set(1, policyOf(vkey, 1, [one]))), 'policy_moved');
});

t.test('pitfall: what is witnessed stays witnessed', async (t) => {
  t.equal(await faultCode(set(2, `log ${vkey}\nquorum none\n`)), 'policy_weaker');
});

t.test('what is no policy of this log is refused', async (t) => {
  const other = 'pi-kt/other+00000000+AQ==';
  for (const text of [
    '',
    'quorum none\n',
    policyOf(other, 1, [one]),
    policyOf(vkey, 1, [one]).replace(one.url, 'http://example.com/witness'),
    `log ${vkey}\ngroup empty 0\nquorum empty\n`,
  ])
    t.equal(await faultCode(set(2, text)), 'malformed', text);
});

t.test(
  'K1: a policy is published when the one before and the new one are satisfied, and not sooner',
  async (t) => {
    // Gone as soon as the trial is over: the epoch with the policy has to wait for it.
    one.change = (answer) => (answer.status === 200 ? { ...answer, status: 503 } : answer);
    const text = policyOf(vkey, 1, [two]);
    t.same(await set(2, text), { number: 3 });
    t.match(await bus.call(directory, 'policy', {}), { number: 2, pending: { number: 3, text } });
    t.equal(await faultCode(set(2, text)), 'policy_moved', 'one change at a time');
    await eventually(async () => {
      const { witnesses } = await bus.call(directory, 'witnesses', {});
      return witnesses.some(({ problem }) => problem === 'unreachable');
    });
    t.match(await bus.call(directory, 'log', {}), { policyNumber: 2 }, 'the old policy wants both');
    one.change = undefined;
    await inForce(3);
    t.same((await bus.call(directory, 'policy', {})).pending, undefined);
  },
);

t.test('K1: whoever was away is shown each policy under the one before', async (t) => {
  let before = first.policy;
  for (const number of [1, 2, 3]) {
    const { text } = await gateway.call(directory, 'policyProof', { number });
    const shown = parseTlogProof(text);
    const { extra = new Uint8Array(0) } = shown;
    const policy = new TextDecoder().decode(extra);
    const entry = encodeOperator({ kind: operatorKinds.policy, number, hash: sha256(extra) });
    const options = { allowUnwitnessed: true, log: parseVkey(vkey) };
    for (const each of [before, policy])
      verifyTlogProof(shown, leafHash(entry), parsePolicy(each), options);
    before = policy;
  }
  t.equal(before, (await bus.call(directory, 'policy', {})).text);
  for (const number of [0, 4])
    t.equal(await faultCode(gateway.call(directory, 'policyProof', { number })), 'not_found');
});
