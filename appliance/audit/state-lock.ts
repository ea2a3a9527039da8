/** One audit at a time in a folder: a file that names its holder, and is taken over from a process that has ended. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identify, isAlive, type ProcessIdentity } from '../process-identity.ts';
import { Passing } from './passing.ts';

/** Throws `Passing` while another audit holds it. */
export function lockState(state: string): Disposable {
  const file = join(state, 'lock');
  const mine = JSON.stringify(identify(process.pid) ?? null);
  for (let round = 0; ; round++) {
    try {
      writeFileSync(file, mine, { flag: 'wx', mode: 0o600 });
      return { [Symbol.dispose]: () => rmSync(file, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = holderOf(file);
    if (round > 2 || (holder !== undefined && isAlive(holder))) {
      throw new Passing(
        `Another audit is under way in ${state}. Wait for it, or take another --state.`,
      );
    }
    rmSync(file, { force: true });
  }
}

function holderOf(file: string): ProcessIdentity | undefined {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity | null) ?? undefined;
  } catch {
    // Gone meanwhile, or written half by one that was killed.
    return undefined;
  }
}
