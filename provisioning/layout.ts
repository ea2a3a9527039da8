/**
 * Where everything of one island lies. docs/operations.md §2
 *
 *   island.json    what the island is: written last, so that there is a whole island or none
 *   pki/           the CA; the root's key is under its passphrase, the others under the master key
 *   services/      one folder a service: its database and nobody else's
 *   engines/       engines that this machine lacked
 *   log/           one file a process
 *   cache/         code that Node compiled: made again when it is missing
 *   run/           sockets, process and engine configuration: made anew at every start
 */
import { chmod, lstat, mkdir, mkdtemp, readlink, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Stated } from './stated.ts';

export interface Layout {
  data: string;
  island: string;
  /** Stands there while the first boot is under way. */
  unfinished: string;
  pki: string;
  /** Of earlier versions, and gone since. */
  secrets: string;
  engines: string;
  log: string;
  cache: string;
  /** Names the supervisor at work. */
  lock: string;
  /** May be a link to a short folder: see `openRun`. */
  run: string;
  service(name: string): string;
}

export function layoutOf(data: string): Layout {
  const at = (...parts: string[]) => join(resolve(data), ...parts);
  return {
    data: at(),
    island: at('island.json'),
    unfinished: at('first-boot-unfinished'),
    pki: at('pki'),
    secrets: at('secrets'),
    engines: at('engines'),
    log: at('log'),
    cache: at('cache'),
    lock: at('supervisor.lock'),
    run: at('run'),
    service: (name) => at('services', name),
  };
}

/** Where things lie in the run folder. */
export interface Run {
  dir: string;
  /** pkid's sockets, one a certificate holder. */
  pkid: string;
  pkidSocket(name: string): string;
  supervisorSocket: string;
  /** Processes that the supervisor started. */
  children: string;
  controlSocket: string;
  redisSocket: string;
  caddySocket: string;
  /** Configuration of a process or engine. */
  config(name: string): string;
  /** Certificate chain and key of an engine, in one file so that the two always fit. */
  certificate(name: string): string;
  /** What peers are checked against: the root. */
  trust: string;
}

export function runAt(dir: string): Run {
  return {
    dir,
    pkid: join(dir, 'pkid'),
    pkidSocket: (name) => join(dir, 'pkid', `${name}.sock`),
    supervisorSocket: join(dir, 'supervisor.sock'),
    children: join(dir, 'children.json'),
    controlSocket: join(dir, 'control.sock'),
    redisSocket: join(dir, 'redis.sock'),
    caddySocket: join(dir, 'caddy.sock'),
    config: (name) => join(dir, name),
    certificate: (name) => join(dir, `${name}.pem`),
    trust: join(dir, 'trust.pem'),
  };
}

/** Longest name below the run folder that a unix socket gets (`/pkid/<service>.sock`), and what the kernel allows. */
const longestSocket = '/pkid/directory-0.sock'.length;
const kernelLimit = 107;

/** The run folder as it stands, for those who talk to a running island; undefined when there is none. */
export async function findRun(layout: Layout): Promise<Run | undefined> {
  const dir = await realpath(layout.run).catch(() => undefined);
  return dir === undefined ? undefined : runAt(dir);
}

/**
 * Makes the run folder. Where the data folder's path is too long for unix sockets, it is a folder of
 * ours among the temporary files, and `run` is a link to it.
 */
export async function openRun(layout: Layout): Promise<Run> {
  if (layout.run.length + longestSocket <= kernelLimit) {
    const target = await readlink(layout.run).catch(() => undefined);
    if (target !== undefined) await rm(layout.run);
    await ownFolder(layout.run);
    return runAt(layout.run);
  }
  const kept = await readlink(layout.run).catch(() => undefined);
  if (kept !== undefined && (await isOwnFolder(kept))) return runAt(kept);
  await rm(layout.run, { recursive: true, force: true });
  const base = tmpdir().length < 60 ? tmpdir() : '/tmp';
  const dir = await mkdtemp(join(base, 'island-'));
  await symlink(dir, layout.run);
  return runAt(dir);
}

/** Nothing of a run is needed after it. */
export async function closeRun(layout: Layout, run: Run): Promise<void> {
  await rm(run.dir, { recursive: true, force: true });
  if (run.dir !== layout.run) await rm(layout.run, { force: true });
}

/** Makes a folder that only we may enter, or checks that it is one. */
export async function ownFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const { uid } = await lstat(path);
  const me = process.getuid?.();
  if (uid !== me) {
    throw new Stated(
      `The folder ${path} belongs to another user (uid ${uid}, and you are ${me}): ` +
        'run island as its owner, or use another folder with --data.',
    );
  }
  await chmod(path, 0o700);
}

async function isOwnFolder(path: string): Promise<boolean> {
  try {
    const { uid, mode } = await lstat(path);
    return uid === process.getuid?.() && (mode & 0o170777) === 0o040700;
  } catch {
    return false;
  }
}

/** The nearest folder above `path` that exists: what a message about a missing folder can name. */
export async function nearestFolder(path: string): Promise<string> {
  const found = await lstat(path).then(
    () => true,
    () => false,
  );
  return found || dirname(path) === path ? path : nearestFolder(dirname(path));
}
