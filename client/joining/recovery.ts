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
import type { OwnAccount } from '../account/shown-account.ts';
import { insist } from '../insist.ts';
import { Problem, refusing } from '../problem.ts';
import type { Credentials } from '../sign-in/credentials.ts';
import {
  bySecrets,
  finish,
  isPresent,
  type Joined,
  overtakenBy,
  readAll,
  seenOf,
} from './joining.ts';
import type { Joining } from './joining-parts.ts';
import { joiningRow, type Secrets } from './joining-row.ts';
import { ask, askLeave, type Destination, type Leave, withLeave } from './leave.ts';

/**
 * Makes this home a device of the account that `code` belongs to; the code is used up, and the archive has
 * a new key. Interrupted, the same again goes on. Throws `CodeMistake`; what `askLeave` throws;
 * `history_broken`, `list_rolled_back`, `record_unsigned`, `record_rolled_back`, `record_differs`; `identity_forged`,
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
    const { secrets } = leave.row;
    if (secrets && isPresent(own, secrets)) return bySecrets(leave.row, secrets);
    return bySecrets(leave.row, await obtain(leave, own));
  };
  return await withLeave(leave, () => finish(leave, making));
}

/**
 * What the code opens; it is in the row from then on. A record that another device made meanwhile has the
 * code's place still, and the share that the island gives is that of the newest.
 */
async function obtain(leave: Leave, own: OwnAccount): Promise<Secrets> {
  const { joining, row } = leave;
  const { signal, storage } = joining;
  const { code } = row;
  if (!code) throw new Fault('internal');
  const { loc, share } = await insist(() => ask(leave)('recovery', {}), { signal }).catch(
    async (error: unknown) => {
      const over = error instanceof Fault && error.code === 'not_found';
      throw over ? await overtakenBy(leave) : error;
    },
  );
  if (!equal(loc, code.loc)) throw new Problem('share_swapped');
  try {
    const secrets = openByCode(row.name, own, code, share);
    leave.row = { ...row, secrets };
    await storage.commit({ put: [joiningRow(leave.row)] });
    return secrets;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    // The record may have been replaced between the two answers.
    const again = await insist(() => readAll(leave), { signal });
    throw equal(again.record.hash, own.record.hash) ? error : new Fault('stale_record');
  }
}

/** Throws `identity_forged`, `code_unknown`, `code_swapped`, `share_swapped`, `record_differs`. */
function openByCode(name: string, own: OwnAccount, code: CodeKeys, share: Uint8Array): Secrets {
  const { way, record } = own;
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
  const same = slot && equal(slot.dh, code.dh.public) && equal(slot.proofHash, sha256(code.proof));
  if (!same) throw new Problem('code_swapped');
  const { ark, aik, head } = refusing('share_swapped', name, () =>
    openCodeSlot(record, code, share),
  );
  refusing('record_differs', name, () => openKeyring(record, ark));
  return { ark, arkEpoch: record.arkEpoch, aik: aik.private, head, seen: seenOf(own) };
}
