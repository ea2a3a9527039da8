/**
 * apt with a state of its own: lists, cache and downloads lie in one folder, nothing of the system is
 * read but its keys and `Acquire` settings (proxies), nothing is written, no root is needed, and the
 * host's hooks (`Post-Invoke` …) do not run. docs/decisions/030-engines.md
 *
 * Signatures are always checked: a mirror whose Release file does not verify yields nothing.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type AptSource, formatDeb822 } from './apt-sources.ts';
import { Stated } from './stated.ts';
import { runTool, ToolDeadline, type ToolResult } from './tool.ts';

export interface Package {
  name: string;
  version: string;
  /** Bytes of the .deb. */
  size: number;
  sha256: string;
  /** Names it depends on, first alternative only, without versions. */
  depends: string[];
}

export interface Apt {
  /** Newest versions of `names` in the sources; names that are not there are left out. */
  packages(names: readonly string[]): Promise<Package[]>;
  /** Downloads into the state folder, resuming there; returns the file, verified against the signed index. */
  download(pkg: Package, progress: (bytes: number) => void): Promise<string>;
}

interface AptOptions {
  /** Folder for the state of these sources. */
  dir: string;
  sources: AptSource[];
  signal?: AbortSignal | undefined;
}

/** Reads the package lists of `sources` into `dir`. Throws `Stated` when that cannot be done. */
export async function openApt({ dir, sources, signal }: AptOptions): Promise<Apt> {
  const debs = join(dir, 'debs');
  for (const folder of ['state/lists/partial', 'cache/archives/partial', 'sources', 'debs']) {
    await mkdir(join(dir, folder), { recursive: true });
  }
  await writeFile(join(dir, 'sources', 'island.sources'), formatDeb822(sources));
  const conf = join(dir, 'apt.conf');
  await writeFile(conf, await aptConf(dir, signal), { mode: 0o600 });

  const apt = async (command: string, args: string[], cwd = dir): Promise<ToolResult> => {
    try {
      const env = { APT_CONFIG: conf, LC_ALL: 'C' };
      return await runTool(command, args, { cwd, env, signal, deadline: 300_000 });
    } catch (error) {
      if (!(error instanceof ToolDeadline)) throw error;
      throw new Stated(
        'The package mirror did not answer in time. Start again: what has been fetched is kept.',
      );
    }
  };

  const update = await apt('apt-get', ['update']);
  if (update.code !== 0) throw refusal(update);

  return {
    async packages(names) {
      if (names.length === 0) return [];
      const shown = await apt('apt-cache', ['show', '--no-all-versions', ...names]);
      return parsePackages(shown.stdout).filter((p) => names.includes(p.name));
    },
    async download(pkg, progress) {
      const folder = join(debs, pkg.name);
      await mkdir(folder, { recursive: true });
      const file = await complete(folder, pkg);
      if (file !== undefined) return file;
      const watch = setInterval(() => void bytesIn(folder).then(progress), 1000);
      try {
        const got = await apt('apt-get', ['download', `${pkg.name}=${pkg.version}`], folder);
        if (got.code !== 0) throw refusal(got);
      } finally {
        clearInterval(watch);
      }
      const fetched = await complete(folder, pkg);
      if (fetched === undefined) {
        throw new Stated(
          `The package ${pkg.name} did not arrive whole. Start again to fetch it anew.`,
        );
      }
      return fetched;
    },
  };
}

/** Configuration of the private apt: the host's `Acquire` settings, everything else our own. */
async function aptConf(dir: string, signal: AbortSignal | undefined): Promise<string> {
  const host = await runTool('apt-config', ['dump'], { signal });
  const acquire = host.stdout.split('\n').filter((line) => line.startsWith('Acquire'));
  const root = process.getuid?.() === 0;
  return [
    ...acquire,
    'Acquire::Languages "none";',
    'Acquire::Retries "2";',
    'Acquire::http::Timeout "20";',
    'Acquire::https::Timeout "20";',
    'Acquire::AllowInsecureRepositories "false";',
    'Acquire::AllowWeakRepositories "false";',
    'Acquire::AllowDowngradeToInsecureRepositories "false";',
    'APT::Get::AllowUnauthenticated "false";',
    'APT::Update::Error-Mode "any";',
    // The island's folder is closed to others, so apt's own low-privilege user could not write there.
    ...(root ? ['APT::Sandbox::User "root";'] : []),
    `Dir::State "${dir}/state";`,
    'Dir::State::status "/var/lib/dpkg/status";',
    `Dir::Cache "${dir}/cache";`,
    'Dir::Etc::main "/dev/null";',
    'Dir::Etc::parts "/dev/null";',
    'Dir::Etc::preferences "/dev/null";',
    'Dir::Etc::preferencesparts "/dev/null";',
    'Dir::Etc::sourcelist "/dev/null";',
    `Dir::Etc::sourceparts "${dir}/sources";`,
    'Dir::Log "/dev/null";',
    '',
  ].join('\n');
}

/** One sentence for what apt says when it fails. */
function refusal({ stdout, stderr }: ToolResult): Stated {
  const text = `${stdout}\n${stderr}`;
  if (/No space left|not have enough free space/i.test(text)) {
    return new Stated('The disk is full: make at least 500 MB of room and start again.');
  }
  if (
    /NO_PUBKEY|not signed|signatures? (couldn't be|were) (verified|invalid)|BADSIG|EXPKEYSIG/i.test(
      text,
    )
  ) {
    return new Stated(
      "The package mirror's signature does not verify with this machine's keys, so nothing was taken from it. " +
        'Update the package debian-archive-keyring and start again.',
    );
  }
  const said = text.split('\n').map((line) => line.trim());
  const line =
    said.find((l) => /^(Temporary failure|Could not|Cannot|Unable|Connection)/.test(l)) ??
    said.find((l) => /^(E|Err|W):/.test(l)) ??
    '';
  return new Stated(
    'The package mirror of this machine cannot be reached. Check the network (and the proxy in /etc/apt), ' +
      `then start again: what has been fetched is kept. (apt says: ${line.slice(0, 200)})`,
  );
}

/** Records of `apt-cache show`. */
export function parsePackages(text: string): Package[] {
  const packages: Package[] = [];
  for (const record of text.split(/\n\n+/)) {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(record)?.[1] ?? '';
    const name = field('Package');
    const sha256 = field('SHA256');
    // A record without a hash is of an installed package that no source offers.
    if (name === '' || sha256 === '') continue;
    const depends = `${field('Pre-Depends')},${field('Depends')}`
      .split(',')
      .map((d) => /^[a-z0-9][a-z0-9.+-]*/.exec(d.trim())?.[0] ?? '')
      .filter((d) => d !== '');
    packages.push({
      name,
      version: field('Version'),
      size: Number(field('Size')),
      sha256,
      depends,
    });
  }
  return packages;
}

/** The whole .deb of `pkg` in `folder`, if it is there; others are removed. */
async function complete(folder: string, pkg: Package): Promise<string | undefined> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.deb')) continue;
    const file = join(folder, basename(name));
    if ((await sha256File(file)) === pkg.sha256) return file;
    if ((await stat(file)).size >= pkg.size) await rm(file);
  }
  return undefined;
}

async function bytesIn(folder: string): Promise<number> {
  let sum = 0;
  for (const name of await readdir(folder, { recursive: true }).catch((): string[] => [])) {
    sum += await stat(join(folder, name)).then(
      (s) => (s.isFile() ? s.size : 0),
      () => 0,
    );
  }
  return sum;
}

/** SHA-256 of a file, hex. */
export async function sha256File(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
