/**
 * The CA's keys on the disk: what earlier versions left in the clear is sealed and wiped, and what is sealed is
 * brought under the newest version of the master key. Each file is exchanged whole, and what is to be done is
 * asked of the folder: whenever this ends early, the next start goes on. docs/protocol/at-rest.md §5, §6
 *
 * Invariant: no key in the clear is wiped before the sealed one has been read back.
 */
import { createPrivateKey } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Refusal } from '@island/pki/refusal.ts';
import { openKey, type SealingKeys, sealKey, versionOf } from '@island/pki/sealed-key.ts';
import { files, readPrivate, writePrivate } from '@island/pki/store.ts';
import type { Log } from '../kit/log.ts';
import type { ServiceKeys } from '../kit/service-keys.ts';
import { wipe } from '../kit/vault-secrets.ts';

const roles = ['issuing', 'edge'] as const;
const kinds = roles.flatMap((role) =>
  [(name: string) => name, files.previous].map((named) => ({
    role,
    sealed: named(files.key(role)),
    former: named(files.formerKey(role)),
  })),
);
/** What an earlier version, killed while it wrote a key, left beside it. */
const draft = /^(?:previous-)?(?:issuing|edge)\.key\.[0-9a-f]{12}\.draft$/;

/** Throws what `readPrivate` and `openKey` throw; then nothing has been wiped that is not sealed. */
export async function adoptFormerKeys(dir: string, keys: SealingKeys): Promise<void> {
  for (const { role, sealed, former } of kinds) {
    const from = join(dir, former);
    const clear = await orNone(readPrivate(from));
    if (clear === undefined) continue;
    const to = join(dir, sealed);
    // Half wiped already, it could not be read: what was sealed from it goes before.
    if ((await orNone(readPrivate(to))) === undefined)
      await writePrivate(to, sealKey(readClear(clear, former), role, keys));
    openKey(await readPrivate(to), role, keys);
    clear.fill(0);
    await wipe(from);
  }
  for (const name of await readdir(dir)) if (draft.test(name)) await wipe(join(dir, name));
}

function readClear(pem: Buffer, name: string) {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new Refusal('mismatch', name, { cause });
  }
}

/** Seals under the newest version what is under another one. Throws what `openKey` throws. */
export async function rewrapCaKeys(dir: string, keys: SealingKeys): Promise<void> {
  for (const { role, sealed } of kinds) {
    const path = join(dir, sealed);
    const bytes = await orNone(readPrivate(path));
    if (bytes === undefined || versionOf(bytes) === keys.newest) continue;
    await writePrivate(path, sealKey(openKey(bytes, role, keys), role, keys));
  }
}

/** Brings the keys under the newest version, now and whenever there is a newer one, and says so. */
export async function keepSealed(
  dir: string,
  keys: ServiceKeys,
  log: Log,
): Promise<AsyncDisposable> {
  let last: Promise<void> = Promise.resolve();
  const rewrap = async (): Promise<void> => {
    const version = keys.newest;
    await rewrapCaKeys(dir, keys);
    if (version === keys.newest) keys.settled(version);
  };
  const silent = keys.onNewer(() => {
    last = last.then(rewrap).catch((error: unknown) => log.error('rewrap_failed', error));
  });
  try {
    await rewrap();
  } catch (error) {
    silent();
    throw error;
  }
  return {
    async [Symbol.asyncDispose]() {
      silent();
      await last;
    },
  };
}

const orNone = (read: Promise<Buffer>): Promise<Buffer | undefined> =>
  read.catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
