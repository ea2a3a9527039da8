/** A log on a database of its own, without bus and people's keys: lists are bytes that nobody opens. For tests. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { listFlags } from '@island/protocol/crypto/account-state.ts';
import type { DeviceList } from '@island/protocol/crypto/device-list.ts';
import { type AccountId, accountId } from '@island/protocol/wire/ids.ts';
import { openStore } from '../../kit/store.ts';
import type { Statements } from '../../kit/store-handle.ts';
import { testLog } from '../../kit/testing/pki.ts';
import { testKeys } from '../../kit/testing/vault.ts';
import { openVault } from '../../kit/vault.ts';
import type { DirectoryStore } from '../database.ts';
import type { Cosign, KnownToWitnesses } from '../log/epoch-work.ts';
import { type DirectoryLog, openDirectoryLog } from '../log/log.ts';
import { addListEvent, addNameEvent } from '../log/log-events.ts';
import * as schema from '../schema.ts';

const migrations = join(import.meta.dirname, '../migrations');
const master = Buffer.alloc(32, 7);

export interface TestKeyLog extends AsyncDisposable {
  store: DirectoryStore;
  log: DirectoryLog;
  /** Accounts and epochs as they were told of. */
  told: [AccountId, number][];
  /** New people, in one transaction. */
  join(...names: string[]): Promise<AccountId[]>;
  /** The next list of each, in one transaction. */
  change(accounts: readonly AccountId[], epoch: number): Promise<void>;
}

export interface TestKeyLogOptions {
  cosign?: Cosign;
  known?: KnownToWitnesses;
  now?(): number;
  /** Around the store, to fail where a test wants. */
  wrap?(store: DirectoryStore): DirectoryStore;
}

/** @param dir where the database is, or will be */
export async function testKeyLog(
  dir: string,
  options: TestKeyLogOptions = {},
): Promise<TestKeyLog> {
  const { now = () => Date.now(), wrap = (store) => store } = options;
  const cosign = options.cosign ?? (async ({ note }) => note);
  const known: KnownToWitnesses = options.known ?? (async ({ size }) => new Map([['w', size]]));
  await using held = new AsyncDisposableStack();
  const log = testLog();
  const file = join(dir, 'directory.sqlite');
  const store = wrap(held.use(await openStore({ file, schema, migrations, log })));
  const keys = testKeys('directory', [master]);
  const vault = held.use(await openVault({ store, keys, log }));
  const told: [AccountId, number][] = [];
  const opened = held.use(
    await openDirectoryLog({
      ...{ store, secrets: vault.secrets, log, cosign, known, clock: { now } },
      onPublished: (account, epoch) => told.push([account, epoch]),
    }),
  );
  const stack = held.move();
  return {
    store,
    log: opened,
    told,
    async join(...names) {
      return store.write(async (_db, sql) => {
        const accounts: AccountId[] = [];
        for (const name of names) {
          const account = accountId(randomBytes(16).toString('hex'));
          accounts.push(account);
          await sql.run('INSERT INTO enrolments (account, hash) VALUES (?, ?)', [account, master]);
          await sql.run('INSERT INTO names (name, account) VALUES (?, ?)', [name, account]);
          await addList(sql, account, 1);
          await addNameEvent(sql, name, account);
        }
        return accounts;
      });
    },
    async change(accounts, epoch) {
      await store.write(async (_db, sql) => {
        for (const account of accounts) await addList(sql, account, epoch);
      });
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function addList(sql: Statements, account: AccountId, epoch: number): Promise<void> {
  const bytes = randomBytes(400);
  const flags = epoch === 1 ? listFlags.register : listFlags.update;
  await sql.run('INSERT INTO lists (account, epoch, bytes, hash) VALUES (?, ?, ?, ?)', [
    ...[account, epoch, bytes, master],
  ]);
  await addListEvent(sql, { account, epoch, flags } as DeviceList);
}
