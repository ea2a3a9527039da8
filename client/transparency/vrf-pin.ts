/**
 * That the key which hides labels is the one that the log began with. An island that told one home another key could
 * keep people of its own for it in the log that everybody sees: one history, witnessed, and nobody else finds them.
 * docs/protocol/transparency.md §8.2
 */
import { equal, sha256 } from '@island/protocol/crypto/primitives.ts';
import type { LogPins } from '@island/protocol/transparency/answer.ts';
import { encodeOperator, operatorKinds } from '@island/protocol/transparency/leaves.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { leafHash } from '@island/protocol/transparency/tree.ts';
import type { Put, Storage } from '../storage/storage.ts';
import type { Head } from './head.ts';
import { hashesOf, type LogFiles } from './log-files.ts';

/** The hash of the key that was found there. */
export const vrfPlace = { namespace: 'transparency', key: 'vrf-logged' };

/** That the log was seen to for this key. */
export const vrfKeyLogged = (vrf: Uint8Array): Put => ({ ...vrfPlace, bytes: sha256(vrf) });

/** The second entry of every log says the key. */
const entryOfKey = 1;

/**
 * Looks once for a home. `head`: a checkpoint that was accepted. Throws `vrf_invalid`, `log_unproved`, and what
 * reading the log throws.
 */
export async function checkVrfKey(
  storage: Storage,
  files: LogFiles,
  { vrf }: LogPins,
  head: Pick<Head, 'size' | 'root'>,
  signal?: AbortSignal,
): Promise<void> {
  const hash = sha256(vrf);
  const found = await storage.read(vrfPlace.namespace, vrfPlace.key);
  if (found && equal(found.bytes, hash)) return;
  const entry = encodeOperator({ kind: operatorKinds.vrf, number: 1, hash });
  if (!equal(await hashesOf(files, head, signal)(0, entryOfKey), leafHash(entry)))
    throw new TransparencyFault('vrf_invalid');
  await storage.commit({ put: [vrfKeyLogged(vrf)] });
}
