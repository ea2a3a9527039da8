/** Members' devices as the directory asks and hears them. docs/protocol/transparency.md §7.6 */
import { parseAddCheckpoint } from '@island/protocol/transparency/add-checkpoint.ts';
import { memberCosigner } from '@island/protocol/transparency/member-witness.ts';
import { formatVkey, parseNote, signatureLine } from '@island/protocol/transparency/note.ts';
import { parsePolicy } from '@island/protocol/transparency/policy.ts';
import t from 'tap';
import { faultCode } from '../kit/testing/outcome.ts';
import { testLog } from '../kit/testing/pki.ts';
import { testLogOf } from '../witness/testing/log.ts';
import { hearNewer, requestOfMember, takeFromMember } from './member-calls.ts';
import type { Submission } from './witness-ask.ts';
import { openWitnesses } from './witnesses.ts';

const origin = `pi-kt/${'c'.repeat(26)}`;
const log = testLogOf(origin);
const devices = [1, 2, 3].map((n) => memberCosigner(origin, new Uint8Array(32).fill(n)));
const [one, two] = devices as [(typeof devices)[0] & object, (typeof devices)[0] & object];
const vkeyOf = (device: typeof one) => formatVkey(device.vkey);
const policy = [
  `log ${log.vkey}`,
  ...devices.map((device, n) => `witness m${n} ${vkeyOf(device)}`),
  'group members 2 m0 m1 m2',
  'quorum members',
  '',
].join('\n');

const submission = async (size: number): Promise<Submission> => ({
  note: await log.checkpoint(size),
  size,
  proofFrom: (from) => log.proof(from, size),
});

async function directory(published: number) {
  const carried = new Map<string, Uint8Array>();
  const announced: { size: number; vkeys: string[] }[] = [];
  const writes = { count: 0 };
  const witnesses = openWitnesses({
    known: {
      size: async () => 0,
      async learn() {
        writes.count += 1;
      },
      carry: async (vkey, size, signature) => void carried.set(`${vkey} ${size}`, signature),
      carried: async (vkey, size) => carried.get(`${vkey} ${size}`),
      root: async () => undefined,
    },
    clock: { now: () => 1_800_000_000_000 },
    log: testLog(),
    announce: (asked) => announced.push(asked),
  });
  t.teardown(() => witnesses[Symbol.dispose]());
  const at = await submission(published);
  const parts = {
    store: { rows: async () => [] } as never,
    ...{ witnesses, vkey: log.vkey },
    published: () => at,
    waiting: () => undefined,
    cosigned: async () => undefined,
  };
  const sign = async (device: typeof one, size: number, time = 1_800_000_000) =>
    takeFromMember(parts, {
      ...{ vkey: vkeyOf(device), size },
      signature: signatureLine(device.cosign(parseNote(await log.checkpoint(size)).text, time)),
    });
  return { witnesses, announced, writes, parts, sign };
}

t.test(
  'K1: what waits is announced, fetched from any size, and enough signatures end it',
  async (t) => {
    const { witnesses, announced, parts, sign } = await directory(5);
    const vkey = vkeyOf(one);
    t.same(await requestOfMember(parts, { vkey, old: 0 }), {}, 'nothing is asked');
    const options = { policies: [parsePolicy(policy)], signal: AbortSignal.timeout(10_000) };
    const gathered = witnesses.gather(await submission(8), options);
    while (announced.length === 0) await new Promise(setImmediate);
    t.same(announced, [{ size: 8, vkeys: devices.map(vkeyOf) }]);
    const { request = '' } = await requestOfMember(parts, { vkey, old: 5 });
    const asked = parseAddCheckpoint(Buffer.from(request));
    t.match(asked, { oldSize: 5, proof: await log.proof(5, 8), note: await log.checkpoint(8) });
    const more = await requestOfMember(parts, { vkey, old: 99 });
    t.match(more.request, /^old 8\n\n/, 'who has more is shown all there is');
    await sign(one, 8);
    t.same(await requestOfMember(parts, { vkey, old: 8 }), {}, 'once');
    await sign(two, 8);
    t.equal(parseNote(await gathered).signatures.length, 3);
  },
);

t.test('K2: who is not asked, a wrong signature, and another size change nothing', async (t) => {
  const { witnesses, announced, writes, parts, sign } = await directory(5);
  const stop = new AbortController();
  const options = { policies: [parsePolicy(policy)], signal: stop.signal };
  const gathered = witnesses.gather(await submission(8), options).catch(() => 'stopped');
  while (announced.length === 0) await new Promise(setImmediate);
  const stranger = memberCosigner(origin, new Uint8Array(32).fill(9));
  t.equal(await faultCode(sign(stranger, 8)), 'not_found');
  t.equal(await faultCode(sign(one, 13)), 'not_found');
  t.equal(await faultCode(sign(one, 5)), 'not_found', 'of a policy that is tried, not in force');
  const other = signatureLine(one.cosign(parseNote(await log.fork(3).checkpoint(8)).text, 5));
  const answer = { vkey: vkeyOf(one), size: 8, signature: other };
  t.equal(await faultCode(takeFromMember(parts, answer)), 'bad_signature');
  t.equal(await faultCode(takeFromMember(parts, { ...answer, signature: 'no line' })), 'malformed');
  const two8 = signatureLine(two.cosign(parseNote(await log.checkpoint(8)).text, 5));
  t.equal(await faultCode(takeFromMember(parts, { ...answer, signature: two8 })), 'malformed');
  t.equal(await faultCode(takeFromMember(parts, { ...answer, vkey: log.vkey })), 'malformed');
  t.equal(writes.count, 0);
  stop.abort(new Error('enough'));
  t.equal(await gathered, 'stopped');
});

t.test(
  'K2: a log that was put back is told by members, who show the larger checkpoint',
  async (t) => {
    const { witnesses, announced, parts, sign } = await directory(5);
    const sizes = witnesses.sizes(
      await submission(5),
      parsePolicy(policy),
      AbortSignal.timeout(10_000),
    );
    t.same(announced[0], { size: 5, vkeys: devices.map(vkeyOf) });
    const vkey = vkeyOf(one);
    const shown = async (note: string) => faultCode(hearNewer(parts, { vkey, newest: note }));
    const forged = (await testLogOf('forger').checkpoint(13)).replaceAll('forger', origin);
    t.equal(await shown(forged), 'bad_signature', 'a number alone stops nobody');
    t.equal(await shown('13'), 'malformed');
    t.equal(await shown(await log.checkpoint(5)), 'resolved');
    t.equal(witnesses.state(vkey), undefined, 'none that is larger');
    t.equal(await shown(await log.checkpoint(13)), 'resolved');
    t.equal(witnesses.state(vkey)?.problem, 'ahead');
    await sign(two, 5);
    t.same(
      [...(await sizes)],
      [
        ['m0', 13],
        ['m1', 5],
      ],
      'the third no longer matters',
    );
  },
);

t.test('K2: an old signature does not say how far a member is now', async (t) => {
  const { witnesses, sign } = await directory(5);
  const sizes = witnesses.sizes(await submission(5), parsePolicy(policy), AbortSignal.timeout(200));
  await sign(one, 5, 1_700_000_000);
  t.same([...(await sizes)], []);
});
