/**
 * The account of this home as it is now: what other devices of the account changed is checked against what
 * is known here, and adopted. docs/protocol/keys.md §6, devices.md §5
 */
import { type DeviceList, openDeviceList } from '@island/protocol/crypto/device-list.ts';
import {
  type KeyRecord,
  openKeyRecord,
  readKeyRecord,
} from '@island/protocol/crypto/key-record.ts';
import { checkNewerRecord, codesAnew } from '@island/protocol/crypto/key-record-order.ts';
import { openDeviceSlot } from '@island/protocol/crypto/key-slots.ts';
import { equal, x25519 } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type Head, vouchedFor } from '../archive/rows.ts';
import { Problem, refusing } from '../problem.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';
import { isEnded } from '../transparency/ended.ts';
import { unlatched } from '../transparency/latch.ts';
import { type Proved, provedOf, provedRow } from '../transparency/proved.ts';
import { openProving } from '../transparency/proving.ts';
import type { Transport } from '../transport/transport.ts';
import { type AccountRecord, accountKey, accountRow, decodeAccount } from './account.ts';
import {
  arkFor,
  type Keyring,
  keyringOf,
  keysPlace,
  keysRow,
  readKeyring,
} from './account-keys.ts';
import { slotsLeft } from './next-record.ts';
import { type Ask, type OwnAccount, readOwnAccount } from './shown-account.ts';
import { noteChanges, type OwnChange } from './untold-changes.ts';

export interface Present {
  self: AccountRecord;
  list: DeviceList;
  record: KeyRecord;
  keys: Keyring;
  /** Code slots of the record that were used. */
  used: readonly Uint8Array[];
}

/** What is needed to ask for the own account and to keep what comes. */
export interface Adopting {
  storage: Storage;
  session: { call: Ask; transport: Transport };
  /** Unix milliseconds. */
  now: () => number;
  signal?: AbortSignal;
}

interface Here {
  self: AccountRecord;
  list: DeviceList;
  keys: Keyring;
  /** What the log has proved of the account. */
  proved: Proved | undefined;
  /** That these are the rows still, and the directory was not caught meanwhile. */
  expect: { namespace: string; key: string; version: number }[];
}

async function readHere(storage: Storage): Promise<Here> {
  const account = await storage.read(accountKey.namespace, accountKey.key);
  const row = await storage.read(keysPlace.namespace, keysPlace.key);
  if (!account || !row) throw new Problem('not_registered', { home: storage.place });
  const self = decodeAccount(account);
  return {
    self,
    list: openDeviceList(self.list),
    keys: readKeyring(row),
    proved: await provedOf(storage, self.account),
    expect: [
      { ...accountKey, version: account.version },
      { ...keysPlace, version: row.version },
      unlatched,
    ],
  };
}

/** As this home knows it, without asking. */
export async function presentHere(storage: Storage): Promise<Present> {
  const { self, list, keys } = await readHere(storage);
  return { self, list, keys, record: openKeyRecord(keys.record, list.aik), used: [] };
}

/**
 * Throws `device_removed` when another device removed this one, which is remembered; `account_reset` when
 * the island says that the account was begun anew; for lists and records that do not follow from what is
 * known what `readOwnAccount` throws, `record_rolled_back`, `record_differs` and `record_closed`;
 * `archive_rolled_back`, once, when another device has read another archive than this one.
 */
export async function adoptOwnAccount(
  adopting: Adopting,
): Promise<Present & { changes: OwnChange[] }> {
  const { head, ...adopted } = await adopt(adopting);
  // What was adopted stays: by it the person can remove whoever vouches for what is not there.
  if (head) await vouchedFor(adopting.storage, head);
  return adopted;
}

const adopt = (
  adopting: Adopting,
): Promise<Present & { changes: OwnChange[]; head?: Head | undefined }> =>
  untilCommitted(async () => {
    const { storage, now } = adopting;
    const here = await readHere(storage);
    const { self, keys } = here;
    const own = await ask(adopting, here);
    const { newest, record, used } = own;
    const put =
      own.proved && own.proved.state.version !== here.proved?.version
        ? [provedRow(own.proved, now())]
        : [];
    if (!newest.devices.some(({ device }) => device === self.device)) {
      const removed = accountRow({ ...self, list: newest.bytes });
      await storage.commit({ put: [removed, ...put], expect: here.expect });
      throw new Problem('device_removed', { name: self.name, device: self.device });
    }
    const seen = keys.used?.count ?? 0;
    if (equal(record.hash, keys.hash) && used.length <= seen) {
      if (put.length > 0) await storage.commit({ put, expect: [unlatched] });
      return { ...here, list: newest, record, used, changes: [] };
    }

    const fresh = equal(record.hash, keys.hash) ? undefined : open(here, record);
    const next: AccountRecord = {
      ...self,
      list: newest.bytes,
      codes: record.codes,
      ...(fresh && { aik: fresh.aik }),
    };
    const keyring: Keyring = {
      ...(fresh?.keys ?? keys),
      ...(used.length > 0 && { used: { count: used.length, since: now() } }),
    };
    const changes = changesOf(here, own);
    await storage.commit({
      put: [accountRow(next), keysRow(keyring), ...put],
      append: noteChanges(changes),
      expect: here.expect,
    });
    return { self: next, list: newest, record, keys: keyring, used, changes, head: fresh?.head };
  });

async function ask(
  { storage, session, now, signal }: Adopting,
  { self, list, proved }: Here,
): Promise<OwnAccount> {
  const { name, account } = self;
  try {
    return await readOwnAccount({
      ask: session.call,
      proving: openProving({ storage, transport: session.transport, now }),
      name,
      account,
      known: { list, proved },
      resets: 'refused',
      ...(signal && { signal }),
    });
  } catch (cause) {
    if (isEnded(cause)) throw new Problem('account_ended', { name }, { cause });
    if (!(cause instanceof Problem) || cause.code !== 'identity_changed') throw cause;
    throw new Problem('account_reset', { name }, { cause });
  }
}

/** What a newer record holds for this device, if it follows from the known one. */
function open(
  { self, keys }: Here,
  record: KeyRecord,
): { aik: Uint8Array; keys: Keyring; head: Head } {
  const { name } = self;
  try {
    checkNewerRecord(readKeyRecord(keys.record), record);
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
    const code = cause.code === 'stale_record' ? 'record_rolled_back' : 'record_differs';
    throw new Problem(code, { name }, { cause });
  }
  return refusing('record_closed', name, () => {
    const secrets = openDeviceSlot(record, self.device, x25519.fromPrivate(self.dik));
    const next = keyringOf(record, secrets.ark);
    const known = [...keys.former, keys.ark];
    const kept = known.every((ark, i) => {
      const epoch = keys.firstEpoch + i;
      return epoch < next.firstEpoch || equal(ark, arkFor(next, epoch) ?? new Uint8Array(0));
    });
    if (!kept) throw new Fault('record_broken');
    return { aik: secrets.aik.private, keys: next, head: secrets.head };
  });
}

/** What a person should hear of. */
function changesOf({ list, keys }: Here, { way, record, used }: OwnAccount): OwnChange[] {
  const changes: OwnChange[] = [];
  let last = list;
  for (const next of way) {
    for (const { device, addedDay } of next.devices) {
      if (!last.devices.some((cert) => cert.device === device))
        changes.push({ type: 'added', device, day: addedDay });
    }
    for (const { device, day } of next.revoked) {
      if (!last.revoked.some((gone) => gone.device === device))
        changes.push({ type: 'removed', device, day });
    }
    last = next;
  }
  const before = readKeyRecord(keys.record);
  const left = slotsLeft(record, used);
  const goneBefore = keys.used?.count ?? 0;
  const anew = codesAnew(before, record);
  // Each of these may bring a new archive key; whoever makes more of them wants something else.
  const gone = anew ? 1 : before.slots.length - record.slots.length;
  const rotated = record.arkEpoch - keys.arkEpoch - changes.length - gone;
  if (rotated > 0) changes.push({ type: 'rotated', times: rotated });
  if (anew) changes.push({ type: 'codes', left: left.length });
  else if (left.length < before.slots.length - goneBefore)
    changes.push({ type: 'code-used', left: left.length });
  return changes;
}
