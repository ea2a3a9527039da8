/**
 * The Double Ratchet with encrypted headers (Signal, Double Ratchet rev. 3 §4), over a profile.
 * docs/protocol/ratchet.md §5 and §7
 *
 * A state is a value: encrypting or decrypting answers a new one and leaves the old one as it was,
 * so a failure at any point changes nothing. Decrypting draws no randomness: the new ratchet key is
 * made by the first encryption after a turn, and a message that is delivered again after a crash
 * leads to the same state.
 */
import { CryptoFault } from './crypto-fault.ts';
import { type DhPair, equal, type Random, x25519 } from './primitives.ts';
import type { RatchetHeader, RatchetProfile } from './ratchet-profile.ts';

export const ratchetLimits = {
  /** Message keys that one message may make the receiver derive beyond its own. */
  skipPerMessage: 1000,
  /** Keys of missing messages that a session keeps. */
  storedKeys: 2000,
  /** Seconds that the key of a missing message is kept. */
  keySeconds: 7 * 86_400,
  /** Turns of the peer after which a receiving chain is forgotten. */
  chainEpochs: 5,
  /** Header keys tried for one message: current chain, next chain, and older chains. */
  headerKeys: 5,
} as const;

const olderChains = ratchetLimits.headerKeys - 2;

/** The key of a message that has not come yet. */
export interface MissingKey {
  readonly n: number;
  readonly key: Uint8Array;
  /** When it was derived, seconds since 1970. */
  readonly at: number;
}

export interface ReceivingChain {
  readonly dh: Uint8Array;
  readonly headerKey: Uint8Array;
  /** Empty once the peer has turned: nothing further is derived from it. */
  readonly chain: Uint8Array | undefined;
  /** The next number expected. */
  readonly n: number;
  /** Turn of the peer that opened it. */
  readonly epoch: number;
  /** Below it missing keys have been given up. */
  readonly floor: number;
  /** Ascending n. */
  readonly missing: readonly MissingKey[];
}

export interface SendingChain {
  readonly pair: DhPair;
  readonly headerKey: Uint8Array;
  readonly chain: Uint8Array;
  readonly n: number;
}

export interface RatchetState {
  readonly root: Uint8Array;
  /** The peer's newest ratchet key. */
  readonly peer: Uint8Array | undefined;
  /** Undefined after a turn of the peer, until this side sends. */
  readonly sending: SendingChain | undefined;
  /** The responder's signed prekey before its first turn. */
  readonly opening: DhPair | undefined;
  readonly receiving: ReceivingChain | undefined;
  /** Newest first, at most three. */
  readonly older: readonly ReceivingChain[];
  readonly nextSendKey: Uint8Array;
  readonly nextReceiveKey: Uint8Array;
  /** Messages sent in the sending chain before the present one. */
  readonly previous: number;
  /** Turns of the peer so far. */
  readonly epoch: number;
}

/** Seals `plaintext`. Throws `receive_only` if the peer's ratchet key is not known yet. */
export function ratchetEncrypt(
  profile: RatchetProfile,
  state: RatchetState,
  plaintext: Uint8Array,
  ad: Uint8Array,
  random: Random,
  generate: () => DhPair,
): { state: RatchetState; message: Uint8Array } {
  let from = state;
  if (from.sending === undefined) {
    if (from.peer === undefined) throw new CryptoFault('receive_only');
    const pair = generate();
    const made = profile.root(from.root, x25519.dh(pair, from.peer));
    const sending = { pair, headerKey: from.nextSendKey, chain: made.chain, n: 0 };
    from = { ...from, root: made.root, nextSendKey: made.headerKey, sending };
  }
  const sending = from.sending as SendingChain;
  if (sending.n >= 0xffff_ffff) throw new CryptoFault('receive_only');
  const header = { dh: sending.pair.public, previous: from.previous, n: sending.n };
  const message = profile.seal(
    profile.messageKey(sending.chain),
    sending.headerKey,
    header,
    plaintext,
    ad,
    random,
  );
  return {
    state: {
      ...from,
      sending: { ...sending, chain: profile.advance(sending.chain), n: sending.n + 1 },
    },
    message,
  };
}

/**
 * Opens `message` at time `now` (ms). Throws `duplicate`, `too_old`, `too_far_ahead` or
 * `undecryptable`; work is counted before any of it is done.
 */
export function ratchetDecrypt(
  profile: RatchetProfile,
  state: RatchetState,
  message: Uint8Array,
  ad: Uint8Array,
  now: number,
): { state: RatchetState; plaintext: Uint8Array } {
  const seconds = Math.floor(now / 1000);
  const { receiving } = state;
  if (receiving !== undefined) {
    const header = profile.openHeader(message, receiving.headerKey, receiving.dh);
    if (header !== undefined) {
      const { chain, plaintext } = receive(profile, receiving, header.n, message, ad, seconds);
      return { state: tidy({ ...state, receiving: chain }, seconds), plaintext };
    }
  }
  const header = profile.openHeader(message, state.nextReceiveKey, undefined);
  const known = header && state.older.find((chain) => equal(chain.dh, header.dh));
  if (header !== undefined && known === undefined) {
    const turned = turn(profile, state, header, seconds);
    const { chain, plaintext } = receive(profile, turned.chain, header.n, message, ad, seconds);
    return { state: tidy({ ...turned.state, receiving: chain }, seconds), plaintext };
  }
  for (const [i, older] of state.older.entries()) {
    const found = profile.openHeader(message, older.headerKey, older.dh);
    if (found === undefined) continue;
    const { chain, plaintext } = receive(profile, older, found.n, message, ad, seconds);
    return { state: tidy({ ...state, older: state.older.with(i, chain) }, seconds), plaintext };
  }
  throw new CryptoFault('undecryptable');
}

/** The peer's turn: closes the receiving chain at `previous` and opens one for the new ratchet key. */
function turn(
  profile: RatchetProfile,
  state: RatchetState,
  header: RatchetHeader,
  seconds: number,
): { state: RatchetState; chain: ReceivingChain } {
  const pair = state.sending?.pair ?? state.opening;
  // A peer can't turn again before it has seen a ratchet key of ours.
  if (pair === undefined) throw new CryptoFault('undecryptable');
  const { receiving } = state;
  const closing = receiving === undefined ? 0 : header.previous - receiving.n;
  if (closing < 0) throw new CryptoFault('undecryptable');
  if (closing + header.n > ratchetLimits.skipPerMessage) throw new CryptoFault('too_far_ahead');

  const made = profile.root(state.root, x25519.dh(pair, header.dh));
  const epoch = state.epoch + 1;
  const chain: ReceivingChain = {
    dh: header.dh,
    headerKey: state.nextReceiveKey,
    chain: made.chain,
    n: 0,
    epoch,
    floor: 0,
    missing: [],
  };
  const closed = receiving && {
    ...skip(profile, receiving, header.previous, seconds),
    chain: undefined,
  };
  return {
    chain,
    state: {
      ...state,
      root: made.root,
      peer: header.dh,
      previous: state.sending?.n ?? 0,
      sending: undefined,
      opening: undefined,
      receiving: chain,
      older: closed === undefined ? state.older : [closed, ...state.older],
      nextReceiveKey: made.headerKey,
      epoch,
    },
  };
}

/** Derives and keeps the keys of the messages before `until`. */
function skip(
  profile: RatchetProfile,
  from: ReceivingChain,
  until: number,
  seconds: number,
): ReceivingChain {
  if (from.chain === undefined || until <= from.n) return from;
  const missing = from.missing.slice();
  let { chain } = from;
  for (let n = from.n; n < until; n++) {
    missing.push({ n, key: profile.messageKey(chain), at: seconds });
    chain = profile.advance(chain);
  }
  return { ...from, chain, n: until, missing };
}

/** Opens message `n` of a chain; answers the chain after it. */
function receive(
  profile: RatchetProfile,
  from: ReceivingChain,
  n: number,
  message: Uint8Array,
  ad: Uint8Array,
  seconds: number,
): { chain: ReceivingChain; plaintext: Uint8Array } {
  if (n < from.n) {
    const at = from.missing.findIndex((kept) => kept.n === n);
    const kept = from.missing[at];
    if (kept === undefined) throw new CryptoFault(n < from.floor ? 'too_old' : 'duplicate');
    const plaintext = profile.open(kept.key, message, ad);
    if (plaintext === undefined) throw new CryptoFault('undecryptable');
    return { chain: { ...from, missing: from.missing.toSpliced(at, 1) }, plaintext };
  }
  // A closed chain ends at the number that the peer stated when it turned.
  if (from.chain === undefined) throw new CryptoFault('undecryptable');
  if (n - from.n > ratchetLimits.skipPerMessage) throw new CryptoFault('too_far_ahead');
  const reached = skip(profile, from, n, seconds);
  const chain = reached.chain as Uint8Array;
  const plaintext = profile.open(profile.messageKey(chain), message, ad);
  if (plaintext === undefined) throw new CryptoFault('undecryptable');
  return { chain: { ...reached, chain: profile.advance(chain), n: n + 1 }, plaintext };
}

/** Gives up keys and chains that are past their time or beyond the limits, the oldest first. */
function tidy(state: RatchetState, seconds: number): RatchetState {
  let { receiving, older } = state;
  const dead = seconds - ratchetLimits.keySeconds;
  if (receiving !== undefined) receiving = expire(receiving, dead);
  if (older.length > 0) {
    const oldest = state.epoch - ratchetLimits.chainEpochs;
    older = older.filter((chain) => chain.epoch > oldest).map((chain) => expire(chain, dead));
    while (older.length > olderChains) {
      // One that waits for nothing serves only to recognise duplicates: it goes first.
      const idle = older.findLastIndex((chain) => chain.missing.length === 0);
      older = older.toSpliced(idle === -1 ? older.length - 1 : idle, 1);
    }
  }
  let excess = -ratchetLimits.storedKeys + (receiving?.missing.length ?? 0);
  for (const chain of older) excess += chain.missing.length;
  for (let i = older.length - 1; i >= 0 && excess > 0; i--) {
    const chain = older[i] as ReceivingChain;
    const count = Math.min(excess, chain.missing.length);
    older = older.with(i, giveUp(chain, count));
    excess -= count;
  }
  if (receiving !== undefined && excess > 0) receiving = giveUp(receiving, excess);
  return receiving === state.receiving && older === state.older
    ? state
    : { ...state, receiving, older };
}

function expire(chain: ReceivingChain, dead: number): ReceivingChain {
  let count = 0;
  for (const kept of chain.missing) {
    if (kept.at > dead) break;
    count++;
  }
  return count === 0 ? chain : giveUp(chain, count);
}

function giveUp(chain: ReceivingChain, count: number): ReceivingChain {
  const last = chain.missing[count - 1];
  if (last === undefined) return chain;
  return { ...chain, floor: last.n + 1, missing: chain.missing.slice(count) };
}
