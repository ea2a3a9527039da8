/** Who has which devices: every epoch of every list, and the names that lead to them. docs/protocol/directory.md §1 */
import { type DeviceListState, readState } from '@island/protocol/crypto/account-state.ts';
import type { DeviceList } from '@island/protocol/crypto/device-list.ts';
import { Reader } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId, type DeviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { and, asc, desc, eq, gt, notExists } from 'drizzle-orm';
import type { Database } from './database.ts';
import { endings, lists, names } from './schema.ts';

/** The bytes of the newest epoch. Throws `unknown_person`, also of an account that was ended. */
export async function currentList(db: Database, account: AccountId): Promise<Uint8Array> {
  const [row] = await db
    .select({ bytes: lists.bytes })
    .from(lists)
    .where(
      and(
        eq(lists.account, account),
        notExists(db.select().from(endings).where(eq(endings.account, account))),
      ),
    )
    .orderBy(desc(lists.epoch))
    .limit(1);
  if (row === undefined) throw new Fault('unknown_person');
  return row.bytes;
}

/** The lists behind an epoch, ascending, as many as one answer has. */
export async function listsAfter(
  db: Database,
  account: AccountId,
  after: number,
): Promise<Uint8Array[]> {
  const rows = await db
    .select({ bytes: lists.bytes })
    .from(lists)
    .where(and(eq(lists.account, account), gt(lists.epoch, after)))
    .orderBy(asc(lists.epoch))
    .limit(limits.listsPerAnswer);
  return rows.map(({ bytes }) => bytes);
}

/** Throws `unknown_person` for an epoch that there was not. */
export async function listAt(db: Database, account: AccountId, epoch: number): Promise<Uint8Array> {
  const [row] = await db
    .select({ bytes: lists.bytes })
    .from(lists)
    .where(and(eq(lists.account, account), eq(lists.epoch, epoch)));
  if (row === undefined) throw new Fault('unknown_person');
  return row.bytes;
}

/** Who has the name. Throws `unknown_person`. */
export async function findByName(db: Database, name: string): Promise<AccountId> {
  const [row] = await db.select().from(names).where(eq(names.name, name));
  if (row === undefined) throw new Fault('unknown_person');
  return accountId(row.account);
}

/** What the newest epoch says; its signatures were verified before it was stored. */
export const currentState = async (db: Database, account: AccountId): Promise<DeviceListState> =>
  readState(new Reader(await currentList(db, account)));

const idsOf = ({ devices }: DeviceListState): DeviceId[] => devices.map(({ device }) => device);

export async function devicesOf(
  db: Database,
  account: AccountId,
): Promise<{ epoch: number; devices: DeviceId[] }> {
  const state = await currentState(db, account);
  return { epoch: state.epoch, devices: idsOf(state) };
}

/** With the devices of an epoch that are still there: of the one that is published. 0 stands for none. */
export async function devicesSince(db: Database, account: AccountId, published: number) {
  const { epoch, devices } = await devicesOf(db, account);
  const known = published === 0 ? [] : published >= epoch ? devices : await devicesAt();
  const required = devices.filter((device) => known.includes(device));
  // What was published since the newest list was read is not newer than that list.
  return { epoch, devices, published: Math.min(published, epoch), required };

  async function devicesAt(): Promise<DeviceId[]> {
    const [row] = await db
      .select({ bytes: lists.bytes })
      .from(lists)
      .where(and(eq(lists.account, account), eq(lists.epoch, published)));
    return row === undefined ? [] : idsOf(readState(new Reader(row.bytes)));
  }
}

/** The device's public signing key (DSK). Throws `unknown_device` when it is not on the list. */
export async function signingKeyOf(
  db: Database,
  account: AccountId,
  device: DeviceId,
): Promise<Uint8Array> {
  const { devices } = await currentState(db, account);
  const cert = devices.find((entry) => entry.device === device);
  if (cert === undefined) throw new Fault('unknown_device');
  return cert.dsk;
}

/** Adds the next epoch; those before stay as they are. */
export const addList = (db: Database, { account, epoch, bytes, hash }: DeviceList) =>
  db.insert(lists).values({ account, epoch, bytes: Buffer.from(bytes), hash: Buffer.from(hash) });
