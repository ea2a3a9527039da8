/**
 * The card of an island: what another island needs to be its witness, or to have it as one.
 * docs/protocol/transparency.md §7
 *
 *     JSON, in a file:   { "format": "pi-card/v1", "name", "url", "ca"?, "log", "witness": [vkey, …] }
 *     one line, as QR:   island://HOST[:PORT]/witness?ca=FINGERPRINT&log=VKEY&witness=VKEY
 *
 * The line has the Ed25519 key of the witness alone, vkeys percent-encoded, and `ca=` empty where there is none; its
 * `url` is https://HOST[:PORT]/witness. A card says who somebody claims to be: whoever hands it over vouches for it.
 */
import * as v from 'valibot';
import { Fault } from '../wire/fault.ts';
import { decode } from '../wire/schema.ts';
import { base64url, fromBase64url } from '../wire/text.ts';
import { keyTypes, parseVkey, type Vkey } from './note.ts';
import { TransparencyFault } from './transparency-fault.ts';

export interface IslandCard {
  /** What the island calls itself. */
  name: string;
  /** Where its witness is asked: the submission prefix of c2sp.org/tlog-witness. */
  url: string;
  /** SHA-256 of its root certificate (DER), 32 bytes; absent where the system's roots know it. */
  ca?: Uint8Array;
  /** Verifier key of its log; its name is the origin. */
  log: string;
  /** Verifier keys of its witness, one of each kind; all of one name. */
  witness: readonly string[];
}

/** Characters of a card that are looked at. */
export const cardMax = 8192;
const path = '/witness';

const schema = v.strictObject({
  format: v.literal('pi-card/v1'),
  name: v.pipe(v.string(), v.minLength(1), v.maxLength(128)),
  url: v.pipe(v.string(), v.maxLength(1024), v.url(), v.startsWith('https://')),
  ca: v.optional(v.string()),
  log: v.string(),
  witness: v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(2)),
});

/** A file's text. */
export function formatCard({ name, url, ca, log, witness }: IslandCard): string {
  const card = { format: 'pi-card/v1', name, url, ...(ca && { ca: base64url(ca) }), log, witness };
  return `${JSON.stringify(card, undefined, 2)}\n`;
}

/** One line: short enough for a QR code. Throws `malformed` where the card has no Ed25519 key. */
export function formatCardLink({ url, ca, log, witness }: IslandCard): string {
  const key = witness.find((one) => parseVkey(one).type === keyTypes.cosignature);
  if (key === undefined) throw new Fault('malformed');
  const { host } = new URL(url);
  const [of, by] = [log, key].map(encodeURIComponent);
  return `island://${host}${path}?ca=${ca ? base64url(ca) : ''}&log=${of}&witness=${by}`;
}

/** Of either form. Throws `malformed`. */
export function parseCard(text: string): IslandCard {
  if (text.length > cardMax) throw new Fault('malformed');
  const trimmed = text.trim();
  const card = trimmed.startsWith('island://') ? fromLink(trimmed) : fromJson(trimmed);
  const log = keyOf(card.log);
  const keys = card.witness.map(keyOf);
  const names = new Set(keys.map(({ name }) => name));
  const cosigns = keys.every(({ type }) => type !== keyTypes.ed25519);
  if (log.type !== keyTypes.ed25519 || !cosigns || names.size !== 1) throw new Fault('malformed');
  if (new Set(keys.map(({ type }) => type)).size !== keys.length) throw new Fault('malformed');
  if (card.ca !== undefined && card.ca.length !== 32) throw new Fault('malformed');
  return card;
}

function fromJson(text: string): IslandCard {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Fault('malformed');
  }
  const { format: _, ca, ...card } = decode(schema, json);
  return { ...card, ...(ca !== undefined && { ca: fromBase64url(ca) }) };
}

const line =
  /^island:\/\/([^/?#@\s]+)\/witness\?ca=([A-Za-z0-9_-]{43})?&log=([^&\s]+)&witness=([^&\s]+)$/;

function fromLink(text: string): IslandCard {
  const [, host = '', ca, log = '', witness = ''] = line.exec(text) ?? [];
  if (!URL.canParse(`https://${host}`)) throw new Fault('malformed');
  const { origin, hostname } = new URL(`https://${host}`);
  const known = ca === undefined ? {} : { ca: fromBase64url(ca) };
  const keys = { log: decoded(log), witness: [decoded(witness)] };
  return { name: hostname, url: `${origin}${path}`, ...known, ...keys };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Fault('malformed');
  }
}

function keyOf(text: string): Vkey {
  try {
    return parseVkey(text);
  } catch (cause) {
    if (cause instanceof TransparencyFault) throw new Fault('malformed', undefined, { cause });
    throw cause;
  }
}
