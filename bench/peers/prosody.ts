/**
 * Prosody as a yardstick: its Debian packages unpacked into a cache (nothing is installed, no root is
 * needed), started on loopback with an archive of every message in SQLite, and ended with the run. It
 * must say of its own database that it is as durable as the island: WAL, `synchronous = FULL`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import type { Package } from '@island/provisioning/apt.ts';
import { notInstalled } from '@island/provisioning/engine-packages.ts';
import { openSources } from '@island/provisioning/engines.ts';
import { freePorts } from '@island/provisioning/ports.ts';
import { statedFrom } from '@island/provisioning/stated.ts';
import { runTool, tether } from '@island/provisioning/tool.ts';
import { childEnvironment } from '@island/services/kit/config.ts';
import { Skipped } from '../scenario.ts';

const cache = join(import.meta.dirname, '../../.engines/peers');
const wanted = [
  'prosody',
  'lua-sec',
  'lua-expat',
  'lua-filesystem',
  'lua-socket',
  'lua-dbi-sqlite3',
];
const durable = 'journal_mode=wal synchronous=2';

export interface Prosody extends AsyncDisposable {
  version: string;
  port: number;
  pid: number;
  /** Messages in its archive, each counted as often as it is there. */
  rows(): number;
}

/** Throws `Skipped` when it can't be had here. */
export async function startProsody(): Promise<Prosody> {
  const { root, version } = await unpacked();
  await using held = new AsyncDisposableStack();
  const data = await mkdtemp(join(tmpdir(), 'prosody-bench-'));
  held.defer(() => rm(data, { recursive: true, force: true }));
  const file = join(data, 'prosody.sqlite');
  new DatabaseSync(file).exec('PRAGMA journal_mode = WAL');
  const [port = 0] = await freePorts(1);
  const [program = '', ...args] = [
    ...(await tether('TERM')),
    join(root, 'usr/bin/lua5.4'),
    join(root, 'prosody'),
    ...['-F', '--config', join(import.meta.dirname, 'prosody.cfg.lua')],
  ];
  const child = spawn(program, args, {
    env: childEnvironment({
      ...(await luaPaths(root)),
      BENCH_DATA: data,
      BENCH_PLUGINS: import.meta.dirname,
      BENCH_PORT: `${port}`,
      BENCH_ROOT: process.getuid?.() === 0 ? 'yes' : 'no',
    }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  held.defer(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  const said = await Promise.race([readBack(child.stdout), ended.then(() => undefined)]);
  if (said !== durable)
    throw new Skipped(`prosody did not start as wanted (${said ?? 'it ended'})`);
  // What it says later is not read, and must not fill the pipe.
  child.stdout.resume();
  child.stderr.resume();
  const stack = held.move();
  return {
    version,
    port,
    pid: child.pid ?? 0,
    rows() {
      using database = new DatabaseSync(file, { readOnly: true });
      const counted = database.prepare('SELECT count(*) AS n FROM prosodyarchive').get();
      return Number(counted?.['n']);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The line of mod_read_back.lua. */
async function readBack(output: NodeJS.ReadableStream): Promise<string | undefined> {
  for await (const line of createInterface({ input: output })) {
    const found = /read back: (.*)/.exec(line)?.[1];
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Where Lua finds what was unpacked, whatever version of the distribution it came from. */
async function luaPaths(root: string): Promise<Record<string, string>> {
  const libraries = join(root, 'usr/lib');
  const arch = (await readdir(libraries)).find((name) => name.includes('-linux-')) ?? '';
  return {
    LUA_PATH: `${root}/usr/share/lua/5.4/?.lua;${root}/usr/share/lua/5.4/?/init.lua;;`,
    LUA_CPATH: `${libraries}/${arch}/lua/5.4/?.so;;`,
    LD_LIBRARY_PATH: join(libraries, arch),
  };
}

/** The unpacked packages; `version` is written last, so that what was cut off does not count. */
async function unpacked(): Promise<{ root: string; version: string }> {
  const root = join(cache, 'prosody');
  const known = await readFile(join(root, 'version'), 'utf8').catch(() => undefined);
  if (known !== undefined) return { root, version: known };
  try {
    return { root, version: await fetch(root) };
  } catch (error) {
    const why = statedFrom(error);
    if (why === undefined) throw error;
    throw new Skipped(`prosody can't be had: ${why.message}`);
  }
}

async function fetch(root: string): Promise<string> {
  const report = (line: string) => process.stderr.write(`${line}\n`);
  await rm(root, { recursive: true, force: true });
  const making = `${root}.part`;
  await rm(making, { recursive: true, force: true });
  await mkdir(making, { recursive: true });
  const apt = await openSources(join(cache, 'apt'), report)('host');
  const found = new Map<string, Package>();
  for (let names = wanted; names.length > 0; ) {
    const level = await apt.packages(names);
    for (const one of level) found.set(one.name, one);
    names = [...new Set(level.flatMap(({ depends }) => depends))].filter(
      (name) => /^(lua|lib)/.test(name) && !found.has(name),
    );
  }
  const version = found.get('prosody')?.version;
  if (version === undefined) throw new Skipped('this machine has no package of prosody.');
  // Libraries that this machine has are good enough; interpreter and modules are those of the packages.
  const [libraries, others] = [/^lib/, /^(?!lib)/].map((name) =>
    [...found.values()].filter((one) => name.test(one.name)),
  );
  for (const one of [...(others ?? []), ...(await notInstalled(libraries ?? []))]) {
    report(`Fetching ${one.name} ${one.version}`);
    const deb = await apt.download(one, () => undefined);
    const ran = await runTool('dpkg-deb', ['-x', deb, making]);
    if (ran.code !== 0) throw new Skipped(`${one.name} can't be unpacked: ${ran.stderr.trim()}`);
  }
  // The program has the folders of an installed one written into it.
  const program = await readFile(join(making, 'usr/bin/prosody'), 'utf8');
  await writeFile(
    join(making, 'prosody'),
    program.replaceAll(/(?<==')\/usr\/lib/g, `${root}/usr/lib`),
  );
  await rename(making, root);
  await writeFile(join(root, 'version'), version);
  await rm(join(cache, 'apt'), { recursive: true, force: true });
  return version;
}
