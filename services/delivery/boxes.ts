/** Mailboxes as the puts of a group are judged by them: how far each has come, how much of it waits. docs/protocol/dm.md §7 */
import {
  type AccountId,
  type DeviceId,
  type DeviceKey,
  deviceKey,
} from '@island/protocol/wire/ids.ts';
import type { Statements } from '../kit/store-handle.ts';
import { inGroups, marks } from './row-groups.ts';

export interface Box {
  key: Buffer;
  head: number;
  floor: number;
  /** Requests that wait; counted only where one more comes. */
  requests: number;
}

/** `account 16 ‖ u32 device`. */
export function mailboxOf(account: AccountId, device: DeviceId): Buffer {
  const key = Buffer.alloc(20);
  key.write(account, 'hex');
  key.writeUInt32BE(device, 16);
  return key;
}

export const emptyBox = (key: Buffer): Box => ({ key, head: 0, floor: 0, requests: 0 });

/** What asks for boxes. */
interface Asking {
  account: AccountId;
  envelopes: readonly { device: DeviceId }[];
  paid: { readonly request: boolean };
}

export async function loadBoxes(
  puts: readonly Asking[],
  sql: Statements,
): Promise<Map<DeviceKey, Box>> {
  const keys = new Map<string, { key: Buffer; name: DeviceKey }>();
  for (const { account, envelopes } of puts) {
    for (const { device } of envelopes) {
      const key = mailboxOf(account, device);
      keys.set(key.toString('hex'), { key, name: deviceKey(account, device) });
    }
  }
  const boxes = new Map<DeviceKey, Box>();
  for (const group of inGroups(
    [...keys.values()].map(({ key }) => key),
    true,
  )) {
    const rows = await sql.rows<{ mailbox: Buffer; head: number; floor: number }>(
      `SELECT mailbox, head, floor FROM mailboxes WHERE mailbox IN (${marks('?', group)})`,
      group,
    );
    for (const { mailbox, head, floor } of rows) {
      const name = keys.get(mailbox.toString('hex'))?.name;
      if (name !== undefined) boxes.set(name, { ...emptyBox(mailbox), head, floor });
    }
  }
  const asking = puts.filter(({ paid }) => paid.request);
  const asked = new Set(
    asking.flatMap(({ account, envelopes }) =>
      envelopes.map(({ device }) => deviceKey(account, device)),
    ),
  );
  await countRequests([...asked].map((name) => boxes.get(name)).filter(isBox), sql);
  return boxes;
}

const isBox = (box: Box | undefined): box is Box => box !== undefined;

async function countRequests(boxes: readonly Box[], sql: Statements): Promise<void> {
  const byKey = new Map(boxes.map((box) => [box.key.toString('hex'), box]));
  for (const group of inGroups(boxes, true)) {
    const rows = await sql.rows<{ mailbox: Buffer; requests: number }>(
      `SELECT mailbox, count(*) AS requests FROM envelopes
       WHERE mailbox IN (${marks('?', group)}) AND request = 1 GROUP BY mailbox`,
      group.map(({ key }) => key),
    );
    for (const { mailbox, requests } of rows) {
      const box = byKey.get(mailbox.toString('hex'));
      if (box !== undefined) box.requests = requests;
    }
  }
}
