/** Which envelopes were accepted before: what a sender repeats is stored, and paid for, once. docs/protocol/dm.md §7 */
import { type AccountId, deviceKey, type EnvelopeId } from '@island/protocol/wire/ids.ts';
import type { Statements } from '../kit/store-handle.ts';
import type { Envelope } from './envelopes.ts';
import { inGroups, marks } from './row-groups.ts';

/** What is put into the mailboxes of one account. */
interface Put {
  account: AccountId;
  envelopes: readonly Envelope[];
}

/** `id ‖ mailbox` of those of the puts' envelopes that were accepted before. */
export async function loadKnown(
  puts: readonly Pick<Put, 'envelopes'>[],
  sql: Pick<Statements, 'rows'>,
): Promise<Set<string>> {
  const ids = new Set<EnvelopeId>();
  for (const { envelopes } of puts) for (const { id } of envelopes) ids.add(id);
  const known = new Set<string>();
  for (const group of inGroups(
    [...ids].map((id) => Buffer.from(id, 'hex')),
    true,
  )) {
    const rows = await sql.rows<{ id: Buffer; mailbox: Buffer }>(
      `SELECT id, mailbox FROM accepted WHERE id IN (${marks('?', group)})`,
      group,
    );
    for (const { id, mailbox } of rows) {
      const account = mailbox.toString('hex', 0, 16);
      known.add(`${id.toString('hex')}${account}.${mailbox.readUInt32BE(16)}`);
    }
  }
  return known;
}

/** Whether every envelope of the put was accepted before: the sender repeats what it got no answer to. */
export async function isRepeated(put: Put, sql: Pick<Statements, 'rows'>): Promise<boolean> {
  const known = await loadKnown([put], sql);
  return put.envelopes.every(({ device, id }) => known.has(id + deviceKey(put.account, device)));
}
