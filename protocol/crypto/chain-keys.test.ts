import * as fc from 'fast-check';
import t from 'tap';
import { seededRandom } from '../vectors/seeded.ts';
import { beginKeys, chainKeyAt, chainLimits, messageKeyAt, messageKeysAt } from './chain-keys.ts';
import { hmac } from './primitives.ts';

const first = seededRandom('chain-keys')(32);
/** By the definition, one after the other. */
const chainKeys = [first];
for (let i = 0; i < chainLimits.reach; i++)
  chainKeys.push(hmac(chainKeys[i] as Uint8Array, Uint8Array.of(2)));
const messageKey = (place: number) => hmac(chainKeys[place] as Uint8Array, Uint8Array.of(1));
const code = (code: string) => ({ name: 'CryptoFault', code });

t.test('keys are those of the definition, whatever was reached before, in any order', async () => {
  const places = fc.uniqueArray(fc.nat(chainLimits.reach - 1), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.property(fc.array(places, { minLength: 1, maxLength: 6 }), (batches) => {
      let keys = beginKeys(0, first);
      for (const batch of batches) {
        const sorted = batch.toSorted((a, b) => a - b);
        const reached = messageKeysAt(keys, sorted);
        for (const [i, place] of sorted.entries()) {
          const expected = Buffer.from(messageKey(place));
          if (!expected.equals(reached.messageKeys[i] ?? first)) return false;
          if (!expected.equals(messageKeyAt(keys, place))) return false;
        }
        keys = reached.keys;
        if (!Buffer.from(chainKeys[keys.next] as Uint8Array).equals(keys.key)) return false;
      }
      return keys.marks.every((mark, i) =>
        Buffer.from(chainKeys[32 * i] as Uint8Array).equals(mark),
      );
    }),
    { numRuns: 60 },
  );
});

t.test('pitfall: a received chain key gives nothing before its iteration', async (t) => {
  const keys = beginKeys(40, chainKeys[40] as Uint8Array);
  t.same(messageKeyAt(keys, 40), messageKey(40));
  for (const before of [39, 0, -1]) {
    t.throws(() => messageKeyAt(keys, before), code('before_chain'), String(before));
    t.throws(() => messageKeysAt(keys, [before, 41]), code('before_chain'), String(before));
  }
  const all = JSON.stringify(keys, (_, value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  );
  for (const earlier of chainKeys.slice(0, 40))
    t.notOk(all.includes(Buffer.from(earlier).toString('hex')));
});

t.test(
  'pitfall: skip flood: what is out of reach is refused before it is worked for',
  async (t) => {
    const keys = beginKeys(10, first);
    t.doesNotThrow(() => messageKeyAt(keys, 10 + chainLimits.reach - 1));
    const began = process.cpuUsage();
    for (let i = 0; i < 1000; i++) {
      for (const far of [10 + chainLimits.reach, 0xffff_ffff]) {
        t.throws(() => messageKeysAt(keys, [10, far]), code('too_far_ahead'));
      }
    }
    const { user } = process.cpuUsage(began);
    t.ok(user < 2_000_000, 'the work asked for would be seventy minutes of it');
  },
);

t.test('reaching further leaves the keys before as they were', async (t) => {
  const keys = beginKeys(0, first);
  const { keys: further } = messageKeysAt(keys, [100]);
  t.same(keys, beginKeys(0, first));
  t.equal(further.next, 101);
  t.same(messageKeysAt(further, [3]).keys, further);
  t.same(chainKeyAt(further, 101), chainKeys[101]);
});
