/**
 * nats-server, redis-server and caddy: found on this machine or unpacked from Debian packages below a
 * folder of ours, without root and without touching the system. docs/decisions/030-engines.md
 *
 * An engine exists when `engines.json` names it, which is written last: a download that was cut leaves
 * fetched packages to go on with, never half an engine.
 */
import { mkdir, readdir, readFile, rename, rm, statfs } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { writePrivate } from '@island/pki/store.ts';
import { type Apt, openApt, type Package, sha256File } from './apt.ts';
import { debianSources, inSuite, readAptSources } from './apt-sources.ts';
import {
  atLeast,
  type EngineBinary,
  type EngineProgram,
  engineNeeds,
  engineOnPath,
  type IndexedEngine,
  indexedEngine,
  missingLibraries,
  probeVersion,
} from './engine-binary.ts';
import { Stated } from './stated.ts';
import { runTool, whichTool } from './tool.ts';

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
      const entry = await obtain(name, { dir, sources, report, signal });
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

type Sources = (suite: 'testing' | 'host') => Promise<Apt>;

/** Package lists, each read when first needed. */
function openSources(dir: string, report: (line: string) => void, signal?: AbortSignal): Sources {
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

interface Obtain {
  dir: string;
  sources: Sources;
  report: (line: string) => void;
  signal: AbortSignal | undefined;
}

async function obtain(name: EngineProgram, o: Obtain): Promise<IndexedEngine> {
  const need = engineNeeds[name];
  const reasons: string[] = [];
  for (const suite of need.suites) {
    const apt = await o.sources(suite);
    const packages = await apt.packages(need.packages);
    const version = packages.find((p) => p.name === need.packages[0])?.version;
    if (version === undefined) reasons.push(`${suite} has none`);
    else if (!atLeast(version, need.minimum)) reasons.push(`${suite} has only ${version}`);
    else {
      const entry = await unpack(name, apt, packages, o);
      if (entry !== undefined) return entry;
      reasons.push(`${version} of ${suite} does not run here`);
    }
  }
  throw new Stated(
    `Debian offers no ${need.command} ≥ ${need.minimum} that runs on this machine (${reasons.join('; ')}): ` +
      'install it yourself and put it on PATH.',
  );
}

/** Unpacks beside the final place, proves that the program runs, then moves it there. */
async function unpack(
  name: EngineProgram,
  apt: Apt,
  packages: Package[],
  { dir, report, signal }: Obtain,
): Promise<IndexedEngine | undefined> {
  const need = engineNeeds[name];
  for (const stale of await readdir(dir)) {
    if (stale.startsWith('.unpacking-'))
      await rm(join(dir, stale), { recursive: true, force: true });
  }
  const root = join(dir, `.unpacking-${name}-${process.pid}`);
  try {
    const versions: Record<string, string> = {};
    const add = async (pkg: Package) => {
      const size = `${(pkg.size / 1e6).toFixed(1)} MB`;
      report(`Fetching ${pkg.name} ${pkg.version} (${size})`);
      const deb = await apt.download(pkg, (bytes) =>
        report(`Fetching ${pkg.name} ${pkg.version} (${(bytes / 1e6).toFixed(1)} of ${size})`),
      );
      const ran = await runTool('dpkg-deb', ['-x', deb, root], { signal });
      if (ran.code !== 0) {
        const full = /No space left/.test(ran.stderr);
        throw new Stated(
          full
            ? `The disk is full at ${dir}: make room and start again.`
            : `The package ${pkg.name} cannot be unpacked: ${ran.stderr.trim().slice(0, 200)}`,
        );
      }
      versions[pkg.name] = pkg.version;
    };
    await mkdir(root, { recursive: true, mode: 0o755 });
    for (const pkg of packages) await add(pkg);

    const path = await programIn(root, need.command);
    if (path === undefined) return undefined;
    const libraries = await addLibraries(path, root, apt, packages, add);
    const version = await probeVersion(path, libraries);
    if (version === undefined) return undefined;

    const place = join(dir, `${name}-${version}`);
    await rm(place, { recursive: true, force: true });
    await rename(root, place);
    const moved = (file: string) => relative(dir, join(place, relative(root, file)));
    return {
      path: moved(path),
      version,
      sha256: await sha256File(join(dir, moved(path))),
      ...(libraries === undefined ? {} : { libraryPath: moved(libraries) }),
      packages: versions,
    };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function programIn(root: string, command: string): Promise<string | undefined> {
  for (const folder of ['usr/sbin', 'usr/bin', 'sbin', 'bin']) {
    const names = await readdir(join(root, folder)).catch((): string[] => []);
    if (names.includes(command)) return join(root, folder, command);
  }
  return undefined;
}

/** Adds the libraries that the program lacks here: from the packages it depends on, level by level. */
async function addLibraries(
  path: string,
  root: string,
  apt: Apt,
  packages: Package[],
  add: (pkg: Package) => Promise<void>,
): Promise<string | undefined> {
  let level = packages;
  const had = new Set(packages.map((p) => p.name));
  let folder = await libraryFolder(root);
  for (let depth = 0; depth < 4; depth++) {
    const missing = await missingLibraries(path, folder ?? root);
    if (missing.length === 0) return folder;
    const names = [...new Set(level.flatMap((p) => p.depends))].filter(
      (n) => /^(lib|lua)/.test(n) && !had.has(n),
    );
    level = (await apt.packages(names)).filter((p) => !had.has(p.name));
    for (const pkg of await notInstalled(level)) {
      await add(pkg);
    }
    for (const name of names) had.add(name);
    folder = await libraryFolder(root);
  }
  return folder;
}

async function notInstalled(packages: Package[]): Promise<Package[]> {
  const query = [
    '-W',
    '-f',
    '$' + '{Package} $' + '{db:Status-Status}\n',
    ...packages.map((p) => p.name),
  ];
  const ran = await runTool('dpkg-query', query).catch(() => undefined);
  const installed = new Set(
    (ran?.stdout ?? '')
      .split('\n')
      .flatMap((line) => (line.endsWith(' installed') ? [line.split(' ')[0]] : [])),
  );
  return packages.filter((p) => !installed.has(p.name));
}

/** `usr/lib/<architecture>` of an unpacked tree. */
async function libraryFolder(root: string): Promise<string | undefined> {
  const names = await readdir(join(root, 'usr/lib')).catch((): string[] => []);
  const arch = names.find((name) => name.includes('-linux-'));
  return arch === undefined ? undefined : join(root, 'usr/lib', arch);
}
