/** One engine's program: which version it is, whether it runs here and is new enough. docs/decisions/030-engines.md */
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sha256File } from './apt.ts';
import { runTool, whichTool } from './tool.ts';

export type EngineProgram = 'nats' | 'redis' | 'caddy';

export interface EngineBinary {
  path: string;
  version: string;
  /** Goes into LD_LIBRARY_PATH: shared libraries that this machine lacks. */
  libraryPath?: string;
}

export interface EngineNeed {
  /** Name of the program. */
  command: string;
  minimum: string;
  /** Debian packages that hold it. */
  packages: readonly string[];
  /** Where to look for the packages, in order. `testing` is used where a stable release is too old. */
  suites: readonly ('testing' | 'host')[];
}

/**
 * What the island cannot do without: handshake_first (NATS 2.10.4) and tls min_version (merged for 2.11,
 * nats-server #5904), Redis 7's ACL, Caddy 2.7's stream_close_delay.
 */
export const engineNeeds: Readonly<Record<EngineProgram, EngineNeed>> = {
  nats: {
    command: 'nats-server',
    minimum: '2.11',
    packages: ['nats-server'],
    suites: ['testing', 'host'],
  },
  redis: {
    command: 'redis-server',
    minimum: '7.0',
    packages: ['redis-server', 'redis-tools'],
    suites: ['host'],
  },
  caddy: { command: 'caddy', minimum: '2.7', packages: ['caddy'], suites: ['testing', 'host'] },
};

/** Compares dotted numbers; an epoch (`5:`) and what follows the numbers (`-1~deb12u1`) do not count. */
export function atLeast(version: string, minimum: string): boolean {
  const numbers = (text: string) =>
    (/\d+(?:\.\d+)*/.exec(text.replace(/^\d+:/, ''))?.[0] ?? '0').split('.').map(Number);
  const have = numbers(version);
  const want = numbers(minimum);
  for (const [i, n] of want.entries()) {
    const m = have[i] ?? 0;
    if (m !== n) return m > n;
  }
  return true;
}

/** Runs the program once: its version, or undefined when it does not run on this machine. */
export async function probeVersion(
  path: string,
  libraryPath?: string,
): Promise<string | undefined> {
  const env = libraryPath === undefined ? {} : { LD_LIBRARY_PATH: libraryPath };
  const ran = await runTool(path, ['--version'], { env, deadline: 20_000 }).catch(() => undefined);
  if (ran?.code !== 0) return undefined;
  return /(?:v=|v)?(\d+\.\d+(?:\.\d+)*)/.exec(ran.stdout)?.[1];
}

/** The program on PATH, when it is new enough and speaks what the island needs. */
export async function engineOnPath(name: EngineProgram): Promise<EngineBinary | undefined> {
  const need = engineNeeds[name];
  const path = await whichTool(need.command);
  if (path === undefined) return undefined;
  const version = await probeVersion(path);
  if (version === undefined || !atLeast(version, need.minimum)) return undefined;
  if (name === 'redis' && !(await redisHasTls(path))) return undefined;
  return { path, version };
}

/** A Redis built without TLS stops at the first TLS option, one with TLS at the option that no Redis has. */
async function redisHasTls(path: string): Promise<boolean> {
  const args = ['--port', '0', '--tls-port', '0', '--island-asks', 'yes'];
  const ran = await runTool(path, args, { deadline: 10_000 });
  return `${ran.stdout}${ran.stderr}`.includes('island-asks');
}

/** An engine that was unpacked by us, as the index of its folder says; paths are relative to that folder. */
export interface IndexedEngine {
  path: string;
  version: string;
  sha256: string;
  libraryPath?: string;
  /** Debian packages it came from, with versions. */
  packages: Record<string, string>;
}

/** The indexed engine, if its program is still the one that was unpacked and is new enough. */
export async function indexedEngine(
  dir: string,
  name: EngineProgram,
  entry: IndexedEngine,
): Promise<EngineBinary | undefined> {
  const path = join(dir, entry.path);
  if (!atLeast(entry.version, engineNeeds[name].minimum)) return undefined;
  if (
    !(await stat(path).then(
      (s) => s.isFile(),
      () => false,
    ))
  )
    return undefined;
  if ((await sha256File(path)) !== entry.sha256) return undefined;
  const bare = { path, version: entry.version };
  return entry.libraryPath === undefined
    ? bare
    : { ...bare, libraryPath: join(dir, entry.libraryPath) };
}

/** Command and environment that start the program. */
export const engineEnv = (binary: EngineBinary): Record<string, string> =>
  binary.libraryPath === undefined ? {} : { LD_LIBRARY_PATH: binary.libraryPath };

/** Folder of the shared libraries a program lacks, with their names; empty when it lacks none. */
export async function missingLibraries(path: string, libraryPath: string): Promise<string[]> {
  const env = { LD_LIBRARY_PATH: libraryPath, LC_ALL: 'C' };
  const ran = await runTool('ldd', [path], { env, cwd: dirname(path) }).catch(() => undefined);
  return [...(ran?.stdout ?? '').matchAll(/^\s*(\S+) => not found/gm)].map((m) => m[1] ?? '');
}
