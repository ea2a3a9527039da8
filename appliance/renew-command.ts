/** `island renew`: a new CA below the root, once a year. docs/operations.md §5 */
import { type Renewable, renewCa } from '@island/provisioning/ca-renewal.ts';
import { readIsland } from '@island/provisioning/island-file.ts';
import { layoutOf } from '@island/provisioning/layout.ts';
import { Stated } from '@island/provisioning/stated.ts';
import { lockSupervisor } from './supervisor-lock.ts';
import { styleFor } from './terminal.ts';
import type { Streams } from './up-command.ts';

export interface RenewFlags {
  data: string;
  json?: true;
  rootPassphraseFile: string;
  masterKey?: string;
}

export async function runRenew(
  role: Renewable,
  flags: RenewFlags,
  { stdout }: Streams,
): Promise<void> {
  const layout = layoutOf(flags.data);
  const island = await readIsland(layout);
  if (island === undefined) throw new Stated(`There is no island in ${layout.data}.`);
  using _lock = lockWhileDown(layout.lock);
  const { rootPassphraseFile: passphraseFile, masterKey } = flags;
  const until = await renewCa(layout, island, { role, passphraseFile, masterKey });
  const notAfter = new Date(until).toISOString();
  const { good } = styleFor(stdout);
  stdout.write(
    flags.json
      ? `${JSON.stringify({ role, notAfter })}\n`
      : `${good('✓')} The ${role} CA is new and good until ${notAfter}. Start the island again.\n`,
  );
}

/** A running island seals the same files anew when its master key is changed. */
function lockWhileDown(file: string): Disposable {
  try {
    return lockSupervisor(file);
  } catch (cause) {
    if (!(cause instanceof Stated)) throw cause;
    throw new Stated(`${cause.message} Stop it first: a CA is renewed while the island is down.`, {
      cause,
    });
  }
}
