/**
 * A log of keys of any size in a folder: begun by the directory itself, then filled by its own modules with so many
 * people, each with an account and a name, and left as a directory leaves it that is stopped.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { signCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { commit, openingBytes } from '@island/protocol/transparency/commitment.ts';
import { accountLabel, nameLabel } from '@island/protocol/transparency/label.ts';
import {
  encodeEpoch,
  encodeEvent,
  eventHash,
  noEvent,
} from '@island/protocol/transparency/leaves.ts';
import { mapValue } from '@island/protocol/transparency/map-proof.ts';
import { createMap } from '@island/protocol/transparency/map-tree.ts';
import { rootAt } from '@island/protocol/transparency/tree-proofs.ts';
import { fromHex, hex } from '@island/protocol/wire/text.ts';
import type { DirectoryStore } from '@island/services/directory/database.ts';
import { proveLabel } from '@island/services/directory/log/epoch-draft.ts';
import { openLogEntries } from '@island/services/directory/log/log-entries.ts';
import { newestEpochs, storeEpoch } from '@island/services/directory/log/log-epochs.ts';
import { openLogHashes } from '@island/services/directory/log/log-hashes.ts';
import type { LogKeys } from '@island/services/directory/log/log-keys.ts';
import * as schema from '@island/services/directory/schema.ts';
import { testKeyLog } from '@island/services/directory/testing/key-log.ts';
import { openStore } from '@island/services/kit/store.ts';
import { eventually } from '@island/services/kit/testing/outcome.ts';
import { testLog } from '@island/services/kit/testing/pki.ts';
import {
  accountOf,
  cosigned,
  nameOf,
  policyOf,
  type RealPerson,
  realPeople,
  realPerson,
} from './key-log-people.ts';

const migrations = join(import.meta.dirname, '../services/directory/migrations');
/** Two labels each. */
const peoplePerEpoch = 16_384;
const rowsPerStatement = 1024;
/** As one with a device has. */
const listBytes = 342;

interface NewLabel {
  label: Uint8Array;
  /** Of people who are not real, the account's is not known. */
  state: Uint8Array;
}

/** Id; label, place and proof in hex. */
type LabelRow = readonly [number, string, string, string | null];

/** @param entries that the log has about; half of them name so many people */
export async function buildKeyLog(dir: string, entries: number): Promise<{ people: number }> {
  const keys = await begin(dir);
  const file = join(dir, 'directory.sqlite');
  await using store = await openStore({ file, schema, migrations, log: testLog() });
  await store.write((_db, sql) => sql.run('PRAGMA cache_size = -262144'));
  const people = Math.floor(entries / 2);
  const add = await builder(store, keys);
  for (let from = 0; from < people; from += peoplePerEpoch)
    await add(from, Math.min(people, from + peoplePerEpoch));
  return { people };
}

/** The directory's own first epochs: its keys, and a policy with three witnesses. */
async function begin(dir: string): Promise<LogKeys> {
  await using test = await testKeyLog(dir, { cosign: async ({ note }) => cosigned(note) });
  await test.store.write((_db, sql) =>
    sql.run('INSERT INTO policies (number, text, published) VALUES (2, ?, 0)', [
      policyOf(test.log.keys.vkey),
    ]),
  );
  test.log.wake();
  await eventually(async () => (await test.log.pinned()).witnessed);
  return test.log.keys;
}

async function builder(store: DirectoryStore, keys: LogKeys) {
  const [hashes, bundles] = [openLogHashes(store), openLogEntries(store)];
  const map = createMap();
  let [before] = (await newestEpochs(store)).slice(-1);

  /** One epoch with people `from` to `to`. */
  return async (from: number, to: number): Promise<void> => {
    if (before === undefined) throw new Error('the log has not begun');
    const { size, lastEvent, number, policy } = before;
    const leaves: Uint8Array[] = [];
    const rows: LabelRow[] = [];
    const lists: RealPerson[] = [];
    // One question for all of them: a question each would cost more than the rest.
    const random = new Uint8Array(randomBytes((to - from) * 128));
    for (let person = from; person < to; person++) {
      const real = person < realPeople ? realPerson(person) : undefined;
      if (real !== undefined) lists.push(real);
      for (const { label, state } of labelsOf(person, real)) {
        const at = rows.length * 64;
        const proved = real && proveLabel(keys, label);
        const place = proved?.place ?? random.subarray(at, at + 32);
        const opening = place.subarray(0, openingBytes);
        const commitment = real
          ? commit({ label, version: 1, opening, state })
          : random.subarray(at + 32, at + 64);
        const event = { flags: 1, index: place, version: 1, prevEvent: noEvent, commitment };
        const entry = encodeEvent(event);
        const position = size + leaves.push(entry) - 1;
        map.set(place, mapValue(1, position, eventHash(entry)));
        const id = lastEvent + leaves.length;
        rows.push([id, hex(label), hex(place), proved ? hex(proved.proof) : null]);
      }
    }
    const made = { timestamp: Date.now(), mapRoot: map.root, mapCount: map.count };
    const events = leaves.slice();
    const leaf = encodeEpoch({ ...made, firstEvent: size });
    leaves.push(leaf);
    const tree = await hashes.grow(size, leaves);
    const root = await rootAt(tree.size, tree.read);
    const signed = signCheckpoint({ origin: keys.origin, size: tree.size, root }, keys.signer);
    const head = { number: number + 1, size: tree.size, root, note: signed, policy };
    const epoch = { ...made, ...head, lastEvent: lastEvent + rows.length };
    const grown = { entries: await bundles.grow(size, leaves), tree };
    await storeLabels(store, rows, lists);
    const draft = { epoch, leaf, inclusion: [], labels: [], events, ...grown };
    const published = cosigned(signed);
    await storeEpoch({ store, entries: bundles, hashes }, draft, published);
    bundles.keep(grown.entries);
    hashes.keep(tree);
    before = { ...epoch, published };
  };
}

function labelsOf(person: number, real: RealPerson | undefined): NewLabel[] {
  const { account, list } = real ?? { account: accountOf(person), list: new Uint8Array(0) };
  return [
    { label: accountLabel(account), state: list },
    { label: nameLabel(nameOf(person)), state: fromHex(account) },
  ];
}

/** Labels as the epoch that has them leaves them; an account's is right before that of its name. */
const storeLabels = (
  store: DirectoryStore,
  rows: readonly LabelRow[],
  lists: readonly RealPerson[],
): Promise<void> =>
  store.write(async (_db, sql) => {
    for (let at = 0; at < rows.length; at += rowsPerStatement)
      await sql.run(
        `INSERT INTO log_labels (id, label, place, proof)
         SELECT value ->> 0, unhex(value ->> 1), unhex(value ->> 2),
           coalesce(unhex(value ->> 3), randomblob(80))
         FROM json_each(?)`,
        [JSON.stringify(rows.slice(at, at + rowsPerStatement))],
      );
    const first = rows[0]?.[0] ?? 0;
    await sql.run(
      `INSERT INTO log_events (seq, label, version, flags, opening, state)
       SELECT name.id, name.id, 1, 1, substr(name.place, 1, ${openingBytes}),
         iif(substr(name.label, 1, 1) = x'02', substr(account.label, 2), NULL)
       FROM log_labels name LEFT JOIN log_labels account ON account.id = name.id - 1
       WHERE name.id >= ?`,
      [first],
    );
    const accounts = `SELECT lower(hex(substr(label, 2))) AS account FROM log_labels
      WHERE id >= ? AND substr(label, 1, 1) = x'01' ORDER BY account`;
    await sql.run(
      `INSERT INTO enrolments (account, hash) SELECT account, zeroblob(32) FROM (${accounts})`,
      [first],
    );
    await sql.run(
      `INSERT INTO names (name, account)
       SELECT cast(substr(name.label, 2) AS text), lower(hex(substr(account.label, 2)))
       FROM log_labels name JOIN log_labels account ON account.id = name.id - 1
       WHERE name.id >= ? AND substr(name.label, 1, 1) = x'02'`,
      [first],
    );
    const list = 'INSERT INTO lists (account, epoch, bytes, hash)';
    for (const { account, list: bytes } of lists)
      await sql.run(`${list} VALUES (?, 1, ?, zeroblob(32))`, [account, bytes]);
    await sql.run(
      `${list} SELECT account, 1, randomblob(${listBytes}), zeroblob(32) FROM (${accounts})
       WHERE true ON CONFLICT DO NOTHING`,
      [first],
    );
  });
