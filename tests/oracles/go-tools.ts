/**
 * Go and golang.org/x/mod out of Debian packages, for the programs below `go/`: fetched as the engines are,
 * unpacked into `.engines/go`, nothing of the system touched. docs/decisions/030-engines.md
 */
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Apt, Package } from '@island/provisioning/apt.ts';
import { openSources } from '@island/provisioning/engines.ts';
import { Stated } from '@island/provisioning/stated.ts';
import { runTool } from '@island/provisioning/tool.ts';

const home = join(import.meta.dirname, '../../.engines');
const place = join(home, 'go');

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Debian's `golang-go` names the version that is the release's own: `golang-1.19-go` and its sources. */
async function packagesOf(apt: Apt): Promise<Package[]> {
  const named = (form: RegExp) => (pkg: Package) => pkg.depends.filter((name) => form.test(name));
  const meta = await apt.packages(['golang-go', 'golang-golang-x-mod-dev']);
  const compiler = await apt.packages(meta.flatMap(named(/^golang-\d[\d.]*-go$/)));
  const sources = await apt.packages(compiler.flatMap(named(/^golang-\d[\d.]*-src$/)));
  const mod = meta.filter(({ name }) => name === 'golang-golang-x-mod-dev');
  if (compiler.length !== 1 || sources.length !== 1 || mod.length !== 1) {
    throw new Stated('Debian of this machine has no Go with golang.org/x/mod.');
  }
  return [...compiler, ...sources, ...mod];
}

/** Where Go lies, fetched now if it was not before. Throws `Stated` where that is not possible. */
async function obtain(report: (line: string) => void): Promise<string> {
  if (await exists(place)) return place;
  const work = join(home, `.go-${process.pid}`);
  try {
    await mkdir(work, { recursive: true });
    const apt = await openSources(join(work, 'apt'), report)('host');
    const root = join(work, 'root');
    for (const pkg of await packagesOf(apt)) {
      report(`Fetching ${pkg.name} ${pkg.version} (${(pkg.size / 1e6).toFixed(1)} MB)`);
      const deb = await apt.download(pkg, () => undefined);
      const ran = await runTool('dpkg-deb', ['-x', deb, root]);
      if (ran.code !== 0) throw new Stated(`${pkg.name} cannot be unpacked: ${ran.stderr}`);
    }
    // Last and at once: what lies there is whole. Somebody who was quicker has the same.
    await rename(root, place).catch(async (error: unknown) => {
      if (!(await exists(place))) throw error;
    });
    return place;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function goRoot(root: string): Promise<string> {
  const ran = await runTool('sh', ['-c', 'ls -d "$1"/usr/lib/go-*', 'sh', root]);
  return ran.stdout.trim().split('\n').at(-1) ?? '';
}

/**
 * Builds the program of a folder below `tests/oracles` into `dir` and answers its path, or, where Go cannot be
 * had here, why.
 */
export async function buildGo(
  folder: string,
  dir: string,
  report: (line: string) => void,
): Promise<{ program: string } | { missing: string }> {
  let root: string;
  try {
    root = await obtain(report);
  } catch (error) {
    if (error instanceof Stated) return { missing: error.message };
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return { missing: 'This machine has no apt-get.' };
    }
    throw error;
  }
  const goroot = await goRoot(root);
  const program = join(dir, folder);
  const source = join(import.meta.dirname, folder, 'main.go');
  const env = {
    GOROOT: goroot,
    GOPATH: join(root, 'usr/share/gocode'),
    GOCACHE: join(dir, 'cache'),
    GO111MODULE: 'off',
    GOFLAGS: '',
    GOTOOLCHAIN: 'local',
    CGO_ENABLED: '0',
    HOME: dir,
  };
  const go = join(goroot, 'bin/go');
  const ran = await runTool(go, ['build', '-o', program, source], { env, deadline: 240_000 });
  if (ran.code !== 0) throw new Error(`the Go program does not build: ${ran.stderr}`);
  return { program };
}
