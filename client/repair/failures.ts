/**
 * What a message that did not open, and everything that opens after it, does to the repair of its device.
 * docs/protocol/ratchet.md §9.1, §9.6
 *
 * Only what a device on the accepted list may have sent gets here, and never what is itself part of a repair.
 */
import { equal, sha256 } from '@island/protocol/crypto/primitives.ts';
import type { Fate } from '@island/protocol/crypto/repair-body.ts';
import { sessionIdOf } from '@island/protocol/crypto/session.ts';
import { type DeviceKey, deviceKey } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { isKnown } from '../archive/rows.ts';
import type { Sender } from '../receiving/senders.ts';
import type { Append, Place, Storage } from '../storage/storage.ts';
import {
  heldSince,
  lostRow,
  placeholderPlaces,
  placeholderRow,
  placeholders,
} from './placeholders.ts';
import { repairLimits } from './repair-limits.ts';
import { type Failure, failing, type RepairChanges, without } from './repairs.ts';

/** The commit that it becomes part of. */
export interface Repairing {
  storage: Storage;
  repairs: RepairChanges;
  append: Append[];
  remove: Place[];
  now: () => number;
}

export const keyOfSender = ({ party }: Sender): DeviceKey => deviceKey(party.account, party.device);

/** A session message of this device did not open: it will be asked for, and stands in the history as such. */
export async function noteFailure(
  repairing: Repairing,
  sender: Sender,
  what: { id: string; message: Uint8Array; reason: string },
): Promise<void> {
  const { repairs, append, now } = repairing;
  const key = keyOfSender(sender);
  const before = (await repairs.all()).get(key);
  const hash = sha256(what.message);
  if (before?.failed.some((each) => equal(each.hash, hash))) return;
  const full = (before?.failed.length ?? 0) >= repairLimits.failures;
  // What our own devices tell each other lies in the archive, too: nobody has to hear of it.
  if (full && sender.own) return;
  const { account, device } = sender.party;
  const { name } = sender.person;
  const failed = { hash, session: sessionIdOf(what.message) };
  await repairs.change(key, failing(before, { account, device, name }, failed, now()));
  if (full || sender.own) return;
  const { id, reason } = what;
  append.push(placeholderRow(key, hash, { id, claims: name, reason, receivedAt: now() }));
}

/** Something of this device opened in a session: if another one failed, they are in touch again. */
export async function noteOpened(
  { repairs }: Repairing,
  sender: Sender,
  session: Uint8Array,
): Promise<void> {
  const key = keyOfSender(sender);
  const repair = (await repairs.all()).get(key);
  if (!repair || repair.failed.length === 0 || equal(repair.session, session)) return;
  if (repair.works && equal(repair.works, session)) return;
  const state = repair.state === 'resync' ? 'resend' : repair.state;
  await repairs.change(key, { ...repair, state, works: new Uint8Array(session) });
}

/** A message came: if it was asked for, its placeholder ends. Answers since when that was there. */
export async function noteArrived(
  repairing: Repairing,
  sender: Sender,
  id: string,
): Promise<number | undefined> {
  const repair = (await repairing.repairs.all()).get(keyOfSender(sender));
  if (!repair?.failed.some((each) => each.id === id)) return undefined;
  return settleFailures(repairing, keyOfSender(sender), (each) =>
    each.id === id ? 'recovered' : undefined,
  );
}

/** The device says what becomes of what it was asked for. */
export async function receiveFates(
  repairing: Repairing,
  sender: Sender,
  fates: readonly Fate[],
  arrived: (id: string) => boolean,
): Promise<void> {
  const { repairs, storage } = repairing;
  const key = keyOfSender(sender);
  const repair = (await repairs.all()).get(key);
  if (!repair) return;
  const said = new Map(fates.map((fate) => [hex(fate.hash), fate]));
  const here = new Set<string>();
  for (const fate of fates) {
    if (fate.fate !== 'follows') continue;
    const id = hex(fate.id);
    const identity = { direction: 'in', peer: sender.party.account, id } as const;
    if (arrived(id) || (await isKnown(storage, identity))) here.add(id);
  }
  const failed = repair.failed.map((each): Failure => {
    const fate = said.get(hex(each.hash));
    return fate?.fate === 'follows' ? { ...each, id: hex(fate.id) } : each;
  });
  await repairs.change(key, { ...repair, failed });
  await settleFailures(repairing, key, (each) => {
    const fate = said.get(hex(each.hash))?.fate;
    if (fate === undefined) return undefined;
    if (fate === 'gone') return 'lost';
    const settled = fate === 'nothing' || sender.own || here.has(each.id ?? '');
    return settled ? 'recovered' : undefined;
  });
}

/** Ends failures of a device with their placeholders; what is lost is counted and said once. */
export async function settleFailures(
  { storage, repairs, append, remove, now }: Repairing,
  device: DeviceKey,
  outcome: (failure: Failure) => 'recovered' | 'lost' | undefined,
): Promise<number | undefined> {
  const repair = (await repairs.all()).get(device);
  if (!repair) return undefined;
  const settled = repair.failed.filter((each) => outcome(each) !== undefined);
  const next = without(repair, (each) => settled.includes(each));
  const lost = new Set<string>();
  let since: number | undefined;
  const held = settled.length > 0 ? await placeholders(storage) : [];
  for (const each of settled) {
    const hash = hex(each.hash);
    const found = held.find((one) => one.device === device && one.hash === hash);
    if (!found) continue;
    remove.push(...placeholderPlaces(found.place));
    if (outcome(each) === 'lost') lost.add(each.id ?? hash);
    since ??= await heldSince(storage, found.place);
  }
  const count = lost.size + (next.state === 'ok' ? repair.more : 0);
  if (count > 0) append.push(lostRow(repair.name, count, now()));
  await repairs.change(device, next);
  return since;
}
