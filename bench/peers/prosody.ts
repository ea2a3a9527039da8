/**
 * Prosody as a yardstick: its Debian packages unpacked into a cache (nothing is installed, no root is
 * needed), started on loopback with an archive of every message in SQLite, and ended with the run. It
 * must say of its own database that it is as durable as the island: WAL, `synchronous = FULL`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { freePorts } from '@island/provisioning/ports.ts';
import { tether } from '@island/provisioning/tool.ts';
import { childEnvironment } from '@island/services/kit/config.ts';
import { Skipped } from '../scenario.ts';
import { unpackedPeer } from './debs.ts';
import type { PeerTls } from './xmpp-room.ts';

const packages = {
  name: 'prosody',
  wanted: ['prosody', 'lua-sec', 'lua-expat', 'lua-filesystem', 'lua-socket', 'lua-dbi-sqlite3'],
  follow: /^(lua|lib)/,
  /** The program has the folders of an installed one written into it. */
  async finish(making: string, root: string) {
    const program = await readFile(join(making, 'usr/bin/prosody'), 'utf8');
    await writeFile(
      join(making, 'prosody'),
      program.replaceAll(/(?<==')\/usr\/lib/g, `${root}/usr/lib`),
    );
  },
};
const durable = 'journal_mode=wal synchronous=2';

export interface Prosody extends AsyncDisposable {
  version: string;
  port: number;
  /** With TLS from the first byte, where that was wanted. */
  tlsPort: number;
  pid: number;
  /** Messages in its archive, each counted as often as it is there. */
  rows(): number;
}

/** Throws `Skipped` when it can't be had here. */
/** @param tls for a port where TLS begins at once, besides the one in the clear */
export async function startProsody(tls?: PeerTls): Promise<Prosody> {
  const { root, version } = await unpackedPeer(packages);
  await using held = new AsyncDisposableStack();
  const data = await mkdtemp(join(tmpdir(), 'prosody-bench-'));
  held.defer(() => rm(data, { recursive: true, force: true }));
  const file = join(data, 'prosody.sqlite');
  new DatabaseSync(file).exec('PRAGMA journal_mode = WAL');
  const [port = 0, tlsPort = 0] = await freePorts(2);
  const [key, chain] = [join(data, 'key.pem'), join(data, 'chain.pem')];
  if (tls !== undefined) {
    await writeFile(key, tls.key, { mode: 0o600 });
    await writeFile(chain, tls.certificates);
  }
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
      ...(tls && { BENCH_TLS_PORT: `${tlsPort}`, BENCH_KEY: key, BENCH_CHAIN: chain }),
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
    tlsPort,
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
