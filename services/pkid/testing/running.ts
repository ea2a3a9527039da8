/** pkid on a temporary CA, stopped and started at will, and lines written to its sockets as they are. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstBootPki } from '@island/pki/first-boot.ts';
import type { Clock } from '../../kit/clock.ts';
import { openLog } from '../../kit/log.ts';
import { type KeyWire, openServiceKeys, type ServiceKeys } from '../../kit/service-keys.ts';
import { type PkidConfig, startPkid } from '../service.ts';

export const passphrase = 'a passphrase for tests';

/** KEKs of these versions, as the supervisor hands them over. */
export const keysOfVersions = (...versions: number[]): ServiceKeys =>
  openServiceKeys('pkid', wireOf(...versions));

export const wireOf = (...versions: number[]): KeyWire =>
  Object.fromEntries(
    versions.map((version) => [version, Buffer.alloc(32, version).toString('base64url')]),
  );

export interface Running extends AsyncDisposable {
  keys: ServiceKeys;
  pki: string;
  /** Root certificate, PEM. */
  root: string;
  socket(name: string): string;
  /** The log of pkid so far, one JSON line each. */
  lines: string[];
  start(changes?: Partial<PkidConfig>): Promise<void>;
  stop(): Promise<void>;
  /** What was issued, oldest first. */
  issued(): Promise<Record<string, unknown>[]>;
}

export async function runningPkid(
  changes: Partial<PkidConfig> = {},
  clock?: Clock,
): Promise<Running> {
  // Short: paths of unix sockets are limited to 107 bytes.
  const dir = await mkdtemp(join(tmpdir(), 'pi-'));
  const pki = join(dir, 'pki');
  const sockets = join(dir, 's');
  const keys = keysOfVersions(1);
  const cost = { memory: 8, passes: 1, lanes: 1 };
  const { rootPem } = await firstBootPki({ dir: pki, passphrase, keys, cost });
  const lines: string[] = [];
  let running: AsyncDisposable | undefined;
  const self: Running = {
    keys,
    pki,
    root: rootPem,
    lines,
    socket: (name) => join(sockets, `${name}.sock`),
    async start(more = {}) {
      const config = { process: 'pkid', pki, sockets, hosts: ['localhost'], ...changes, ...more };
      const log = openLog({}, (line) => lines.push(line));
      running = await startPkid(config, { keys, log, ...(clock === undefined ? {} : { clock }) });
    },
    async stop() {
      await running?.[Symbol.asyncDispose]();
      running = undefined;
    },
    async issued() {
      const text = await readFile(join(pki, 'issued.log'), 'utf8').catch(() => '');
      return text.trim() === ''
        ? []
        : text
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line));
    },
    async [Symbol.asyncDispose]() {
      await self.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
  await self.start();
  return self;
}

/** Writes bytes as they are and reads the answer; `end: false` leaves the line open. */
export function say(path: string, bytes: string | Uint8Array, end = true): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ path, allowHalfOpen: true });
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    answer += chunk;
  });
  socket.once('error', reject);
  socket.once('end', () => {
    resolve(answer);
    socket.destroy();
  });
  if (end) socket.end(bytes);
  else socket.write(bytes);
  return promise;
}
