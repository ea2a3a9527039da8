/** What one row of the tables of routes says, and the shapes that several rows share. docs/protocol/http.md */
import * as v from 'valibot';
import { limits } from './limits.ts';
import * as s from './schema.ts';

/**
 * Who may ask: `none` is anybody, `token` a device that is signed in, `joining` somebody who has shown who
 * they are and has no device yet, `either` both. docs/protocol/http.md §3
 */
export type RouteAuth = 'none' | 'token' | 'joining' | 'either';

export interface RouteRow {
  method: 'GET' | 'POST';
  /** `:name` stands for one segment. */
  path: string;
  auth: RouteAuth;
  request: v.GenericSchema;
  answer: v.GenericSchema;
}
export const route = <const R extends RouteRow>(row: R): R => row;

/** Bytes that a signed structure may have, at most: with room for what later versions add. */
export const structureBytes = {
  list: 4096,
  signedPrekey: 512,
  lastResort: 2048,
  oneTime: 2048,
  batch: 180_000,
  /** Signing key and certificate: exactly. dm.md §9 */
  senderCertificate: 348,
  /** What the directory proves of one name: checkpoint with its cosignatures, and two labels. transparency.md §6 */
  proof: 98_304,
} as const;

/** One version of a label with what opens its entry in the log. transparency.md §6 */
export const logStep = v.strictObject({
  event: s.text64(102),
  opening: s.text64(16),
  state: s.text64UpTo(structureBytes.list),
});

/** Bytes of a nonce of the island. accounts.md §4 */
export const nonceBytes = 40;

/** Argon2id parameters of the client's password hash. docs/protocol/accounts.md §2 */
export const kdf = v.strictObject({
  /** KiB. */
  memory: v.pipe(v.number(), v.integer(), v.minValue(8), v.maxValue(4_194_304)),
  passes: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(64)),
  lanes: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(16)),
});

/** A token as it stands in a header: nothing in it breaks the line, or reaches a terminal. RFC 6750 §2.1 */
export const bearer = v.pipe(v.string(), v.maxLength(2048), v.regex(/^[A-Za-z0-9._~+/-]+=*$/));

export const tokens = v.strictObject({
  /** RS256 JWT, `limits.accessSeconds` long. */
  access: bearer,
  /** `limits.refreshSeconds` long, good for one exchange. Base64url. */
  refresh: v.pipe(v.string(), v.maxLength(128), v.regex(/^[A-Za-z0-9_-]+$/)),
});

/** What a new device publishes: every field is a signed structure of docs/protocol/devices.md and prekeys.md. */
export const enrolment = {
  /** DeviceList, signed by the account identity key. */
  list: s.text64UpTo(structureBytes.list),
  /** HMAC under DH(DIK, challenge): proves the device holds its DIK. devices.md §3 */
  proof: s.text64(32),
  /** The challenge the proof answers. */
  challenge: s.text64(32),
  signedPrekey: s.text64UpTo(structureBytes.signedPrekey),
  lastResort: s.text64UpTo(structureBytes.lastResort),
  batch: s.text64UpTo(structureBytes.batch),
};

/** The key record of an account and what opens its code slots, together. docs/protocol/keys.md */
export const keeping = {
  /** KeyRecord, signed by the account identity key. */
  record: s.text64UpTo(limits.recordBytes),
  /** A share for every code slot of the record, no other. */
  shares: v.pipe(
    v.array(v.strictObject({ loc: s.text64(16), share: s.text64(32) })),
    v.maxLength(limits.backupCodes),
  ),
};

export const nonce = s.text64(nonceBytes);
/** Ed25519 by a key that only the asker has, over a fresh nonce. */
export const signature = s.text64(64);
export const salt = s.text64(16);
