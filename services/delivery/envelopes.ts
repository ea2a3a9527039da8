/** Envelopes in their mailboxes: stored, and forgotten. docs/protocol/dm.md §7 */
import type { DeviceId, DeviceKey, EnvelopeId } from '@island/protocol/wire/ids.ts';
import type { SqlValue, Statements } from '../kit/store-handle.ts';
import type { Sealer } from './bodies.ts';
import type { Box } from './boxes.ts';
import { inGroups, marks } from './row-groups.ts';

export interface Envelope {
  device: DeviceId;
  id: EnvelopeId;
  body: Uint8Array;
}

/** An envelope that was stored, and where. */
export interface Mail {
  mailbox: DeviceKey;
  seq: number;
  id: EnvelopeId;
  /** Whether it came without the recipient's delivery key. */
  request: boolean;
  body: Uint8Array;
}

/** Up to which place a mailbox is forgotten. */
export interface Floor {
  mailbox: Uint8Array;
  seq: number;
}

/** Puts mail into its boxes, which say how far they have come. */
export async function insert(
  mail: readonly Mail[],
  boxes: ReadonlyMap<DeviceKey, Box>,
  sql: Statements,
  { day, seal }: Sealer,
): Promise<void> {
  const touched = new Map<DeviceKey, Box>();
  const rows = mail.map(({ mailbox, seq, id, request, body }) => {
    const box = boxes.get(mailbox);
    if (box === undefined) throw new TypeError('mail for a mailbox that was not loaded');
    touched.set(mailbox, box);
    const row = { key: box.key, seq, id: Buffer.from(id, 'hex'), request: Number(request) };
    return { ...row, body: seal(row.key, seq, row.id, body) };
  });
  for (const group of inGroups([...touched.values()])) {
    await sql.run(
      `INSERT INTO mailboxes (mailbox, head, floor) VALUES ${marks('(?,?,?)', group)}
       ON CONFLICT (mailbox) DO UPDATE SET head = excluded.head`,
      group.flatMap(({ key, head, floor }) => [key, head, floor]),
    );
  }
  for (const group of inGroups(rows)) {
    await sql.run(
      `INSERT INTO envelopes (mailbox, seq, id, body, day, request) VALUES ${marks('(?,?,?,?,?,?)', group)}`,
      group.flatMap(({ key, seq, id, request, body }): SqlValue[] => [
        key,
        seq,
        id,
        body,
        day,
        request,
      ]),
    );
    await sql.run(
      `INSERT INTO accepted (id, mailbox, gone) VALUES ${marks('(?,?,NULL)', group)}`,
      group.flatMap(({ key, id }) => [id, key]),
    );
  }
}

/** Deletes the envelopes, remembers their ids, moves the floor. */
export async function forget(
  floors: readonly Floor[],
  sql: Statements,
  day: number,
): Promise<void> {
  const upTo = new Map<string, Floor>();
  for (const { mailbox, seq } of floors) {
    const name = Buffer.from(mailbox).toString('hex');
    if (seq > (upTo.get(name)?.seq ?? 0)) upTo.set(name, { mailbox, seq });
  }
  for (const group of inGroups([...upTo.values()], true)) {
    const pairs = group.flatMap(({ mailbox, seq }) => [mailbox, seq]);
    const given = `(VALUES ${marks('(?,?)', group)}) AS given`;
    const gone = `${given} CROSS JOIN envelopes AS e ON e.mailbox = given.column1 AND e.seq <= given.column2`;
    await sql.run(
      `UPDATE accepted SET gone = ? WHERE (id, mailbox) IN (SELECT e.id, e.mailbox FROM ${gone})`,
      [day, ...pairs],
    );
    await sql.run(
      `DELETE FROM envelopes WHERE (mailbox, seq) IN (SELECT e.mailbox, e.seq FROM ${gone})`,
      pairs,
    );
    await sql.run(
      `UPDATE mailboxes SET floor = max(floor, min(head, given.column2)) FROM ${given}
       WHERE mailboxes.mailbox = given.column1`,
      pairs,
    );
  }
}
