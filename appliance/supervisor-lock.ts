/**
 * One supervisor a data folder, and no leftovers: a lock that names its holder, and a list of the
 * processes it started, by which the next supervisor ends what a former one left behind.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Stated } from '@island/provisioning/stated.ts';
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts';

/** Takes the lock in `file` until disposed. Throws `Stated` when a living process holds it. */
export function lockSupervisor(file: string): Disposable {
  const me = identify(process.pid);
  if (me === undefined) throw new Stated('This machine has no /proc: the island needs Linux.');
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const own = join(dirname(file), `.lock-${process.pid}`);
  writeFileSync(own, JSON.stringify(me), { mode: 0o600 });
  try {
    // A link either makes the whole lock or fails; a second round is needed after a stale one.
    for (let round = 0; round < 5; round++) {
      if (tryLink(own, file)) return { [Symbol.dispose]: () => rmSync(file, { force: true }) };
      const holder = readIdentity(file);
      if (holder !== undefined && isAlive(holder)) {
        throw new Stated(
          `This island is running already (process ${holder.pid}). See it with: npx island status`,
        );
      }
      const stale = `${own}-stale`;
      try {
        renameSync(file, stale);
      } catch {
        continue;
      }
      // Somebody may have taken the lock between the look and the rename: give it back.
      const moved = readIdentity(stale);
      if (moved !== undefined && isAlive(moved)) tryLink(stale, file);
      rmSync(stale, { force: true });
    }
    throw new Stated('Another island is starting in this folder. Wait until it has, or end it.');
  } finally {
    rmSync(own, { force: true });
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readIdentity(file: string): ProcessIdentity | undefined {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as Partial<ProcessIdentity>;
    const { pid, started, boot } = value;
    if (typeof pid !== 'number' || typeof started !== 'string' || typeof boot !== 'string') return;
    return { pid, started, boot };
  } catch {
    return undefined;
  }
}

/** Writes down who was started, for the next supervisor; synchronous, so that no start is missed. */
export function recordChildren(file: string, pids: readonly number[]): void {
  const children = pids.map(identify).filter((child) => child !== undefined);
  const draft = `${file}.new`;
  writeFileSync(draft, JSON.stringify(children), { mode: 0o600 });
  renameSync(draft, file);
}

/** Ends what a former supervisor left behind; tells how many there were. */
export async function endLeftovers(file: string): Promise<number> {
  let recorded: ProcessIdentity[];
  try {
    recorded = JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity[];
  } catch {
    return 0;
  }
  const left = recorded.filter(isAlive);
  for (const [signal, patience] of [
    ['SIGTERM', 5000],
    ['SIGKILL', 2000],
  ] as const) {
    for (const { pid } of left.filter(isAlive)) process.kill(pid, signal);
    const deadline = Date.now() + patience;
    while (left.some(isAlive) && Date.now() < deadline) await wait(20);
  }
  return left.length;
}
