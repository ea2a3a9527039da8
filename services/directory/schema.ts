/** Tables of the directory: device lists, names, prekeys. The SQL is in migrations/. docs/protocol/directory.md */
import { blob, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';

const bytes = (name: string) => blob(name, { mode: 'buffer' });
const device = { account: text('account').notNull(), device: integer('device').notNull() };

export const enrolments = sqliteTable('enrolments', {
  account: text('account').primaryKey(),
  /** SHA-256 of all that was enrolled: the same again changes nothing. */
  hash: bytes('hash').notNull(),
});

/** The label by which a person is found. */
export const names = sqliteTable('names', {
  name: text('name').primaryKey(),
  account: text('account').notNull(),
});

/** Accounts that ended, until the log has published it: ending.ts. */
export const endings = sqliteTable('endings', {
  account: text('account').primaryKey(),
  accountLabel: integer('account_label').notNull(),
  nameLabel: integer('name_label').notNull(),
});

/** Every epoch of every list, as signed. Rows are only ever added, for as long as the account is there: the transparency log commits to them. */
export const lists = sqliteTable(
  'lists',
  {
    account: text('account').notNull(),
    epoch: integer('epoch').notNull(),
    bytes: bytes('bytes').notNull(),
    hash: bytes('hash').notNull(),
  },
  (table) => [primaryKey({ columns: [table.account, table.epoch] })],
);

/** Signed prekeys and last-resort prekeys: one of each in use, those before it for a while. */
export const standingPrekeys = sqliteTable(
  'standing_prekeys',
  {
    ...device,
    kind: text('kind', { enum: ['signed', 'last-resort'] }).notNull(),
    id: integer('id').notNull(),
    bytes: bytes('bytes').notNull(),
    /** Unix seconds when a newer one took its place. */
    replaced: integer('replaced'),
  },
  (table) => [primaryKey({ columns: [table.account, table.device, table.kind, table.id] })],
);

export const oneTimePrekeys = sqliteTable(
  'one_time_prekeys',
  {
    ...device,
    id: integer('id').notNull(),
    /** OneTimePrekey as it is handed out: key, Merkle path, signature of the batch. */
    bytes: bytes('bytes').notNull(),
    /** Days since 1970-01-01 UTC. */
    expiresDay: integer('expires_day').notNull(),
    /** Unix seconds when it was handed out: never again after that (D4: kept seven days). */
    handed: integer('handed'),
  },
  (table) => [primaryKey({ columns: [table.account, table.device, table.id] })],
);

/** The newest batch of each device: smaller ids are refused, the very same one changes nothing. */
export const batches = sqliteTable(
  'batches',
  {
    ...device,
    /** The first id after the batch. */
    next: integer('next').notNull(),
    hash: bytes('hash').notNull(),
  },
  (table) => [primaryKey({ columns: [table.account, table.device] })],
);

/** The key that signs sender certificates: the newest, no other. docs/protocol/dm.md §9 */
export const senderKeys = sqliteTable('sender_keys', {
  kid: integer('kid').primaryKey(),
  /** Its private half. */
  sealed: bytes('sealed').notNull(),
  /** What the root signed of it. */
  signed: bytes('signed').notNull(),
  /** Days since 1970-01-01 UTC. */
  nbfDay: integer('nbf_day').notNull(),
});
