/**
 * ejabberd as a yardstick: unpacked from Debian's packages, started on loopback with persistent rooms and an archive of
 * them in SQLite in WAL mode (`synchronous` is SQLite's own default, FULL), and ended with the run.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { freePorts } from '@island/provisioning/ports.ts';
import { tether } from '@island/provisioning/tool.ts';
import { childEnvironment } from '@island/services/kit/config.ts';
import { Skipped } from '../scenario.ts';
import { unpackedPeer } from './debs.ts';
import type { PeerTls } from './xmpp-room.ts';

const packages = {
  name: 'ejabberd',
  wanted: ['ejabberd', 'erlang-p1-sqlite3'],
  follow: /^(erlang|lib)/,
};
/** Seconds until it has to listen. */
const patience = 30;

export interface Ejabberd extends AsyncDisposable {
  version: string;
  port: number;
  pid: number;
  /** Messages in its archive. */
  rows(): number;
}

/** `certificate`: a file with the key and the chain. */
const settings = (port: number, database: string, certificate: string): string => `
certfiles: ["${certificate}"]
hosts: ["bench.local"]
loglevel: error
default_db: sql
new_sql_schema: false
sql_type: sqlite
sql_database: "${database}"
auth_method: [anonymous]
anonymous_protocol: both
allow_multiple_connections: true
listen:
  - { port: ${port}, ip: "127.0.0.1", module: ejabberd_c2s, max_stanza_size: 262144, access: all, tls: true }
modules:
  mod_disco: {}
  mod_mam: { db_type: sql, default: always }
  mod_muc:
    host: "conference.bench.local"
    db_type: sql
    access: all
    access_create: all
    access_persistent: all
    access_mam: all
    max_users: 1000
    history_size: 0
    default_room_options: { persistent: true, mam: true, max_users: 1000 }
`;

/** Throws `Skipped` when it can't be had here. */
export async function startEjabberd({ key, certificates }: PeerTls): Promise<Ejabberd> {
  const { root, version } = await unpackedPeer(packages);
  await using held = new AsyncDisposableStack();
  const data = await mkdtemp(join(tmpdir(), 'ejabberd-bench-'));
  held.defer(() => rm(data, { recursive: true, force: true }));
  const file = join(data, 'ejabberd.sqlite');
  const database = new DatabaseSync(file);
  database.exec('PRAGMA journal_mode = WAL');
  database.exec(await readFile(join(root, 'usr/share/ejabberd/sql/lite.sql'), 'utf8'));
  database.close();
  const [port = 0] = await freePorts(1);
  await mkdir(join(data, 'mnesia'));
  const certificate = join(data, 'tls.pem');
  await writeFile(certificate, `${key}\n${certificates}`, { mode: 0o600 });
  await writeFile(join(data, 'ejabberd.yml'), settings(port, file, certificate));
  const erlang = join(root, 'usr/lib/erlang');
  const arch = (await readdir(join(root, 'usr/lib'))).find((name) => name.includes('-linux-'));
  const libraries = join(root, 'usr/lib', arch ?? '');
  const erts = (await readdir(erlang)).find((name) => name.startsWith('erts-')) ?? '';
  const [program = '', ...args] = [
    ...(await tether('TERM')),
    join(erlang, erts, 'bin/erlexec'),
    ...['-noinput', '-noshell', '-start_epmd', 'false'],
    ...['-mnesia', 'dir', `"${join(data, 'mnesia')}"`, '-s', 'ejabberd'],
  ];
  const child = spawn(program, args, {
    env: childEnvironment({
      ROOTDIR: erlang,
      BINDIR: join(erlang, erts, 'bin'),
      EMU: 'beam',
      PROGNAME: 'erl',
      HOME: data,
      ERL_LIBS: libraries,
      LD_LIBRARY_PATH: libraries,
      EJABBERD_CONFIG_PATH: join(data, 'ejabberd.yml'),
      EJABBERD_LOG_PATH: join(data, 'ejabberd.log'),
      EJABBERD_SQL_PATH: join(root, 'usr/share/ejabberd/sql'),
    }),
    stdio: 'ignore',
  });
  let over = false;
  const ended = once(child, 'close').then(() => {
    over = true;
  });
  held.defer(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  const until = performance.now() + patience * 1000;
  while (!(await listens(port))) {
    if (over || performance.now() > until) {
      const said = await readFile(join(data, 'ejabberd.log'), 'utf8').catch(() => '');
      throw new Skipped(`ejabberd did not start: ${said.split('\n').at(-2) ?? 'it says nothing'}`);
    }
    await pause(100);
  }
  const stack = held.move();
  return {
    version,
    port,
    pid: child.pid ?? 0,
    rows() {
      using reading = new DatabaseSync(file, { readOnly: true });
      return Number(reading.prepare('SELECT count(*) AS n FROM archive').get()?.['n']);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
