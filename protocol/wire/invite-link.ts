/**
 * `island://HOST[:PORT]/join?ca=FINGERPRINT&invite=CODE`: all that a new person needs. docs/protocol/accounts.md §1
 * The fingerprint is SHA-256 of the island's root certificate (DER), base64url; the port is 443 unless given.
 */
import { Fault } from './fault.ts';
import { base64url, fromBase64url } from './text.ts';

export interface InviteLink {
  /** `https://host[:port]`, no trailing slash. */
  address: string;
  caFingerprint: Uint8Array;
  invite: string;
}

export function formatInviteLink(link: InviteLink): string {
  const { host } = new URL(link.address);
  return `island://${host}/join?ca=${base64url(link.caFingerprint)}&invite=${link.invite}`;
}

export function parseInviteLink(text: string): InviteLink {
  const match =
    /^island:\/\/([^/?#@\s]+)\/join\?ca=([A-Za-z0-9_-]{43})&invite=([A-Za-z0-9_-]{1,64})$/.exec(
      text.trim(),
    );
  const [, host, ca, invite] = match ?? [];
  if (host === undefined || ca === undefined || invite === undefined) throw new Fault('malformed');
  const address = `https://${host}`;
  if (!URL.canParse(address)) throw new Fault('malformed');
  return { address: new URL(address).origin, caFingerprint: fromBase64url(ca), invite };
}
