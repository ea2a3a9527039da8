/**
 * The first device of a new account. Everything that the device signed is verified before anything
 * is stored, and all of it is stored in one transaction. docs/protocol/directory.md §2
 */
import { createHash } from 'node:crypto';
import { certHash, checkDikProof, dayOf } from '@island/protocol/crypto/device.ts';
import { type DeviceList, openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { accountLabel, nameLabel } from '@island/protocol/transparency/label.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { eq } from 'drizzle-orm';
import type { Bus } from '../kit/bus.ts';
import type { Clock } from '../kit/clock.ts';
import type { CallRequest } from '../kit/contract.ts';
import type { Statements } from '../kit/store-handle.ts';
import type { Challenges } from './challenges.ts';
import { directory } from './contract.ts';
import type { Database, DirectoryStore } from './database.ts';
import { addList } from './device-lists.ts';
import { isLabelUsed } from './log/erased-labels.ts';
import type { DirectoryLog } from './log/log.ts';
import { addListEvent, addNameEvent } from './log/log-events.ts';
import { openPrekeys } from './prekey-check.ts';
import { storePrekeys } from './prekeys.ts';
import { enrolments, names } from './schema.ts';

export type EnrolRequest = CallRequest<typeof directory, 'enrol'>;

export interface Enrolment {
  store: DirectoryStore;
  bus: Bus;
  clock: Clock;
  challenges: Challenges;
  log: Pick<DirectoryLog, 'settled' | 'placeOf'>;
}

/** Resolves once it is published, or after a while: it is on the disk then. */
export async function enrol(tools: Enrolment, request: EnrolRequest): Promise<void> {
  await storeEnrolment(tools, request);
  await tools.log.settled();
}

async function storeEnrolment(tools: Enrolment, request: EnrolRequest): Promise<void> {
  const { store, bus, clock, challenges } = tools;
  const { name, account, device } = request;
  const hash = enrolmentHash(request);
  // A repetition is recognised before its challenge is looked at: that may be long gone.
  if (await isEnrolled(store.read, account, hash)) return;
  const list = openDeviceList(request.list);
  const cert = onlyDevice(list, request);
  checkDikProof(challenges.pairOf(request.challenge), cert.dik, certHash(cert), request.proof);
  const prekeys = openPrekeys(request, cert.dsk, dayOf(clock.now()));
  const labels = await labelsOf(tools, request);
  const added = await store.write(async (db, sql) => {
    if (await isEnrolled(db, account, hash)) return false;
    await checkUnused(sql, labels);
    await db.insert(enrolments).values({ account, hash });
    await takeName(db, name, account);
    await addList(db, list);
    await addListEvent(sql, list);
    await addNameEvent(sql, name, list.account);
    await storePrekeys(db, { account, device }, prekeys, Math.floor(clock.now() / 1000));
    return true;
  });
  if (added) bus.publish(directory, 'changed', account, { epoch: list.epoch });
}

function enrolmentHash({ list, signedPrekey, lastResort, batch }: EnrolRequest): Buffer {
  const hash = createHash('sha256');
  for (const part of [list, signedPrekey, lastResort, batch]) {
    hash.update(createHash('sha256').update(part).digest());
  }
  return hash.digest();
}

/** Throws `account_exists` when the account was enrolled with anything else. */
async function isEnrolled(db: Database, account: string, hash: Buffer): Promise<boolean> {
  const [row] = await db.select().from(enrolments).where(eq(enrolments.account, account));
  if (row === undefined) return false;
  if (!row.hash.equals(hash)) throw new Fault('account_exists');
  return true;
}

/** The first list names exactly the account, the person and the device that ask. */
function onlyDevice(list: DeviceList, { name, account, device }: EnrolRequest) {
  const [cert, ...others] = list.devices;
  const fits =
    list.epoch === 1 &&
    list.account === account &&
    list.name === name &&
    cert?.device === device &&
    others.length === 0;
  if (!fits) throw new Fault('malformed');
  return cert;
}

interface Labels {
  name: { label: Uint8Array; place: Uint8Array };
  account: { label: Uint8Array; place: Uint8Array };
}

async function labelsOf({ log }: Enrolment, { name, account }: EnrolRequest): Promise<Labels> {
  const named = nameLabel(name);
  const own = accountLabel(account);
  return {
    name: { label: named, place: await log.placeOf(named) },
    account: { label: own, place: await log.placeOf(own) },
  };
}

/** A label that was erased has no second life: its erasure is its last event. */
async function checkUnused(sql: Statements, { name, account }: Labels): Promise<void> {
  if (await isLabelUsed(sql, account.label, account.place)) throw new Fault('account_exists');
  if (await isLabelUsed(sql, name.label, name.place)) throw new Fault('name_taken');
}

async function takeName(db: Database, name: string, account: string): Promise<void> {
  const taken = await db.select().from(names).where(eq(names.name, name));
  if (taken.length > 0) throw new Fault('name_taken');
  await db.insert(names).values({ name, account });
}
