/**
 * What a person is handed to open an island with, as one line of text:
 *
 *     island://HOST[:PORT]/join?ca=FINGERPRINT[&invite=CODE]                        docs/protocol/accounts.md §1
 *     island://HOST[:PORT]/recover?ca=FINGERPRINT&name=NAME                         docs/protocol/keys.md §7
 *     island://HOST[:PORT]/link?ca=FINGERPRINT&name=NAME&offer=OFFER&secret=SECRET  docs/protocol/linking.md §1
 *
 * The fingerprint is SHA-256 of the island's root certificate (DER); it, the offer (16 bytes) and the
 * secret (32) are base64url. The port is 443 unless given. The order is fixed.
 */
import { Fault } from './fault.ts';
import { personName } from './ids.ts';
import { base64url, fromBase64url } from './text.ts';

interface ToIsland {
  /** `https://host[:port]`, no trailing slash. */
  address: string;
  caFingerprint: Uint8Array;
}

export interface JoinLink extends ToIsland {
  kind: 'join';
  /** Not needed where the island is open, or asks its operator. */
  invite?: string;
}

/** Holds no secret: says which island is meant, and who. */
export interface RecoverLink extends ToIsland {
  kind: 'recover';
  name: string;
}

/** A secret for as long as its offer stands. */
export interface DeviceLink extends ToIsland {
  kind: 'link';
  name: string;
  /** 16 bytes. */
  offer: Uint8Array;
  /** 32 bytes; the island never sees them. */
  secret: Uint8Array;
}

export type IslandLink = JoinLink | RecoverLink | DeviceLink;

export function formatIslandLink(link: IslandLink): string {
  const { host } = new URL(link.address);
  const start = `island://${host}/${link.kind}?ca=${base64url(link.caFingerprint)}`;
  switch (link.kind) {
    case 'join':
      return link.invite === undefined ? start : `${start}&invite=${link.invite}`;
    case 'recover':
      return `${start}&name=${link.name}`;
    case 'link':
      return `${start}&name=${link.name}&offer=${base64url(link.offer)}&secret=${base64url(link.secret)}`;
  }
}

const whole = /^island:\/\/([^/?#@\s]+)\/([a-z]+)\?ca=([A-Za-z0-9_-]{43})(?:&([^\s#]*))?$/;
const patterns = {
  join: /^invite=([A-Za-z0-9_-]{1,64})$/,
  recover: /^name=([^&=]{1,32})$/,
  link: /^name=([^&=]{1,32})&offer=([A-Za-z0-9_-]{22})&secret=([A-Za-z0-9_-]{43})$/,
} as const;

/** Throws `malformed` for anything else than one of the three, `name_invalid` for a name that is none. */
export function parseIslandLink(text: string): IslandLink {
  const [, host = '', kind, ca = '', rest] = whole.exec(text.trim()) ?? [];
  const at = `https://${host}`;
  if (!URL.canParse(at)) throw new Fault('malformed');
  const to = { address: new URL(at).origin, caFingerprint: fromBase64url(ca) };
  if (kind === 'join' && rest === undefined) return { kind, ...to };
  if (kind !== 'join' && kind !== 'recover' && kind !== 'link') throw new Fault('malformed');
  const [found, first = '', offer = '', secret = ''] = patterns[kind].exec(rest ?? '') ?? [];
  if (found === undefined) throw new Fault('malformed');
  if (kind === 'join') return { kind, ...to, invite: first };
  const name = personName(first);
  if (kind === 'recover') return { kind, ...to, name };
  return { kind, ...to, name, offer: fromBase64url(offer), secret: fromBase64url(secret) };
}
