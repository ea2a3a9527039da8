/**
 * nats-server, redis-server and caddy: found on this machine or unpacked from Debian packages below a
 * folder of ours, without root and without touching the system. docs/decisions/030-engines.md
 *
 * An engine exists when `engines.json` names it, which is written last: a download that was cut leaves
 * fetched packages to go on with, never half an engine.
 */
import { mkdir, readFile, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { writePrivate } from '@island/pki/store.ts';
import { type Apt, openApt } from './apt.ts';
import { debianSources, inSuite, readAptSources } from './apt-sources.ts';
import {
  type EngineBinary,
  type EngineProgram,
  engineNeeds,
  engineOnPath,
  type IndexedEngine,
  indexedEngine,
} from './engine-binary.ts';
import { fetchEngine, type Sources } from './engine-packages.ts';
import { Stated } from './stated.ts';
import { whichTool } from './tool.ts';

export type Engines = Record<EngineProgram, EngineBinary>;

type Index = Partial<Record<EngineProgram, IndexedEngine>>;

const programs = Object.keys(engineNeeds) as EngineProgram[];
const roomNeeded = 500 * 1024 * 1024;

/** All three engines from PATH or the given folders, if none is missing; PATH comes first. */
export async function findEngines(dirs: readonly string[]): Promise<Engines | undefined> {
  const found = await findEach(dirs);
  const { nats, redis, caddy } = found;
  return nats && redis && caddy ? { nats, redis, caddy } : undefined;
}

async function findEach(dirs: readonly string[]): Promise<Partial<Engines>> {
  const found: Partial<Engines> = {};
  await Promise.all(
    programs.map(async (name) => {
      const binary = (await engineOnPath(name)) ?? (await unpackedEngine(name, dirs));
      if (binary !== undefined) found[name] = binary;
    }),
  );
  return found;
}

async function unpackedEngine(
  name: EngineProgram,
  dirs: readonly string[],
): Promise<EngineBinary | undefined> {
  for (const dir of dirs) {
    const entry = (await readIndex(dir))[name];
    const binary = entry && (await indexedEngine(dir, name, entry));
    if (binary !== undefined) return binary;
  }
  return undefined;
}

async function readIndex(dir: string): Promise<Index> {
  try {
    return JSON.parse(await readFile(join(dir, 'engines.json'), 'utf8')) as Index;
  } catch {
    // Absent or damaged: the engines are obtained again.
    return {};
  }
}

export interface ObtainOptions {
  /** Folder that receives what is missing. */
  dir: string;
  /** Further folders to look in first. */
  also?: readonly string[];
  report: (line: string) => void;
  signal?: AbortSignal;
}

/** Finds the engines or fetches those that are missing. Throws `Stated` when that is not possible. */
export async function obtainEngines({
  dir,
  also = [],
  report,
  signal,
}: ObtainOptions): Promise<Engines> {
  const found = await findEach([dir, ...also]);
  const missing = programs.filter((name) => found[name] === undefined);
  if (missing.length > 0) {
    await needTools();
    await mkdir(dir, { recursive: true });
    await needRoom(dir);
    const sources = openSources(join(dir, 'apt'), report, signal);
    for (const name of missing) {
      const entry = await fetchEngine(name, { dir, sources, report, signal });
      await writePrivate(
        join(dir, 'engines.json'),
        `${JSON.stringify({ ...(await readIndex(dir)), [name]: entry }, undefined, 2)}\n`,
      );
      const binary = await indexedEngine(dir, name, entry);
      if (binary === undefined)
        throw new Stated(`The unpacked ${name} was changed meanwhile. Start again.`);
      found[name] = binary;
    }
    // Package lists and archives are not needed again.
    await rm(join(dir, 'apt'), { recursive: true, force: true });
  }
  const { nats, redis, caddy } = found;
  if (!nats || !redis || !caddy)
    throw new Stated('An engine is missing after set-up. Start again.');
  return { nats, redis, caddy };
}

const byHand = `install ${programs
  .map((name) => `${engineNeeds[name].command} ≥ ${engineNeeds[name].minimum}`)
  .join(', ')} yourself and put them on PATH`;

async function needTools(): Promise<void> {
  for (const tool of ['apt-get', 'apt-cache', 'dpkg-deb']) {
    if ((await whichTool(tool)) === undefined) {
      throw new Stated(
        `This machine has no ${tool}, from which the engines would come: ${byHand}.`,
      );
    }
  }
}

async function needRoom(dir: string): Promise<void> {
  const { bavail, bsize } = await statfs(dir);
  if (bavail * bsize < roomNeeded) {
    throw new Stated(
      `The disk is full at ${dir}: the engines need 500 MB of room. Make room and start again.`,
    );
  }
}

/** Package lists, each read when first needed, with apt's state below `dir`. */
export function openSources(
  dir: string,
  report: (line: string) => void,
  signal?: AbortSignal,
): Sources {
  const opened = new Map<string, Promise<Apt>>();
  const open = async (suite: 'testing' | 'host') => {
    const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
    const codename = /^VERSION_CODENAME=["']?([\w.-]+)/m.exec(release)?.[1] ?? 'stable';
    const host = debianSources(await readAptSources(), codename);
    if (host.length === 0) {
      throw new Stated(`This machine's apt has no Debian source in /etc/apt: ${byHand}.`);
    }
    report(`Reading the package lists of Debian ${suite === 'testing' ? 'testing' : codename}`);
    const sources = suite === 'testing' ? inSuite(host, 'testing') : host;
    return openApt({ dir: join(dir, suite), sources, signal });
  };
  return (suite) => {
    const apt = opened.get(suite) ?? open(suite);
    opened.set(suite, apt);
    return apt;
  };
}
