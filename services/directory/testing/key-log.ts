/** A log on a database of its own, without bus and people's keys: lists are bytes that nobody opens. For tests. */
import { join } from 'node:path';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { openStore } from '../../kit/store.ts';
import { testLog } from '../../kit/testing/pki.ts';
import { testKeys } from '../../kit/testing/vault.ts';
import { openVault } from '../../kit/vault.ts';
import type { DirectoryStore } from '../database.ts';
import type { Cosign, KnownToWitnesses } from '../log/epoch-witnesses.ts';
import { openSucceedingLog, type SucceedingLog } from '../log/succeeding-log.ts';
import * as schema from '../schema.ts';
import { addList, addPerson } from './log-people.ts';

const migrations = join(import.meta.dirname, '../migrations');
const master = Buffer.alloc(32, 7);

export interface TestKeyLog extends AsyncDisposable {
  store: DirectoryStore;
  log: SucceedingLog;
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
    await openSucceedingLog({
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
        for (const name of names) accounts.push(await addPerson(sql, name));
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
