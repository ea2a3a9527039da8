/** A log from before each event kept its entry: migration 0009. docs/protocol/transparency.md §6 */
import { join } from 'node:path';
import { accountOfName, checkAnswer } from '@island/protocol/transparency/answer.ts';
import { nameLabel } from '@island/protocol/transparency/label.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import t from 'tap';
import { openHandle } from '../../kit/store-handle.ts';
import { type TestKeyLog, testKeyLog } from '../testing/key-log.ts';
import { positionOfEvent } from './log-epochs.ts';

/** The tables as they were: the newest event of a label beside the label, no other event with its entry. */
const before = `
BEGIN;
DROP TRIGGER lists_are_kept;
CREATE TABLE labels_before (id integer primary key, label blob not null unique, place blob, proof blob,
  version integer not null, position integer, hash blob, entry blob,
  check ((version = 0) = (position is null) and (version = 0) = (hash is null))) strict;
INSERT INTO labels_before SELECT l.id, l.label, l.place, l.proof, e.version, ${positionOfEvent}, zeroblob(32), e.entry
  FROM log_labels l JOIN log_events e ON e.label = l.id
  WHERE e.version = (SELECT max(version) FROM log_events WHERE label = l.id AND entry IS NOT NULL);
INSERT INTO labels_before (id, label, version) SELECT id, label, 0 FROM log_labels WHERE place IS NULL;
CREATE TABLE events_before (seq integer primary key, label integer not null references labels_before (id),
  version integer not null, flags integer not null, opening blob, state blob, entry blob, unique (label, version)) strict;
INSERT INTO events_before SELECT seq, label, version, flags, opening, state, NULL FROM log_events;
CREATE TABLE endings_before (account text primary key, account_label integer not null references labels_before (id),
  name_label integer not null references labels_before (id)) strict, without rowid;
DROP TABLE endings;
DROP TABLE log_events;
DROP TABLE log_labels;
ALTER TABLE labels_before RENAME TO log_labels;
ALTER TABLE events_before RENAME TO log_events;
ALTER TABLE endings_before RENAME TO endings;
CREATE TRIGGER lists_are_kept BEFORE DELETE ON lists
  WHEN NOT EXISTS (SELECT 1 FROM endings WHERE endings.account = old.account) BEGIN
  SELECT raise(abort, 'a stored device list is kept');
END;
DELETE FROM migrations WHERE number >= 9;
COMMIT`;

const storedRows = async ({ store }: TestKeyLog) => [
  await store.rows('SELECT id, label, place, proof FROM log_labels ORDER BY id'),
  await store.rows(
    'SELECT seq, label, version, flags, opening, state FROM log_events ORDER BY seq',
  ),
];

async function isVersion(test: TestKeyLog, name: string, version: number): Promise<void> {
  const { labels } = checkAnswer(await test.log.lookUp(name), {
    log: await test.log.pinned(),
    labels: [nameLabel(name), accountOfName],
    allowUnwitnessed: true,
  });
  t.match(labels, [{ version: 1 }, { version }], name);
  t.equal((await test.log.history(name, 0)).length, version);
}

t.test(
  'a log from before goes on: what it showed, what waited, and events whose entry is in a bundle alone',
  async (t) => {
    const dir = t.testdir();
    const names = ['ada', 'bob', 'old'];
    let accounts: AccountId[] = [];
    let rows: unknown;
    {
      await using test = await testKeyLog(dir);
      accounts = await test.join(...names);
      await test.log.settled();
      await test.change(accounts.slice(0, 2), 2);
      await test.log.settled();
      rows = await storedRows(test);
    }
    {
      await using handle = await openHandle(join(dir, 'directory.sqlite'), { write: true });
      await handle.exec(before);
      // From before an entry was kept at all.
      await handle.run(
        'UPDATE log_labels SET entry = NULL WHERE id IN (SELECT max(id) FROM log_labels UNION SELECT min(id) FROM log_labels)',
      );
    }
    {
      await using test = await testKeyLog(dir);
      t.same(await storedRows(test), rows, 'labels with their places, events with their openings');
      await isVersion(test, 'ada', 2);
      await isVersion(test, 'old', 1);
      for (const epoch of [3, 4]) await test.change(accounts.slice(0, 2), epoch);
      await test.change(accounts.slice(2), 2);
      await test.change(await test.join('new'), 2);
      await test.log.settled();
      for (const [name, version] of [
        ['ada', 4],
        ['bob', 4],
        ['old', 2],
        ['new', 2],
      ] as const)
        await isVersion(test, name, version);
      const kept = test.store.write((_db, sql) =>
        sql.run('UPDATE log_events SET entry = NULL WHERE seq = (SELECT max(seq) FROM log_events)'),
      );
      await t.rejects(kept, /final/);
    }
    await using again = await testKeyLog(dir);
    for (const name of ['ada', 'bob']) await isVersion(again, name, 4);
  },
);
