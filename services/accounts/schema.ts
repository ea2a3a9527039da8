/** Tables of accounts. The SQL is in migrations/. docs/protocol/accounts.md §8 */
import { registrationModes, roles } from '@island/protocol/wire/account-routes.ts';
import { blob, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';

const bytes = (name: string) => blob(name, { mode: 'buffer' });

/**
 * `pending`: name and invite are reserved, the directory has not yet confirmed the enrolment.
 * `waiting`: the same, and the operator has not let them in yet; then `admitted`, until they come back,
 * or `refused`, which is remembered for a day.
 */
export const people = sqliteTable('people', {
  account: text('account').primaryKey(),
  name: text('name').notNull().unique(),
  state: text('state', {
    enum: ['pending', 'waiting', 'admitted', 'refused', 'active'],
  }).notNull(),
  role: text('role', { enum: roles }).notNull(),
  /** Salt and parameters of the client's own Argon2id; null for who signs in with the organisation. */
  salt: bytes('salt'),
  memory: integer('memory'),
  passes: integer('passes'),
  lanes: integer('lanes'),
  /** Argon2id of HMAC(pepper, auth), as a PHC string. Never `auth`, nor a fast hash of it (A1). */
  verifier: text('verifier'),
  /** Public half of the password key, sealed: whoever has only the database can't guess passwords by it. */
  passwordKey: bytes('password_key'),
  /** HMAC of issuer and subject of the organisation's sign-in. */
  oidcSubject: bytes('oidc_subject'),
  /** Salt and parameters of the backup codes: of the present record. */
  codeSalt: bytes('code_salt').notNull(),
  codeMemory: integer('code_memory').notNull(),
  codePasses: integer('code_passes').notNull(),
  codeLanes: integer('code_lanes').notNull(),
  /** Sealed secrets of six-digit sign-in: in force, and begun. */
  totpSecret: bytes('totp_secret'),
  totpPending: bytes('totp_pending'),
  /** The newest time step that was accepted: no step at or before it is again (A2). */
  totpStep: integer('totp_step').notNull().default(0),
  /** Unix seconds at which a reset of the account was asked for. */
  resetAsked: integer('reset_asked'),
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
  role: text('role', { enum: roles }).notNull(),
});

/** A session: all refresh tokens that descend from one sign-in of one device. */
export const families = sqliteTable('families', {
  id: text('id').primaryKey(),
  account: text('account').notNull(),
  device: integer('device').notNull(),
  /** Days since 1970-01-01 UTC (D5). */
  begunDay: integer('begun_day').notNull(),
  usedDay: integer('used_day').notNull(),
  expires: integer('expires').notNull(),
  /** Unix seconds, once it was ended. */
  ended: integer('ended'),
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
  /** PKCS #8, sealed: the database alone signs nothing. */
  sealed: bytes('sealed').notNull(),
  /** Signs from `starts` until `ends`, Unix seconds. */
  starts: integer('starts').notNull(),
  ends: integer('ends').notNull(),
});

/** Nonces that gave a session, until they would have ended anyway. */
export const spentNonces = sqliteTable('spent_nonces', {
  hash: bytes('hash').primaryKey(),
  expires: integer('expires').notNull(),
});

/** The present record of an account's keys. docs/protocol/keys.md */
export const records = sqliteTable('records', {
  account: text('account').primaryKey(),
  version: integer('version').notNull(),
  hash: bytes('hash').notNull(),
  bytes: bytes('bytes').notNull(),
});

/**
 * Records that go with a list which the directory may not have yet. Each list with its own: whichever of two that
 * cross becomes the next, its record is here.
 */
export const stagedRecords = sqliteTable(
  'staged_records',
  {
    account: text('account').notNull(),
    listHash: bytes('list_hash').notNull(),
    bytes: bytes('bytes').notNull(),
    /** The shares of its code slots, in their order, sealed. */
    shares: bytes('shares').notNull(),
    /** The joining that brought it. */
    joining: text('joining'),
    since: integer('since').notNull(),
  },
  (table) => [primaryKey({ columns: [table.account, table.listHash] })],
);

/** What a backup code needs of the island: deleted when it is used (A2, A3). */
export const codeSlots = sqliteTable(
  'code_slots',
  {
    account: text('account').notNull(),
    loc: bytes('loc').notNull(),
    /** SHA-256 of the proof. */
    proofHash: bytes('proof_hash').notNull(),
    /** Sealed. */
    share: bytes('share').notNull(),
  },
  (table) => [primaryKey({ columns: [table.account, table.loc] })],
);

/** Those on their way to a device. */
export const joinings = sqliteTable('joinings', {
  id: text('id').primaryKey(),
  account: text('account').notNull(),
  expires: integer('expires').notNull(),
  /** What their code released, sealed, until they have joined. */
  loc: bytes('loc'),
  share: bytes('share'),
  done: integer('done', { mode: 'boolean' }).notNull().default(false),
});

/** Accounts that were ended here, until every other service has let go of them: ending.ts. */
export const endings = sqliteTable('endings', { account: text('account').primaryKey() });

/** Sessions of accounts that were ended. */
export const endedSessions = sqliteTable('ended_sessions', {
  id: text('id').primaryKey(),
  /** Unix seconds. */
  ended: integer('ended').notNull(),
});

/** One row: how people may join, and the organisation's own sign-in, sealed. */
export const policy = sqliteTable('policy', {
  id: integer('id').primaryKey(),
  registration: text('registration', { enum: registrationModes }).notNull(),
  oidc: bytes('oidc'),
});

/** Sign-ins with the organisation that are under way. Keys are SHA-256 of what the client and the browser hold. */
export const oidcFlows = sqliteTable('oidc_flows', {
  flow: bytes('flow').primaryKey(),
  state: bytes('state').notNull(),
  /** PKCE verifier, nonce, the grant to be and the digits that ask for it. */
  sealed: bytes('sealed').notNull(),
  /** SHA-256 of the grant, once the organisation said yes. */
  grantHash: bytes('grant_hash'),
  /** HMAC of issuer and subject. */
  subject: bytes('subject'),
  name: text('name'),
  /** `returned`: the browser is back, and the code is being exchanged: once. */
  stage: text('stage', { enum: ['begun', 'returned', 'granted', 'refused'] }).notNull(),
  /** Wrong digits. */
  tries: integer('tries').notNull().default(0),
  /** Unix seconds. */
  expires: integer('expires').notNull(),
});
