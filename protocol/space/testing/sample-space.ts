/** A space for tests: people with keys, and whoever acts signs the next entry. */
import { createDevice, signDeviceCert } from '../../crypto/device.ts';
import { firstDeviceList, signDeviceList } from '../../crypto/device-list.ts';
import { ed25519, type SigningPair } from '../../crypto/primitives.ts';
import { seededRandom } from '../../vectors/seeded.ts';
import { type AccountId, accountId, type ChannelId, channelId, deviceId } from '../../wire/ids.ts';
import { hex } from '../../wire/text.ts';
import {
  type EntryFields,
  noEntry,
  openEntry,
  proveInvited,
  type SpaceEntry,
  signEntry,
  spaceIdOf,
} from '../entry.ts';
import type { ChannelOp, SpaceOp } from '../space-op.ts';
import { applyEntry, beginSpace, type SpaceState } from '../space-state.ts';

export interface SamplePerson {
  name: string;
  account: AccountId;
  aik: SigningPair;
  dsk: SigningPair;
  /** Signed: one device. */
  list: Uint8Array;
}

export interface SampleSpace {
  owner: SamplePerson;
  state: SpaceState;
  entries: SpaceEntry[];
  person(name: string): SamplePerson;
  /** The next entry, signed and not applied. */
  entry(by: SamplePerson, op: SpaceOp, change?: Partial<EntryFields>): SpaceEntry;
  /** Applied; throws what `applyEntry` throws. */
  take(entry: SpaceEntry): void;
  /** Signed and applied; throws what `applyEntry` throws. */
  act(by: SamplePerson, op: SpaceOp): SpaceEntry;
  /** By an invite of the owner. */
  join(name: string, role?: number): SamplePerson;
  joining(who: SamplePerson, invite: SigningPair, bot?: boolean): SpaceOp;
  channel(name: string, change?: Partial<ChannelOp>): ChannelId;
}

export function sampleSpace(seed: string, time = 1_800_000_000): SampleSpace {
  const random = seededRandom(seed);
  function person(name: string): SamplePerson {
    const account = accountId(hex(random(16)));
    const aik = ed25519.fromSeed(random(32));
    const keys = createDevice({ account, device: deviceId(1), random });
    const list = signDeviceList(
      firstDeviceList(signDeviceCert(keys, aik.public, 20_000), name),
      aik,
    );
    return { name, account, aik, dsk: keys.dsk, list };
  }
  const owner = person('olga');
  const nonce = random(16);
  const space = spaceIdOf(nonce, owner.account, owner.aik.public);
  const creation: SpaceOp = {
    ...{ op: 'create', nonce, aik: owner.aik.public, name: owner.name, resets: 0, title: 'Isle' },
  };
  const by = (who: SamplePerson) => ({ actor: who.account, device: deviceId(1), listEpoch: 1 });
  const first = openEntry(
    signEntry({ space, seq: 1, prev: noEntry, time, ...by(owner), op: creation }, owner.dsk),
  );
  const state = beginSpace(first);
  const entries = [first];

  const sample: SampleSpace = {
    ...{ owner, state, entries, person },
    entry(who, op, change) {
      const { seq, hash } = state;
      const fields = { space, seq: seq + 1, prev: hash, time: state.time, ...by(who), op };
      return openEntry(signEntry({ ...fields, ...change }, who.dsk));
    },
    take(entry) {
      applyEntry(state, entry);
      entries.push(entry);
    },
    act(who, op) {
      const entry = sample.entry(who, op);
      sample.take(entry);
      return entry;
    },
    joining(who, invite, bot = false) {
      const aik = who.aik.public;
      const proof = proveInvited(invite, { space, account: who.account, aik });
      const { name } = who;
      return { op: 'join', name, aik, resets: 0, bot, invite: invite.public, proof };
    },
    join(name, role = 0) {
      const invite = ed25519.fromSeed(random(32));
      const who = person(name);
      sample.act(owner, { op: 'invite', key: invite.public, expires: 0, uses: 1, role });
      sample.act(who, sample.joining(who, invite));
      return who;
    },
    channel(name, change) {
      const channel = channelId(hex(random(16)));
      const op = { op: 'channel', channel, kind: 'text', name, topic: '' } as const;
      const rest = { parent: undefined, position: 0, slowSeconds: 0, history: false };
      sample.act(owner, { ...op, ...rest, overrides: [], ...change });
      return channel;
    },
  };
  return sample;
}
