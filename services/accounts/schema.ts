/** Tables of accounts: people, invites, sessions, signing keys. The SQL is in migrations/. docs/protocol/accounts.md */
import { blob, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

const bytes = (name: string) => blob(name, { mode: 'buffer' });

/** `pending`: name and invite are reserved, the directory has not yet confirmed the enrolment. */
export const people = sqliteTable('people', {
  account: text('account').primaryKey(),
  name: text('name').notNull().unique(),
  state: text('state', { enum: ['pending', 'active'] }).notNull(),
  /** Salt and parameters of the client's own Argon2id. */
  salt: bytes('salt').notNull(),
  memory: integer('memory').notNull(),
  passes: integer('passes').notNull(),
  lanes: integer('lanes').notNull(),
  /** Argon2id of HMAC(pepper, auth), as a PHC string. Never `auth`, nor a fast hash of it (A1). */
  verifier: text('verifier').notNull(),
  /** SHA-256 of the invite, until the registration can no longer be repeated. */
  invite: bytes('invite'),
  /** SHA-256 of what the registration consists of besides the password, as long as `invite`. */
  registration: bytes('registration'),
  /** Unix seconds; coarsened to the day when `invite` goes. */
  since: integer('since').notNull(),
});

export const invites = sqliteTable('invites', {
  /** SHA-256 of the code; the code itself is nowhere. */
  hash: bytes('hash').primaryKey(),
  uses: integer('uses').notNull(),
  used: integer('used').notNull(),
  /** Unix seconds. */
  expires: integer('expires').notNull(),
});

/** A session: all refresh tokens that descend from one sign-in of one device. */
export const families = sqliteTable('families', {
  id: text('id').primaryKey(),
  account: text('account').notNull(),
  device: integer('device').notNull(),
  expires: integer('expires').notNull(),
  ended: integer('ended', { mode: 'boolean' }).notNull(),
});

export const refreshTokens = sqliteTable('refresh_tokens', {
  /** SHA-256 of the token. */
  hash: bytes('hash').primaryKey(),
  family: text('family').notNull(),
  /** SHA-256 of the successor, once the token was exchanged. */
  next: bytes('next'),
  expires: integer('expires').notNull(),
});

export const signingKeys = sqliteTable('signing_keys', {
  kid: text('kid').primaryKey(),
  /** PKCS #8, PEM. */
  private: text('private').notNull(),
  /** Signs from `starts` until `ends`, Unix seconds. */
  starts: integer('starts').notNull(),
  ends: integer('ends').notNull(),
});
