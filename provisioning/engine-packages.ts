/** One engine out of Debian packages: fetched, unpacked, completed with libraries, proven to run. docs/decisions/030-engines.md */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type Apt, type Package, sha256File } from './apt.ts';
import {
  atLeast,
  type EngineProgram,
  engineNeeds,
  type IndexedEngine,
  missingLibraries,
  probeVersion,
} from './engine-binary.ts';
import { Stated } from './stated.ts';
import { runTool } from './tool.ts';

/** Package lists of a suite, read when first asked for. */
export type Sources = (suite: 'testing' | 'host') => Promise<Apt>;

interface Obtain {
  dir: string;
  sources: Sources;
  report: (line: string) => void;
  signal: AbortSignal | undefined;
}

/** Fetches and unpacks the engine below `o.dir`; what it answers belongs into the index. Throws `Stated`. */
export async function fetchEngine(name: EngineProgram, o: Obtain): Promise<IndexedEngine> {
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

/** Those of `packages` that this machine does not have installed. */
export async function notInstalled(packages: Package[]): Promise<Package[]> {
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
