/**
 * Labels that were erased: the account was ended. Only who says the label finds it, by its place under the VRF; nothing
 * that is stored tells what it was. docs/protocol/transparency.md §6.6
 *
 *     log_labels.label = u8 0 ‖ place 32          once the erasure is published
 */
import { listFlags } from '@island/protocol/crypto/account-state.ts';
import { concat } from '@island/protocol/wire/bytes.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import type { Statements } from '../../kit/store-handle.ts';

/** What stands for a label that was erased. */
export const erasedLabel = (place: Uint8Array): Uint8Array => concat(Uint8Array.of(0), place);

export const isErasedLabel = (label: Uint8Array): boolean => label[0] === 0;

/** Whether the label has ever been in the log, or is to be; `place`: its own. */
export async function isLabelUsed(
  sql: Pick<Statements, 'rows'>,
  label: Uint8Array,
  place: Uint8Array,
): Promise<boolean> {
  const rows = await sql.rows('SELECT 1 FROM log_labels WHERE label IN (?, ?)', [
    label,
    erasedLabel(place),
  ]);
  return rows.length > 0;
}

/** The last event of a label, which the next epoch takes. @returns the label's id */
export async function addErasure(sql: Statements, label: Uint8Array): Promise<number> {
  const [row] = await sql.rows<{ id: number }>('SELECT id FROM log_labels WHERE label = ?', [
    label,
  ]);
  if (row === undefined) throw new Error('a label that is to be erased is not there');
  await sql.run(
    `INSERT INTO log_events (label, version, flags, opening, state)
     SELECT ?, max(version) + 1, ?, NULL, NULL FROM log_events WHERE label = ?`,
    [row.id, listFlags.erase, row.id],
  );
  return row.id;
}

/** The label of a name that leads to the account. */
export async function nameLabelsOf(sql: Statements, account: AccountId): Promise<Uint8Array[]> {
  const rows = await sql.rows<{ label: Uint8Array }>(
    "SELECT l.label FROM names n JOIN log_labels l ON l.label = unhex('02' || hex(n.name)) WHERE n.account = ?",
    [account],
  );
  return rows.map(({ label }) => label);
}

/** Everything that opens the entries of a label, and the label itself. */
export async function forgetLabel(sql: Statements, id: number): Promise<void> {
  await sql.run('UPDATE log_events SET opening = NULL, state = NULL WHERE label = ?', [id]);
  await sql.run(
    "UPDATE log_labels SET label = unhex('00' || hex(place)), proof = NULL WHERE id = ? AND place IS NOT NULL",
    [id],
  );
}
