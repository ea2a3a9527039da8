/**
 * How a device that is on the list hands the account's secrets to one that will be: two devices of one
 * person, a link shown by the old and read by the new, and six digits that the person compares.
 * docs/protocol/linking.md §2 to §5
 *
 *     message = u8 1 ‖ u8 0x70 ‖ u8 step ‖ var16 sealed
 *     step 1 new → old   commit 32 = SHA-256( "PI/1/link/commit" ‖ n_pub 32 ‖ rN 32 )
 *     step 2 old → new   e_pub 32 ‖ rE 32
 *     step 3 new → old   n_pub 32 ‖ rN 32
 *     step 4 old → new   u8 1 ‖ u8 0x71 ‖ u8 answer (1 given, 0 refused) ‖ ARK 32 ‖ u32 arkEpoch ‖ AIK seed 32
 *                        ‖ list hash 32 ‖ record hash 32 ‖ u64 headSeq ‖ headHash 32      (refused: zeros)
 *
 *     said   = commit ‖ e_pub ‖ rE ‖ n_pub ‖ rN
 *     digits = first 8 bytes of HKDF( offer, secret ‖ said, "PI/1/link/digits", 8 ), as u64, mod 10^6
 *     steps 1 to 3: key ‖ nonce = HKDF( offer, secret, "PI/1/link/" ‖ step, 44 )
 *     step 4:       key ‖ nonce = HKDF( SHA-256( "PI/1/hash/link" ‖ 0x00 ‖ said ), secret ‖ DH(e, n), "PI/1/link/keys", 44 )
 *     sealed = ChaCha20-Poly1305( key, nonce, …, AD = u8 1 ‖ u8 0x70 ‖ u8 step ‖ offer 16 )
 *
 * Whoever stands between the devices and has seen the link must say its own keys before it knows the
 * numbers that make the digits: one guess in a million, once an offer.
 */
import { concat, Reader, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { limits } from '../wire/limits.ts';
import { CryptoFault } from './crypto-fault.ts';
import {
  chacha,
  type DhPair,
  ed25519,
  equal,
  hkdf,
  type Random,
  randomBytes,
  type SigningPair,
  sha256Of,
  x25519,
} from './primitives.ts';
import { dhKey } from './public-key.ts';

/** What the link carries. */
export interface Offer {
  /** 16 random bytes; the island knows them. */
  offer: Uint8Array;
  /** 32 random bytes; the island does not. */
  secret: Uint8Array;
}

/** What the old device gives: enough to open the key record and to notice an island that shows an older state. */
export interface LinkGift {
  ark: Uint8Array;
  arkEpoch: number;
  aik: SigningPair;
  listHash: Uint8Array;
  recordHash: Uint8Array;
  /** The newest segment of the archive that the old device knows; 0 and zeros for none. */
  head: { seq: number; hash: Uint8Array };
}

const version = 1;
const messageType = 0x70;
const giftType = 0x71;
const giftBytes = 175;
const commitLabel = utf8Bytes('PI/1/link/commit');
const hashLabel = utf8Bytes('PI/1/hash/link\0');
type Step = 1 | 2 | 3 | 4;

export function makeOffer(random: Random = randomBytes): Offer {
  return { offer: random(16), secret: random(32) };
}

function messageAd(step: Step, { offer, secret }: Offer): Uint8Array {
  if (offer.length !== 16 || secret.length !== 32) throw new Fault('malformed');
  return concat(Uint8Array.of(version, messageType, step), offer);
}

interface OneUse {
  key: Uint8Array;
  nonce: Uint8Array;
}

function derived(salt: Uint8Array, ikm: Uint8Array, info: string): OneUse {
  const both = hkdf(salt, ikm, info, 44);
  return { key: both.subarray(0, 32), nonce: both.subarray(32) };
}

const stepKeys = (step: Step, { offer, secret }: Offer): OneUse =>
  derived(offer, secret, `PI/1/link/${step}`);

function seal(step: Step, offer: Offer, { key, nonce }: OneUse, plain: Uint8Array): Uint8Array {
  const sealed = chacha.seal(key, nonce, plain, messageAd(step, offer));
  const out = new Writer(sealed.length + 5).u8(version).u8(messageType).u8(step);
  return out.var16(sealed).done();
}

/** Throws `CryptoFault` `link_broken` for what this offer does not open, faults of form for what is no message of this step. */
function open(step: Step, offer: Offer, { key, nonce }: OneUse, message: Uint8Array): Reader {
  if (message.length > limits.linkMessageBytes) throw new Fault('too_large');
  const from = new Reader(message).header(version, messageType);
  if (from.u8() !== step) throw new Fault('unknown_type');
  const sealed = from.var16();
  from.end();
  const plain = chacha.open(key, nonce, sealed, messageAd(step, offer));
  if (plain === undefined) throw new CryptoFault('link_broken');
  return new Reader(plain);
}

/** A key pair and a number of one side; both are drawn for one offer. */
interface Draw {
  pair: DhPair;
  number: Uint8Array;
}

function draw(random: Random): Draw {
  return { pair: x25519.fromPrivate(random(32)), number: random(32) };
}

const commitOf = (key: Uint8Array, number: Uint8Array): Uint8Array =>
  sha256Of(commitLabel, key, number);

function digitsOf({ offer, secret }: Offer, said: Uint8Array): string {
  const bytes = hkdf(offer, concat(secret, said), 'PI/1/link/digits', 8);
  const value = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
  return String(value % 1_000_000n).padStart(6, '0');
}

const giftKeys = ({ secret }: Offer, said: Uint8Array, shared: Uint8Array): OneUse =>
  derived(sha256Of(hashLabel, said), concat(secret, shared), 'PI/1/link/keys');

/** The new device, after step 1. Kept in memory only: an offer is good for one try. */
export interface NewSide {
  offer: Offer;
  own: Draw;
}

/** The old device, after step 2. */
export interface OldSide {
  offer: Offer;
  own: Draw;
  commit: Uint8Array;
}

/** Either side when the digits are known. */
export interface Agreed {
  offer: Offer;
  /** Six decimal digits, for the person to compare. */
  digits: string;
  /** What seals step 4. */
  gift: OneUse;
}

/** Step 1, on the new device. */
export function beginLink(
  offer: Offer,
  random: Random = randomBytes,
): { side: NewSide; message: Uint8Array } {
  const own = draw(random);
  const commit = commitOf(own.pair.public, own.number);
  return { side: { offer, own }, message: seal(1, offer, stepKeys(1, offer), commit) };
}

/** Step 2, on the old device. `message`: step 1. */
export function answerLink(
  offer: Offer,
  message: Uint8Array,
  random: Random = randomBytes,
): { side: OldSide; message: Uint8Array } {
  const from = open(1, offer, stepKeys(1, offer), message);
  const commit = from.raw(32);
  from.end();
  const own = draw(random);
  const plain = concat(own.pair.public, own.number);
  return { side: { offer, own, commit }, message: seal(2, offer, stepKeys(2, offer), plain) };
}

/** Step 3, on the new device, which shows the digits from now on. `message`: step 2. */
export function revealLink(
  { offer, own }: NewSide,
  message: Uint8Array,
): { agreed: Agreed; message: Uint8Array } {
  const from = open(2, offer, stepKeys(2, offer), message);
  const [key, number] = [dhKey(from.raw(32)), from.raw(32)];
  from.end();
  const { pair } = own;
  const plain = concat(pair.public, own.number);
  const said = concat(commitOf(pair.public, own.number), key, number, plain);
  const gift = giftKeys(offer, said, x25519.dh(pair, key));
  const agreed = { offer, digits: digitsOf(offer, said), gift };
  return { agreed, message: seal(3, offer, stepKeys(3, offer), plain) };
}

/**
 * The old device shows the digits from now on. `message`: step 3. Throws `CryptoFault` `link_broken` unless
 * the new device shows what it had committed to.
 */
export function compareLink({ offer, own, commit }: OldSide, message: Uint8Array): Agreed {
  const from = open(3, offer, stepKeys(3, offer), message);
  const [key, number] = [dhKey(from.raw(32)), from.raw(32)];
  from.end();
  if (!equal(commit, commitOf(key, number))) throw new CryptoFault('link_broken');
  const said = concat(commit, own.pair.public, own.number, key, number);
  const gift = giftKeys(offer, said, x25519.dh(own.pair, key));
  return { offer, digits: digitsOf(offer, said), gift };
}

/** Step 4, on the old device, after the person has said there that the digits are the same. */
export function giveLink(agreed: Agreed, gift: LinkGift): Uint8Array {
  const out = new Writer(giftBytes).u8(version).u8(giftType).u8(1);
  out.raw(gift.ark).u32(gift.arkEpoch).raw(gift.aik.private);
  out.raw(gift.listHash).raw(gift.recordHash).u64(gift.head.seq).raw(gift.head.hash);
  const plain = out.done();
  if (plain.length !== giftBytes) throw new Fault('malformed');
  return seal(4, agreed.offer, agreed.gift, plain);
}

/** Step 4, if the person said that they are not. As long as a gift. */
export function refuseLink(agreed: Agreed): Uint8Array {
  const plain = new Uint8Array(giftBytes);
  plain.set([version, giftType, 0]);
  return seal(4, agreed.offer, agreed.gift, plain);
}

/** On the new device; `undefined` if it was refused. `message`: step 4. */
export function takeLink(agreed: Agreed, message: Uint8Array): LinkGift | undefined {
  const from = open(4, agreed.offer, agreed.gift, message).header(version, giftType);
  const answer = from.u8();
  if (answer > 1) throw new Fault('malformed');
  const [ark, arkEpoch, seed] = [from.raw(32), from.u32(), from.raw(32)];
  const [listHash, recordHash] = [from.raw(32), from.raw(32)];
  const head = { seq: from.u64(), hash: from.raw(32) };
  from.end();
  if (answer === 0) return undefined;
  return { ark, arkEpoch, aik: ed25519.fromSeed(seed), listHash, recordHash, head };
}
