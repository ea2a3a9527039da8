/** What registering, signing in and joining need, and how they meet an island. docs/protocol/http.md §1 */
import { checkKdf } from '@island/protocol/crypto/password.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { Answer } from '@island/protocol/wire/routes.ts';
import type { Pinned, Platform } from '../platform.ts';
import { Problem } from '../problem.ts';
import type { Storage } from '../storage/storage.ts';
import { call, type Transport } from '../transport/transport.ts';

export interface Joining {
  storage: Storage;
  platform: Platform;
  /** Unix milliseconds. */
  now: () => number;
  /** Says what is being done, for a person who waits. */
  report?: (step: 'connecting' | 'hashing' | 'registering' | 'waiting') => void;
  signal?: AbortSignal;
}

/** Of the protocol. */
const version = 1;

/** The island of a link: its root certificate is the one that the link names. Throws `wrong_island`, `unreachable`. */
export async function pinIsland(
  { platform, report }: Joining,
  { address, caFingerprint }: { address: string; caFingerprint: Uint8Array },
): Promise<Pinned> {
  report?.('connecting');
  return { address, root: await platform.fetchRoot(address, caFingerprint) };
}

/**
 * What the island says of itself must agree with the certificate that proved it. Throws `island_differs`,
 * `unknown_version`, `kdf_too_weak`.
 */
export async function discover(
  transport: Transport,
  fingerprint: Uint8Array,
): Promise<Answer<'discovery'>> {
  const found = await call(transport, 'discovery', {});
  if (!equal(found.caFingerprint, fingerprint))
    throw new Problem('island_differs', { address: transport.address });
  if (!found.versions.includes(version)) throw new Fault('unknown_version');
  checkKdf(found.kdf);
  return found;
}
