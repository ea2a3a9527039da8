/** A temporary CA with pkid at work, for tests: certificates come the way they do on an island. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstBootPki } from '@island/pki/first-boot.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { startPkid } from '../../pkid/service.ts';
import { type Log, openLog } from '../log.ts';
import { type Credentials, type Identity, obtainIdentity } from '../mtls.ts';
import type { PeerName } from '../names.ts';
import { openServiceKeys } from '../service-keys.ts';

export interface TestPki extends AsyncDisposable {
  /** 0700, goes away with the rest. */
  dir: string;
  /** Folder of pkid's sockets. */
  sockets: string;
  /** PEM. */
  root: string;
  /** SHA-256 of the root, base64url. */
  caFingerprint: string;
  identity(name: PeerName): Promise<Identity>;
  /** An identity that is renewed when the test says so, with a new key. */
  renewable(name: PeerName): Promise<Identity & { renew(): Promise<void> }>;
}

/** A log that is kept in memory: `lines` holds what was written. */
export function testLog(): Log & { lines: string[] } {
  const lines: string[] = [];
  return { lines, ...openLog({}, (line) => lines.push(line)) };
}

/** @param leafSeconds how long certificates last; a day unless given */
export async function testPki(options: { leafSeconds?: number } = {}): Promise<TestPki> {
  await using held = new AsyncDisposableStack();
  // Short: paths of unix sockets are limited to 107 bytes.
  const dir = await mkdtemp(join(tmpdir(), 'pi-'));
  held.defer(() => rm(dir, { recursive: true, force: true }));
  const pki = join(dir, 'pki');
  const keys = openServiceKeys('pkid', { 1: Buffer.alloc(32, 1).toString('base64url') });
  const cost = { memory: 64, passes: 1, lanes: 1 };
  const { rootPem, fingerprint } = await firstBootPki({
    dir: pki,
    passphrase: 'a passphrase for tests',
    keys,
    cost,
  });
  const sockets = join(dir, 'pkid');
  const config = { process: 'pkid', pki, sockets, hosts: ['localhost', '127.0.0.1'], ...options };
  held.use(await startPkid(config, { keys, log: testLog() }));
  const identity = (name: PeerName): Promise<Identity> =>
    obtainIdentity({ name, socket: join(sockets, `${name}.sock`) });
  const stack = held.move();
  return {
    dir,
    sockets,
    root: rootPem,
    caFingerprint: base64url(fingerprint),
    identity,
    async renewable(name) {
      let now = await identity(name);
      const listeners = new Set<(credentials: Credentials) => void>();
      return {
        name,
        current: () => now.current(),
        onRenewed(listener) {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
        async renew() {
          await now[Symbol.asyncDispose]();
          now = await identity(name);
          for (const listener of listeners) listener(now.current());
        },
        [Symbol.asyncDispose]: () => now[Symbol.asyncDispose](),
      };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
