/**
 * Joining with nothing but the password and a backup code (A3). docs/protocol/keys.md §7
 *
 * The code shows which identity is the true one (its anchor), which place in the record is its own, and
 * opens it together with the share that the island gives once. Whatever the island changes of these is
 * found before a single key is believed.
 */
import type { CodeKeys } from '@island/protocol/crypto/backup-code.ts';
import { openKeyring } from '@island/protocol/crypto/key-record.ts';
import { checkAnchor } from '@island/protocol/crypto/key-record-order.ts';
import { openCodeSlot } from '@island/protocol/crypto/key-slots.ts';
import { equal, sha256 } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { Credentials } from './credentials.ts';
import { insist } from './insist.ts';
import { bySecrets, finish, type Joined, mustBePresent } from './joining.ts';
import type { Joining } from './joining-parts.ts';
import { joiningRow, type Secrets } from './joining-row.ts';
import { ask, askLeave, type Destination, type Leave, withLeave } from './leave.ts';
import { type OwnAccount, refusing } from './own-history.ts';
import { Problem } from './problem.ts';

/**
 * Makes this home a device of the account that `code` belongs to; the code is used up, and the archive has
 * a new key. Interrupted, the same again goes on. Throws `CodeMistake`; what `askLeave` throws;
 * `history_broken`, `record_unsigned`, `record_rolled_back`, `record_differs`; `identity_forged`,
 * `code_unknown`, `code_swapped`, `share_swapped`; `joining_lapsed`, `joining_overtaken`, `devices_full`.
 */
export async function recover(
  joining: Joining,
  to: Destination,
  shown: { credentials: Credentials; code: string },
): Promise<Joined> {
  const { credentials, code } = shown;
  await using leave = await askLeave(joining, to, 'code', { credentials, second: { code } });
  const making = async (own: OwnAccount) => {
    const secrets = leave.row.secrets ?? (await obtain(leave, own));
    await mustBePresent(leave, own, secrets);
    return bySecrets(leave.row, secrets);
  };
  return withLeave(leave, () => finish(leave, making));
}

/** What the code opens; it is in the row from then on, and the code no more. */
async function obtain(leave: Leave, own: OwnAccount): Promise<Secrets> {
  const { joining, row } = leave;
  const { code } = row;
  if (!code) throw new Fault('internal');
  const { loc, share } = await insist(() => ask(leave)('recovery', {}), {
    signal: joining.signal,
  });
  if (!equal(loc, code.loc)) throw new Problem('share_swapped');
  const secrets = openByCode(row.name, own, code, share);
  leave.row = { ...row, secrets };
  await joining.storage.commit({ put: [joiningRow(leave.row)] });
  return secrets;
}

/** Throws `identity_forged`, `code_unknown`, `code_swapped`, `share_swapped`, `record_differs`. */
export function openByCode(
  name: string,
  { way, record }: OwnAccount,
  code: CodeKeys,
  share: Uint8Array,
): Secrets {
  try {
    checkAnchor(record, code, way);
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
    if (cause.code === 'wrong_code') throw new Problem('code_unknown', { name }, { cause });
    if (cause.code === 'identity_changed')
      throw new Problem('identity_forged', { name }, { cause });
    throw new Problem('record_differs', { name }, { cause });
  }
  const slot = record.slots.find(({ loc }) => equal(loc, code.loc));
  const own = slot && equal(slot.dh, code.dh.public) && equal(slot.proofHash, sha256(code.proof));
  if (!own) throw new Problem('code_swapped');
  const { ark, aik, head } = refusing('share_swapped', name, () =>
    openCodeSlot(record, code, share),
  );
  refusing('record_differs', name, () => openKeyring(record, ark));
  return { ark, arkEpoch: record.arkEpoch, aik: aik.private, head };
}
