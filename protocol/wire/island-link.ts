/**
 * What a person is handed to open an island with, as one line of text:
 *
 *     island://HOST[:PORT]/join?ca=FINGERPRINT[&invite=CODE]                        docs/protocol/accounts.md §1
 *     island://HOST[:PORT]/recover?ca=FINGERPRINT&name=NAME                         docs/protocol/keys.md §7
 *     island://HOST[:PORT]/space?ca=FINGERPRINT&space=SPACE&key=KEY                 docs/protocol/channel.md §3.2
 *     island://HOST[:PORT]/link?ca=FINGERPRINT&name=NAME&offer=OFFER&secret=SECRET  docs/protocol/linking.md §1
 *
 * The fingerprint is SHA-256 of the island's root certificate (DER); it, the offer (16 bytes) and the
 * secret (32) are base64url, and so are the id of a space (16) and the private key of an invite to it (32). The port is 443 unless given. The order is fixed.
 */
import { Fault } from './fault.ts';
import { personName, type SpaceId, spaceId } from './ids.ts';
import { base64url, fromBase64url, fromHex, hex } from './text.ts';

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

/** Whoever has it can join the space, for as long as its invite stands. */
export interface SpaceLink extends ToIsland {
  kind: 'space';
  space: SpaceId;
  /** 32 bytes, a seed of Ed25519; the island never sees it. */
  key: Uint8Array;
}

export type IslandLink = JoinLink | RecoverLink | DeviceLink | SpaceLink;

export function formatIslandLink(link: IslandLink): string {
  const { host } = new URL(link.address);
  const start = `island://${host}/${link.kind}?ca=${base64url(link.caFingerprint)}`;
  switch (link.kind) {
    case 'join':
      return link.invite === undefined ? start : `${start}&invite=${link.invite}`;
    case 'recover':
      return `${start}&name=${link.name}`;
    case 'space':
      return `${start}&space=${base64url(fromHex(link.space))}&key=${base64url(link.key)}`;
    case 'link':
      return `${start}&name=${link.name}&offer=${base64url(link.offer)}&secret=${base64url(link.secret)}`;
  }
}

const whole = /^island:\/\/([^/?#@\s]+)\/([a-z]+)\?ca=([A-Za-z0-9_-]{43})(?:&([^\s#]*))?$/;
const patterns = {
  join: /^invite=([A-Za-z0-9_-]{1,64})$/,
  recover: /^name=([^&=]{1,32})$/,
  space: /^space=([A-Za-z0-9_-]{22})&key=([A-Za-z0-9_-]{43})$/,
  link: /^name=([^&=]{1,32})&offer=([A-Za-z0-9_-]{22})&secret=([A-Za-z0-9_-]{43})$/,
} as const;

const isKind = (kind: string | undefined): kind is keyof typeof patterns =>
  kind !== undefined && Object.hasOwn(patterns, kind);

/** Throws `malformed` for anything else than one of the four, `name_invalid` for a name that is none. */
export function parseIslandLink(text: string): IslandLink {
  const [, host = '', kind, ca = '', rest] = whole.exec(text.trim()) ?? [];
  const at = `https://${host}`;
  if (!URL.canParse(at)) throw new Fault('malformed');
  const to = { address: new URL(at).origin, caFingerprint: fromBase64url(ca) };
  if (kind === 'join' && rest === undefined) return { kind, ...to };
  if (!isKind(kind)) throw new Fault('malformed');
  const [found, first = '', offer = '', secret = ''] = patterns[kind].exec(rest ?? '') ?? [];
  if (found === undefined) throw new Fault('malformed');
  if (kind === 'join') return { kind, ...to, invite: first };
  if (kind === 'space') {
    const space = spaceId(hex(fromBase64url(first)));
    return { kind, ...to, space, key: fromBase64url(offer) };
  }
  const name = personName(first);
  if (kind === 'recover') return { kind, ...to, name };
  return { kind, ...to, name, offer: fromBase64url(offer), secret: fromBase64url(secret) };
}
