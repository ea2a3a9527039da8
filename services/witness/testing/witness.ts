/** A witness on a real database, without a bus; for tests. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../kit/clock.ts';
import { openStore } from '../../kit/store.ts';
import { testLog } from '../../kit/testing/pki.ts';
import { testKeys } from '../../kit/testing/vault.ts';
import { openVault } from '../../kit/vault.ts';
import type { WitnessStore } from '../database.ts';
import { openKeys, type WitnessKeys } from '../keys.ts';
import { openRows } from '../logs.ts';
import * as schema from '../schema.ts';
import { openTrust, type Trust } from '../trust.ts';
import { openWitness, type WitnessAnswer } from '../witness.ts';

export interface TestWitness extends AsyncDisposable, Trust {
  keys: WitnessKeys;
  store: WitnessStore;
  add(body: Uint8Array | string): Promise<WitnessAnswer>;
  /** The newest note of the log whose origin has this SHA-256, in hex. */
  note(id: string): Promise<string>;
  /** The same database in the hands of a new process. */
  restart(): Promise<void>;
}

const migrations = join(import.meta.dirname, '..', 'migrations');

export interface TestWitnessOptions {
  /** Unix milliseconds. */
  now?: () => number;
  /** Where another process has been this witness, and its master key. */
  left?: { dir: string; master: Uint8Array };
}

export async function testWitness(options: TestWitnessOptions = {}): Promise<TestWitness> {
  const clock = options.now === undefined ? systemClock : { now: options.now };
  const { left } = options;
  const dir = left?.dir ?? (await mkdtemp(join(tmpdir(), 'witness-')));
  const log = testLog();
  const master = testKeys('witness', left && [left.master]);

  async function open() {
    await using held = new AsyncDisposableStack();
    const file = join(dir, 'witness.sqlite');
    const store = held.use(await openStore({ file, schema, migrations, log }));
    const vault = held.use(await openVault({ store, keys: master, log }));
    const rows = await openRows(vault);
    const known = await rows.all(store);
    const keys = await openKeys(
      vault.secrets,
      known.every(({ head }) => head.signed === 0),
    );
    const witness = openWitness({ store, rows, clock, keys });
    return { store, rows, keys, witness, trust: openTrust(store, rows), held: held.move() };
  }

  let opened = await open();
  return {
    get keys() {
      return opened.keys;
    },
    get store() {
      return opened.store;
    },
    add: (body) => opened.witness.add(typeof body === 'string' ? Buffer.from(body) : body),
    async note(id) {
      const row = await opened.rows.find(opened.store, Buffer.from(id, 'hex'));
      return row?.head.note ?? '';
    },
    trust: (vkey) => opened.trust.trust(vkey),
    distrust: (origin) => opened.trust.distrust(origin),
    async restart() {
      await opened.held.disposeAsync();
      opened = await open();
    },
    async [Symbol.asyncDispose]() {
      await opened.held.disposeAsync();
      if (left === undefined) await rm(dir, { recursive: true, force: true });
    },
  };
}
