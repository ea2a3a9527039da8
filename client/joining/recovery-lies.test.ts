/** What an island may change of what a code needs: refused by a name of its own, before a key is believed. */
import { createDevice, signDeviceCert } from '@island/protocol/crypto/device.ts';
import {
  firstDeviceList,
  nextDeviceList,
  openDeviceList,
  signDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import { ed25519, equal, randomBytes, x25519 } from '@island/protocol/crypto/primitives.ts';
import { deviceId } from '@island/protocol/wire/ids.ts';
import { leastKdf } from '@island/protocol/wire/limits.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { instead, type Json, ownOf, remade, resigned, sealedAt } from '../testing/lies.ts';
import { credentials, home, registered } from '../testing/member-home.ts';
import { type RealIsland, realIsland } from '../testing/real-island.ts';
import { readJoining } from './joining-row.ts';
import { recover } from './recovery.ts';

t.setTimeout(240_000);

type Lie = (path: string, answer: Json) => Json;

/** Somebody whose codes are used one after the other, each by a fresh home that is lied to. */
async function victim(island: RealIsland, name: string) {
  const device = await registered(island, name);
  const codes = [...device.codes];
  return {
    ...(await ownOf(device)),
    /** Answers by which name the lie was refused. */
    async refusal(lie: Lie): Promise<string> {
      const fresh = home(island);
      const code = codes.shift() ?? '';
      island.line.answer = ({ path }, answer) => lie(path, answer);
      try {
        await recover(fresh.joining, island.recoverLink(name), { credentials, code });
        return 'none';
      } catch (error) {
        const kept = await readJoining(fresh.storage);
        if (kept?.secrets ?? kept?.made) return 'keys were believed';
        return error instanceof Error && 'code' in error ? String(error.code) : String(error);
      } finally {
        delete island.line.answer;
      }
    },
  };
}

const record = (bytes: Uint8Array): Lie => instead('/v1/record', { record: base64url(bytes) });

t.test(
  'pitfall: KDF downgrade: weaker parameters of codes are refused, nothing is hashed',
  async (t) => {
    await using island = await realIsland({ lies: true });
    const alice = await victim(island, 'alice');
    for (const weak of [{ memory: 1024 }, { passes: 1 }]) {
      const kdf = { ...leastKdf, ...weak };
      const lie = instead('/v1/prelogin', ({ codes }) => ({ codes: { ...(codes as Json), kdf } }));
      const before = island.requests.length;
      t.equal(await alice.refusal(lie), 'kdf_downgrade');
      t.notOk(island.requests.slice(before).some(({ path }) => path === '/v1/joining'));
    }
  },
);

t.test('pitfall: unsigned backup key: a record that was changed is refused', async (t) => {
  await using island = await realIsland({ lies: true });
  const alice = await victim(island, 'alice');
  const bob = await victim(island, 'bob');
  const flipped = (at: number) => {
    const bytes = alice.record.bytes.slice();
    const place = at < 0 ? bytes.length + at : at;
    bytes[place] = (bytes[place] ?? 0) ^ 1;
    return bytes;
  };
  const lies = {
    'another signer': [resigned(alice.record.bytes, ed25519.generate()), 'record_unsigned'],
    'a bit of a slot': [flipped(-70), 'record_unsigned'],
    'a bit of the keyring': [flipped(140), 'record_unsigned'],
    'another version': [flipped(21), 'record_unsigned'],
    'the record of somebody else': [bob.record.bytes, 'record_differs'],
    'no record at all': [new Uint8Array(40), 'record_unsigned'],
  } as const;
  for (const [title, [bytes, expected]] of Object.entries(lies))
    t.equal(await alice.refusal(record(bytes)), expected, title);
});

t.test(
  'pitfall: pk_i swap: a slot that is not the code’s own is refused, whoever signed it',
  async (t) => {
    await using island = await realIsland({ lies: true });
    const alice = await victim(island, 'alice');
    const bob = await victim(island, 'bob');
    const { aik, list, keys } = alice;
    const { slots, bytes } = alice.record;
    const parts = { aik, list, ark: keys.ark };
    const others = slots.map((slot) => ({ ...slot, dh: x25519.generate().public }));
    const proofs = slots.map((slot) => ({ ...slot, proofHash: randomBytes(32) }));
    const anchors = slots.map((slot, i) => ({
      ...slot,
      anchor: slots.at(i - 1)?.anchor ?? slot.loc,
    }));
    const exchanged = resigned(bytes, aik, (fields) => {
      const before = fields.slice();
      for (let i = 0; i < 8; i++)
        fields.set(before.subarray(...sealedAt(fields, i, 8)), sealedAt(fields, (i + 1) % 8, 8)[0]);
    });
    const foreign = resigned(bytes, aik, (fields) => {
      const from = bob.record.bytes.subarray(0, -64);
      for (let i = 0; i < 8; i++)
        fields.set(from.subarray(...sealedAt(from, i, 8)), sealedAt(fields, i, 8)[0]);
    });
    const lies = {
      'another key in the slot': [
        remade(alice.record, { ...parts, slots: others }),
        'code_swapped',
      ],
      'another proof in the slot': [
        remade(alice.record, { ...parts, slots: proofs }),
        'code_swapped',
      ],
      'the anchors of two slots': [
        remade(alice.record, { ...parts, slots: anchors }),
        'identity_forged',
      ],
      'no slot of the code': [remade(alice.record, { ...parts, slots: [] }), 'code_unknown'],
      'the blobs of two slots': [{ record: exchanged }, 'share_swapped'],
      'the blobs of two accounts': [{ record: foreign }, 'share_swapped'],
    } as const;
    for (const [title, [made, expected]] of Object.entries(lies))
      t.equal(await alice.refusal(record(made.record)), expected, title);
  },
);

t.test('pitfall: swapped share: another share, or that of another slot, is refused', async (t) => {
  await using island = await realIsland({ lies: true });
  const alice = await victim(island, 'alice');
  const share = base64url(randomBytes(32));
  t.equal(await alice.refusal(instead('/v1/recovery', { share })), 'share_swapped');
  const loc = base64url(alice.record.slots[0]?.loc ?? randomBytes(16));
  const other = base64url(alice.record.slots[1]?.loc ?? randomBytes(16));
  const lie = instead('/v1/recovery', (answer) => ({ loc: answer['loc'] === loc ? other : loc }));
  t.equal(await alice.refusal(lie), 'share_swapped');
});

t.test(
  'K2: an identity that the island invents for the person is refused by the code',
  async (t) => {
    await using island = await realIsland({ lies: true });
    const alice = await victim(island, 'alice');
    const { account, list } = alice;
    const evil = ed25519.generate();
    const device = (id: number) =>
      signDeviceCert(
        createDevice({ account: account.account, device: deviceId(id) }),
        evil.public,
        20_000,
      );
    const reset = openDeviceList(
      signDeviceList(
        nextDeviceList(
          list,
          { devices: [device(2)], replace: { aik: evil.public, how: 'reset' } },
          20_000,
        ),
        evil,
      ),
    );
    const anew = openDeviceList(signDeviceList(firstDeviceList(device(1), 'alice'), evil));
    const { version, hash, arkEpoch } = alice.record;
    const ways = {
      'a reset': [
        [list, reset],
        { version: version + 1, prevHash: hash, firstEpoch: arkEpoch + 1, arkEpoch: arkEpoch + 1 },
      ],
      'another beginning': [[anew], {}],
    } as const;
    for (const [title, [lists, chain]] of Object.entries(ways)) {
      const newest = lists.at(-1) ?? anew;
      // The island knows the public keys of the code slots and may draw shares itself.
      const made = remade(alice.record, {
        ...chain,
        list: newest,
        aik: evil,
        ark: randomBytes(32),
      });
      const lie: Lie = (path, answer) => {
        if (path === '/v1/record') return { record: base64url(made.record), used: [] };
        if (path === '/v1/people/alice') return { ...answer, list: base64url(newest.bytes) };
        if (path === '/v1/people/alice/lists/0')
          return { ...answer, lists: lists.map(({ bytes }) => base64url(bytes)) };
        if (path !== '/v1/recovery') return answer;
        const given = made.shares.find(({ loc }) => base64url(loc) === answer['loc']);
        return { ...answer, share: base64url(given?.share ?? randomBytes(32)) };
      };
      t.equal(await alice.refusal(lie), 'identity_forged', title);
    }
    t.notOk(equal(evil.public, list.aik));
  },
);
