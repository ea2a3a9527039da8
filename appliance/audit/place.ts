/** How people name the island that they audit: its address, a link to it, or its card. docs/operations.md §13 */
import { existsSync, readFileSync } from 'node:fs';
import { cardMax, type IslandCard, parseCard } from '@island/protocol/transparency/island-card.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { parseIslandLink } from '@island/protocol/wire/island-link.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import type { PinOptions } from './pins.ts';

export type Place = Pick<PinOptions, 'address' | 'fingerprint' | 'vkey' | 'ownWitness'>;

/** Throws `Fault` for what is none of the three. */
export function readPlace(text: string): Place {
  if (/^island:\/\/[^/]+\/witness\?/.test(text)) return ofCard(parseCard(text));
  if (text.startsWith('island:')) {
    const { address, caFingerprint } = parseIslandLink(text);
    return { address, fingerprint: base64url(caFingerprint) };
  }
  if (existsSync(text)) return ofCard(parseCard(readFileSync(text, 'utf8').slice(0, cardMax + 1)));
  const url = URL.parse(text.includes('://') ? text : `https://${text}`);
  const bare = url?.pathname === '/' && url.search === '' && url.username === '';
  if (url?.protocol !== 'https:' || !bare) throw new Fault('malformed');
  return { address: url.origin };
}

/** Who handed the card over vouches for the key of the log; the witness of the same island is no other's word. */
const ofCard = ({ url, ca, log, witness }: IslandCard): Place => ({
  address: new URL(url).origin,
  ...(ca === undefined ? {} : { fingerprint: base64url(ca) }),
  vkey: log,
  ownWitness: witness,
});
