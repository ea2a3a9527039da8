/**
 * What two people compare to know that nobody stands between them. docs/protocol/devices.md §9
 *
 *     h 0     = SHA-512( "PI/1/safety" ‖ 0x00 ‖ AIK 32 ‖ account 16 )
 *     h i     = SHA-512( h i-1 ‖ AIK 32 ‖ account 16 )                     i = 1 … 5,200
 *     half    = six groups of five digits: each five bytes of h 5,200, big-endian, modulo 100,000
 *     number  = the smaller half, then the other
 *
 *     code    = u8 1 ‖ u8 0x3a ‖ account 16 ‖ AIK 32 ‖ account 16 ‖ AIK 32        own, then the other's
 *
 * Rounds: Signal's numeric fingerprint has as many; they make the search for a key with the same digits dearer.
 */
import { concat, Reader, utf8Bytes, Writer } from '../wire/bytes.ts';
import { type AccountId, accountId } from '../wire/ids.ts';
import { fromHex, hex } from '../wire/text.ts';
import { equal, sha512 } from './primitives.ts';
import { signingKey } from './public-key.ts';

/** A side of a conversation: the account and the identity key it has now. */
export interface Identity {
  account: AccountId;
  aik: Uint8Array;
}

const rounds = 5_200;
const label = utf8Bytes('PI/1/safety\0');
const version = 1;
const type = 0x3a;

/** Twelve groups of five digits, the same on both sides. Takes some ten milliseconds. */
export function safetyNumber(one: Identity, other: Identity): string[] {
  const [first, second] = [digits(one), digits(other)].sort() as [string, string];
  return (first + second).match(/.{5}/g) ?? [];
}

function digits({ account, aik }: Identity): string {
  const subject = concat(aik, fromHex(account));
  let hash = sha512(concat(label, subject));
  for (let i = 0; i < rounds; i++) hash = sha512(concat(hash, subject));
  const groups = Array.from({ length: 6 }, (_, i) => {
    const five = hash.subarray(5 * i, 5 * i + 5).reduce((sum, byte) => sum * 256 + byte, 0);
    return String(five % 100_000).padStart(5, '0');
  });
  return groups.join('');
}

/** What one side shows for the other to scan, 98 bytes. */
export function encodeSafetyCode(own: Identity, other: Identity): Uint8Array {
  const out = new Writer(98).u8(version).u8(type);
  for (const side of [own, other]) out.raw(fromHex(side.account)).raw(side.aik);
  return out.done();
}

/** `own` is the side that shows the code. */
export function decodeSafetyCode(bytes: Uint8Array): { own: Identity; other: Identity } {
  const from = new Reader(bytes).header(version, type);
  const side = (): Identity => ({
    account: accountId(hex(from.raw(16))),
    aik: signingKey(from.raw(32)),
  });
  const code = { own: side(), other: side() };
  from.end();
  return code;
}

/**
 * What a scanned code says to `own`, who takes the one who shows it for `other`: `same`; `other_people`, the
 * code of another conversation, which says nothing; `differs`, somebody stands between the two, or one of
 * them has an old key. Throws faults of form for what is no code.
 */
export function compareSafetyCode(
  scanned: Uint8Array,
  own: Identity,
  other: Identity,
): 'same' | 'other_people' | 'differs' {
  const shown = decodeSafetyCode(scanned);
  if (shown.own.account !== other.account || shown.other.account !== own.account)
    return 'other_people';
  const same = equal(shown.own.aik, other.aik) && equal(shown.other.aik, own.aik);
  return same ? 'same' : 'differs';
}
