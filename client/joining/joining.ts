/**
 * A fresh home becomes a device of an account: by a code (recovery.ts), by another device (linking.ts), or
 * by beginning the account anew (reset.ts). docs/protocol/devices.md §6, keys.md §7
 *
 * What the three have in common: leave to join, a list and a record that follow from those that were
 * checked, and the request that brings them. All of it is committed before it is sent; interrupted
 * anywhere, the same again goes on, and to the island it is the same device.
 */
import {
  createDevice,
  type DeviceKeys,
  dayOf,
  signDeviceCert,
} from '@island/protocol/crypto/device.ts';
import {
  type DeviceListChange,
  nextDeviceList,
  openDeviceList,
  signDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import { type MadeRecord, openKeyRecord, openKeyring } from '@island/protocol/crypto/key-record.ts';
import { ed25519, equal, type SigningPair, x25519 } from '@island/protocol/crypto/primitives.ts';
import { proofUses, proveDevice } from '@island/protocol/crypto/session-proof.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { deviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { type AccountRecord, accountRow, openAccount, readAccount } from '../account/account.ts';
import { keepingText, keyringOf, keysRow, needKeys } from '../account/account-keys.ts';
import { overtaken } from '../account/key-changes.ts';
import { unshownRow } from '../account/new-codes.ts';
import { nextRecord } from '../account/next-record.ts';
import { type OwnAccount, readOwnAccount } from '../account/shown-account.ts';
import { archiveStart, type Head } from '../archive/rows.ts';
import { insist } from '../insist.ts';
import { Problem } from '../problem.ts';
import { withNonce } from '../sign-in/nonces.ts';
import { provedRow } from '../transparency/proved.ts';
import { openProving } from '../transparency/proving.ts';
import { call } from '../transport/transport.ts';
import { enrolmentOf, makeEnrolment } from './enrolment.ts';
import {
  forgetJoining,
  type JoiningRow,
  joiningPlace,
  joiningRow,
  type Secrets,
} from './joining-row.ts';
import { ask, type Leave } from './leave.ts';
import { registeredBatch } from './registration.ts';

export interface Joined {
  account: AccountRecord;
  /** Backup codes that are still good. */
  codesLeft: number;
  /** How often the account was begun anew, without its keys of before. */
  resets: number;
}

/** The keys of the next list and record, and what goes with them. */
export interface Making {
  aik: SigningPair;
  change: (own: OwnAccount, cert: ReturnType<typeof signDeviceCert>) => DeviceListChange;
  record: (own: OwnAccount, list: Uint8Array) => MadeRecord & { ark: Uint8Array };
  head: Head;
  /** New codes, as they are shown. */
  codes?: readonly string[];
}

/** Times that list and record are made anew because another device was first. */
const tries = 4;

/** All lists of the account from the first on, and its record. */
export const readAll = (leave: Leave): Promise<OwnAccount> =>
  readOwnAccount({
    ask: ask(leave),
    proving: openProving({ ...leave.joining, transport: leave.transport }),
    name: leave.row.name,
    account: leave.account,
    resets: 'accepted',
    ...(leave.joining.signal && { signal: leave.joining.signal }),
  });

/** By secrets of the account: a device more, and a new archive key if a code brought them. */
export const bySecrets = ({ way, spent = [] }: JoiningRow, secrets: Secrets): Making => {
  const aik = ed25519.fromSeed(secrets.aik);
  const { ark, arkEpoch, head } = secrets;
  return {
    aik,
    head,
    change: ({ newest }, cert) => ({ devices: [...newest.devices, cert] }),
    record: ({ record, used }, list) =>
      nextRecord({
        previous: record,
        keys: { ark, arkEpoch, firstEpoch: record.firstEpoch, former: openKeyring(record, ark) },
        list: openDeviceList(list),
        aik,
        rotate: way === 'code',
        used: [...used, ...spent],
        head,
      }),
  };
};

/** Makes this device, list and record after `own`, and commits them. Keys that were made before stay. */
async function make(leave: Leave, own: OwnAccount, making: Making): Promise<JoiningRow> {
  const { joining, row, account } = leave;
  const { storage, now } = joining;
  const { newest } = own;
  const held = await readAccount(storage);
  const device = deviceId(newest.lastDevice + 1);
  const keys: DeviceKeys = held
    ? { account, device, dsk: ed25519.fromSeed(held.dsk), dik: x25519.fromPrivate(held.dik) }
    : createDevice({ account, device });
  const cert = signDeviceCert(keys, making.aik.public, dayOf(now()));
  const change = making.change(own, cert);
  if ((change.devices?.length ?? 0) > limits.devices)
    throw new Problem('devices_full', { limit: limits.devices });
  const list = signDeviceList(nextDeviceList(newest, change, dayOf(now())), making.aik);
  const made = making.record(own, list);
  const record = openKeyRecord(made.record, making.aik.public);
  const { address, root, name, password } = row;
  const self: AccountRecord = {
    state: 'pending',
    ...{ address, root, name, account, device },
    generation: 1,
    aik: making.aik.private,
    dsk: keys.dsk.private,
    dik: keys.dik.private,
    list,
    ...(password && { password }),
    codes: record.codes,
  };
  const enrolment = held ? undefined : await makeEnrolment(storage, keys.dsk, now());
  const next: JoiningRow = {
    ...row,
    made: {
      shares: made.shares,
      codesLeft: record.slots.length,
      resets: openDeviceList(list).resetCounter,
    },
  };
  await storage.commit({
    remove: enrolment?.remove ?? [],
    put: [
      joiningRow(next),
      accountRow(self),
      keysRow(keyringOf(record, made.ark)),
      archiveStart(making.head),
      // From here on the island may not go back behind it.
      ...(own.proved ? [provedRow(own.proved, now())] : []),
      ...(enrolment?.put ?? []),
      ...(making.codes ? [unshownRow(making.codes)] : []),
    ],
  });
  return next;
}

/**
 * Makes what is to be sent, if that was not done before, and sends it until there is an answer; makes it
 * anew when another device was first. Throws what `making` throws, `joined_unheard`, `devices_full`, and
 * what the island says against it.
 */
export async function finish(
  leave: Leave,
  making: (own: OwnAccount) => Promise<Making>,
): Promise<Joined> {
  const { joining } = leave;
  const insisting = { signal: joining.signal, onWaiting: () => joining.report?.('waiting') };
  for (let attempt = 0; ; attempt++) {
    try {
      if (!leave.row.made) {
        const own = await insist(() => readAll(leave), insisting);
        await mustBeOutside(leave, own);
        leave.row = await make(leave, own, await making(own));
      }
      return await settle(leave, await insist(() => send(leave), insisting));
    } catch (error) {
      if (!(error instanceof Fault) || !overtaken.has(error.code) || attempt === tries) throw error;
      const { made: _void, ...row } = leave.row;
      leave.row = row;
    }
  }
}

/** A list that names this device already: the island took it, and others came after. */
async function mustBeOutside({ joining, row }: Leave, { newest }: OwnAccount): Promise<void> {
  const held = await readAccount(joining.storage);
  const dsk = held && ed25519.fromSeed(held.dsk).public;
  if (dsk && newest.devices.some((cert) => equal(cert.dsk, dsk)))
    throw new Problem('joined_unheard', { name: row.name });
}

/** What is kept of an account that was checked against a code or a device. */
export const seenOf = ({ newest, record }: OwnAccount): Secrets['seen'] => ({
  list: newest.hash,
  record: record.hash,
  version: record.version,
});

/**
 * Whether what a code or a device gave is of this record. It may be newer than what was checked, never
 * older: a list that follows from an older one would be a fork, signed with the account's own key. Throws
 * `list_rolled_back`, `record_rolled_back`.
 */
export function isPresent({ way, newest, record }: OwnAccount, secrets: Secrets): boolean {
  const { seen, aik, arkEpoch } = secrets;
  const { name } = newest;
  if (!way.some(({ hash }) => equal(hash, seen.list)))
    throw new Problem('list_rolled_back', { name });
  if (record.version <= seen.version && !equal(record.hash, seen.record))
    throw new Problem('record_rolled_back', { name });
  return equal(ed25519.fromSeed(aik).public, newest.aik) && record.arkEpoch === arkEpoch;
}

/** What was given is of no use any more: nothing of the joining stays. */
export async function overtakenBy({ joining, row }: Leave): Promise<Problem> {
  await forgetJoining(joining.storage);
  return new Problem('joining_overtaken', { name: row.name });
}

async function send(leave: Leave) {
  const { joining, transport, row, token } = leave;
  const { storage, signal } = joining;
  const held = await readAccount(storage);
  if (!held || !row.made) throw new Fault('internal');
  const self = openAccount(held);
  const { record } = await needKeys(storage);
  const { account, device, dsk, list } = self;
  const { shares } = row.made;
  joining.report?.('registering');
  return withNonce(
    transport,
    async (nonce) => {
      const claim = { nonce, account, device, use: proofUses.join, about: list.hash };
      const request = {
        device,
        ...(await enrolmentOf({ storage, transport, ...(signal && { signal }) }, self)),
        ...keepingText(record, shares),
        nonce: base64url(nonce),
        deviceProof: base64url(proveDevice(dsk, claim)),
      };
      return call(transport, 'join', request, { token, ...(signal && { signal }) });
    },
    signal,
  );
}

async function settle(
  { joining, row }: Leave,
  tokens: { access: string; refresh: string },
): Promise<Joined> {
  const { storage, now } = joining;
  const held = await readAccount(storage);
  if (!held || !row.made) throw new Fault('internal');
  const batch = await registeredBatch(storage, held, tokens, now());
  await storage.commit({ ...batch, remove: [...(batch.remove ?? []), joiningPlace] });
  const { codesLeft, resets } = row.made;
  return { account: { ...held, state: 'registered' }, codesLeft, resets };
}
