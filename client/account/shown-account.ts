/**
 * What the island shows of one's own account: the device lists up to the newest, and the record of the
 * keys that goes with it. docs/protocol/devices.md §5, keys.md §6
 *
 * Nothing of it is believed before it is checked: each list follows from the one before, the record is
 * made under the newest list and signed by its identity key.
 */
import { has } from '@island/protocol/crypto/account-state.ts';
import { type DeviceList, openDeviceList } from '@island/protocol/crypto/device-list.ts';
import {
  type KeyRecord,
  openKeyRecord,
  readKeyRecord,
} from '@island/protocol/crypto/key-record.ts';
import { checkRecordList } from '@island/protocol/crypto/key-record-order.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { type EventStep, nothingKnown } from '@island/protocol/transparency/event-chain.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { backoff, pause } from '../backoff.ts';
import { Problem, refusing } from '../problem.ts';
import type { Session } from '../sign-in/session.ts';
import type { Proved } from '../transparency/proved.ts';
import type { ProvedPerson, Proving } from '../transparency/proving.ts';
import { followHistory, mostChanges, openListOf } from './device-history.ts';

/** Asks a route with a token, of a session or of a joining. */
export type Ask = Session['call'];

export interface OwnAccount {
  /** The lists after the known one; all of them, if none was known. */
  way: readonly DeviceList[];
  newest: DeviceList;
  record: KeyRecord;
  /** Code slots of the record that the island says were used; it can't invent any. */
  used: readonly Uint8Array[];
  /** The newest list as the log proves it; `undefined` while the log does not have it yet. */
  proved: ProvedPerson | undefined;
}

export interface Asking {
  ask: Ask;
  proving: Proving;
  name: string;
  account: AccountId;
  /** The newest list that is known here, and what the log has proved of it; without it the history is followed from the first list on. */
  known?: { list: DeviceList; proved: Proved | undefined };
  resets: 'refused' | 'accepted';
  signal?: AbortSignal;
}

/** While a change is being taken in, the list may be newer than the record for a moment. */
const tries = 5;

/**
 * Throws what `followHistory` throws, `list_invalid` for somebody else's list, and `record_rolled_back`,
 * `record_differs` or `record_unsigned` for a record that is not the one of the newest list.
 */
export async function readOwnAccount(asking: Asking): Promise<OwnAccount> {
  const { ask, name, signal } = asking;
  for (let attempt = 0; ; attempt++) {
    const { newest, way, proved } = await readLists(asking);
    const { record: bytes, used } = await ask('record', {}, options(asking));
    const form = refusing('record_unsigned', name, () => readKeyRecord(bytes));
    if (form.listEpoch === newest.epoch || attempt === tries) {
      if (form.listEpoch < newest.epoch) throw new Problem('record_rolled_back', { name });
      refusing('record_differs', name, () => checkRecordList(form, newest));
      const record = refusing('record_unsigned', name, () => openKeyRecord(bytes, newest.aik));
      const named = used.filter((gone) => record.slots.some(({ loc }) => equal(loc, gone)));
      return { way, newest, record, used: named, proved };
    }
    await pause(backoff(attempt), signal);
    signal?.throwIfAborted();
  }
}

const options = ({ signal }: Asking) => (signal ? { signal } : {});

async function readLists(asking: Asking): Promise<Pick<OwnAccount, 'newest' | 'way' | 'proved'>> {
  const { ask, proving, name, account, known, resets, signal } = asking;
  const shown = await proving.person(
    name,
    async () => (await ask('proof', {}, { path: { name }, ...options(asking) })).answer,
    signal,
  );
  const steps = async (after: number) =>
    (await ask('history', {}, { path: { name, after: String(after) }, ...options(asking) })).steps;
  const newest = openListOf(name, shown);
  if (newest.account !== account) throw new Problem('list_invalid', { name });
  const way: DeviceList[] = [];
  const passing = (list: DeviceList) => void way.push(list);
  if (known) {
    const { epoch, bytes } = known.list;
    // What a device of this account has put on the island just now, the witnesses may not have signed yet.
    if (newest.epoch < epoch && newest.epoch >= (known.proved?.version ?? 0)) {
      await mustLeadHere(asking, known, newest, shown, steps);
      return { newest: known.list, way, proved: undefined };
    }
    const eventHash = known.proved?.version === epoch ? known.proved.eventHash : undefined;
    const lists = () =>
      proving.lists(name, { version: epoch, list: bytes, eventHash }, shown, steps);
    await followHistory({ name, known: known.list, newest, lists, resets, passing });
    return { newest, way, proved: shown };
  }
  if (newest.epoch - 1 > mostChanges) throw new Problem('history_long', { name });
  const all = await proving.lists(name, beforeAll, shown, steps);
  const first = refusing('history_broken', name, () => {
    const list = openDeviceList(all[0] ?? new Uint8Array(0));
    if (!has(list, 'register') || list.account !== account) throw new Fault('list_broken');
    return list;
  });
  way.push(first);
  const lists = async () => all.slice(1);
  await followHistory({ name, known: first, newest, lists, resets, passing });
  return { newest, way, proved: shown };
}

/** An older list is one that the known list comes from, as far as this home can tell. Throws as `Proving.lists`, and `list_invalid`. */
async function mustLeadHere(
  { proving, name }: Asking,
  { list, proved }: NonNullable<Asking['known']>,
  older: DeviceList,
  shown: ProvedPerson,
  steps: (after: number) => Promise<readonly EventStep[]>,
): Promise<void> {
  if (older.epoch === list.epoch - 1 && !equal(older.hash, list.prevHash))
    throw new Problem('list_invalid', { name });
  if (proved) await proving.lists(name, { ...proved, list: list.bytes }, shown, steps);
}

/** The version before the first: its hash is zeros. */
const beforeAll = { ...nothingKnown, list: new Uint8Array(0) };
