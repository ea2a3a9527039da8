/** For tests: two people on an island that owns the key of its log, and what it tells one of them. */
import { createDevice, signDeviceCert } from '@island/protocol/crypto/device.ts';
import {
  type DeviceList,
  nextDeviceList,
  openDeviceList,
  signDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import { sign } from '@island/protocol/crypto/signature.ts';
import { verifyEvidence } from '@island/protocol/transparency/conviction.ts';
import { accountLabel, nameLabel } from '@island/protocol/transparency/label.ts';
import { testPolicy, testVkey } from '@island/protocol/vectors/directory-log.ts';
import { concat } from '@island/protocol/wire/bytes.ts';
import { deviceId } from '@island/protocol/wire/ids.ts';
import { readAccount } from '../account/account.ts';
import { syncOwn } from '../account/own-devices.ts';
import type { Storage } from '../storage/storage.ts';
import { readLatch } from '../transparency/latch.ts';
import type { OddHistory, Signing } from './odd-history.ts';
import { type OddIsland, oddIsland } from './odd-island.ts';
import { person, type TestPerson } from './person.ts';

const today = 20_000;

export interface Attacked extends AsyncDisposable {
  island: OddIsland;
  alice: TestPerson;
  bob: TestPerson;
  /** What the island's log says at present. */
  history(): OddHistory;
  /** Of bob's account, and of his name. */
  label: Uint8Array;
  name: Uint8Array;
  /** The code of what a look of alice at bob's devices comes to. */
  asks(): Promise<string>;
  /** The same of bob's look at his own account. */
  looks(): Promise<string>;
  /** The list after `list` (the first) with a device more. */
  next(list?: DeviceList): DeviceList;
  /** The same after the first, signed with a key that is not bob's. */
  forged(): Uint8Array;
  /** A list with one device, under an identity key that the one before has not agreed to. */
  reset(): DeviceList;
  first: DeviceList;
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error);

const outcome = (work: Promise<unknown>): Promise<string> => work.then(() => 'fine', codeOf);

/** alice has met bob; from then on the log says only what the test makes it say. */
export async function attacked(signing?: Partial<Signing>): Promise<Attacked> {
  await using held = new AsyncDisposableStack();
  const island = held.use(await oddIsland(undefined, signing));
  const alice = held.use(await person(island, 'alice'));
  const bob = held.use(await person(island, 'bob'));
  await alice.islander.people.find('bob');
  await syncOwn(keeping(alice));
  await syncOwn(keeping(bob));
  const record = await readAccount(bob.storage);
  if (!record) throw new Error('bob is not registered');
  const first = openDeviceList(record.list);
  const aik = ed25519.fromSeed(record.aik);
  island.log.silent = true;
  await island.log.history.publish();
  await alice.islander.people.refresh('bob');
  const added = (list: DeviceList, under: Uint8Array) => {
    const device = deviceId(list.lastDevice + 1);
    return signDeviceCert(createDevice({ account: list.account, device }), under, today);
  };
  const next = (list = first): DeviceList => {
    const devices = [...list.devices, added(list, list.aik)];
    return openDeviceList(signDeviceList(nextDeviceList(list, { devices }, today), aik));
  };
  const stack = held.move();
  return {
    island,
    alice,
    bob,
    first,
    history: () => island.log.history,
    label: accountLabel(first.account),
    name: nameLabel('bob'),
    asks: () => outcome(alice.islander.people.refresh('bob')),
    looks: () => outcome(syncOwn(keeping(bob))),
    next,
    forged() {
      const fields = next(first).bytes.slice(0, -64);
      return concat(fields, sign('device-list', ed25519.generate(), fields));
    },
    reset() {
      const evil = ed25519.generate();
      const replace = { aik: evil.public, how: 'reset' } as const;
      const devices = [added(first, evil.public)];
      return openDeviceList(
        signDeviceList(nextDeviceList(first, { devices, replace }, today), evil),
      );
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

export const keeping = ({ storage, islander: { session } }: TestPerson, now = Date.now) => ({
  storage,
  session,
  now,
});

/** For what a home was caught by, and which evidence it has: `none`, or its kind once it convicts. */
export async function caught(storage: Storage): Promise<string> {
  const latch = await readLatch(storage);
  if (!latch) return 'not caught';
  const { code, evidence } = latch;
  if (evidence === undefined) return `${code}: none`;
  return `${code}: ${verifyEvidence(evidence, { vkey: testVkey, policy: testPolicy }).kind}`;
}
