/**
 * The life of a directory's log in a folder, from its start until all that was asked of it is published, with every
 * place on the way at which it may end. Real database, vault and witnesses, no bus; for tests, in a process that is
 * killed at one of these places and in the one that comes after it.
 */
import { join } from 'node:path';
import { parsePolicy } from '@island/protocol/transparency/policy.ts';
import { accountId } from '@island/protocol/wire/ids.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import { systemClock } from '../../kit/clock.ts';
import { openLog } from '../../kit/log.ts';
import { openStore } from '../../kit/store.ts';
import { testKeys } from '../../kit/testing/vault.ts';
import { openVault } from '../../kit/vault.ts';
import type { DirectoryStore } from '../database.ts';
import { type DirectoryLog, openDirectoryLog } from '../log/log.ts';
import { knownSizes, presentPolicies, setPolicy } from '../policies.ts';
import type * as schema from '../schema.ts';
import { openWitnesses } from '../witnesses.ts';
import { addList, addPerson } from './log-people.ts';

const migrations = join(import.meta.dirname, '../migrations');
const master = Buffer.alloc(32, 7);

export interface LifePlan {
  /** Folder of the database. */
  dir: string;
  witnesses: readonly { vkey: string; url: string }[];
  /** How many of the witnesses have to sign. */
  quorum: number;
  /** SHA-256 of the root certificate of them all, hex. */
  ca: string;
  /** Name and version of a list, in order; version 1 comes with its name. Those that are stored already are passed over. */
  changes: readonly (readonly [name: string, version: number])[];
  /** So many of the changes at most; all unless given. */
  most?: number;
}

/**
 * What others hear of a life. `log`: it has a key, and waits for whoever trusts it. `kept`: a checkpoint is on the
 * disk. `shown`: what whoever asks is told that is published.
 */
export type Said = 'log' | 'kept' | 'shown';

export interface LifeEnds {
  /** The process may end here. */
  step(name: string): void;
  say(what: Said, text: string): void | Promise<void>;
}

export interface LogLife extends AsyncDisposable {
  store: DirectoryStore;
  log: DirectoryLog;
  /** Of its log. */
  lines: string[];
  /** Makes the changes, and resolves once all of them are published. */
  live(): Promise<void>;
}

export async function openLife(plan: LifePlan, { step, say }: LifeEnds): Promise<LogLife> {
  await using held = new AsyncDisposableStack();
  const lines: string[] = [];
  const log = openLog({}, (line) => lines.push(line));
  const file = join(plan.dir, 'directory.sqlite');
  // Nothing here asks by way of the schema.
  const opened = await openStore({ file, schema: {} as typeof schema, migrations, log });
  const store = stepwise(held.use(opened), { step, say });
  const vault = held.use(await openVault({ store, keys: testKeys('directory', [master]), log }));
  const witnesses = held.use(openWitnesses({ known: knownSizes(store), clock: systemClock, log }));
  let keyLog: DirectoryLog | undefined;
  keyLog = held.use(
    await openDirectoryLog({
      ...{ store, secrets: vault.secrets, clock: systemClock, log },
      cosign: ({ policies, ...submission }, signal) =>
        witnesses.gather(submission, { policies: policies.map(parsePolicy), signal }),
      known: ({ policies, ...submission }, signal) =>
        witnesses.sizes(submission, parsePolicy(policies.at(-1) ?? ''), signal),
      onPublished() {
        if (keyLog !== undefined) void say('shown', keyLog.checkpoint());
        step('published');
      },
    }),
  );
  const directory = keyLog;
  void say('shown', directory.checkpoint());
  step('opened');

  async function askWitnesses(): Promise<void> {
    const { present, pending } = await presentPolicies(store);
    if (present?.number !== 1 || pending !== undefined) return;
    const { vkey } = directory.keys;
    await say('log', vkey);
    const roots = plan.witnesses.map(({ url }) => ({ url, ca: fromHex(plan.ca) }));
    const asked = { after: 1, text: policyText(vkey, plan), roots };
    await setPolicy({ store, vkey, witnesses, present: () => directory.submission() }, asked);
    directory.wake();
  }

  /** @returns whether it was to be made */
  async function change(name: string, version: number): Promise<boolean> {
    const [row] = await store.rows<{ account: string; newest: number }>(
      `SELECT account, (SELECT max(epoch) FROM lists WHERE lists.account = names.account) AS newest
       FROM names WHERE name = ?`,
      [name],
    );
    if (version <= (row?.newest ?? 0)) return false;
    step('before a change');
    await opened.write(async (_db, sql) => {
      if (row === undefined) await addPerson(sql, name);
      else await addList(sql, accountId(row.account), version);
    });
    step('after a change');
    directory.wake();
    return true;
  }

  async function isPublished(): Promise<boolean> {
    const [row] = await store.rows(
      `SELECT (SELECT coalesce(max(last_event), 0) FROM log_epochs WHERE published IS NOT NULL)
           = (SELECT coalesce(max(seq), 0) FROM log_events)
         AND NOT EXISTS (SELECT 1 FROM policies WHERE published = 0) AS yes`,
    );
    return row?.['yes'] === 1;
  }

  const stack = held.move();
  return {
    ...{ store, log: directory, lines },
    async live() {
      await askWitnesses();
      let made = 0;
      for (const [name, version] of plan.changes) {
        if (made === (plan.most ?? plan.changes.length)) break;
        if (!(await change(name, version))) continue;
        made += 1;
        // The second of two finds an epoch in flight.
        if (made % 2 === 0) await directory.settled();
      }
      while (!(await isPublished())) {
        directory.wake();
        await directory.settled();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      void say('shown', directory.checkpoint());
      step('over');
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** A store with a step before each statement that writes to the log, before each commit and after it. */
const stepwise = (store: DirectoryStore, { step, say }: LifeEnds): DirectoryStore => ({
  read: store.read,
  rows: store.rows,
  async write(work) {
    let [table, note] = ['', ''];
    const result = await store.write(async (db, sql) => {
      const done = await work(db, {
        rows: (text, params) => sql.rows(text, params),
        run(text, params = []) {
          table = /(?:INTO|UPDATE|FROM|TABLE(?: IF NOT EXISTS)?) +(\w+)/i.exec(text)?.[1] ?? '';
          if (/INTO log_epochs/.test(text)) note = params.find(isNote) ?? '';
          if (/^(log|policies)/.test(table)) step(`before a statement on ${table}`);
          return sql.run(text, params);
        },
      });
      step(`before a commit on ${table}`);
      return done;
    });
    if (note !== '') void say('kept', note);
    step(`after a commit on ${table}`);
    return result;
  },
  [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
});

const isNote = (param: unknown): param is string =>
  typeof param === 'string' && param.startsWith('pi-kt/');

const policyText = (log: string, { witnesses, quorum }: LifePlan): string =>
  [
    `log ${log}`,
    ...witnesses.map(({ vkey, url }, n) => `witness w${n} ${vkey} ${url}`),
    `group them ${quorum} ${witnesses.map((_, n) => `w${n}`).join(' ')}`,
    'quorum them',
    '',
  ].join('\n');
