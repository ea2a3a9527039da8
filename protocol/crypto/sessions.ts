/**
 * All sessions of this device with one other device: what a client stores per peer device.
 * docs/protocol/ratchet.md §7 and §8
 *
 *     u8 1 ‖ u8 0x48 ‖ SHA-256(own party ‖ peer party) ‖ u32 generation ‖ u32 peer generation ‖ u8 flags
 *     ‖ u8 count ≤ 9 ‖ count × var32 session (session.ts)
 *     flags: 1 the first session is the one that sends, 2 the peer has used the post-quantum handshake
 *
 * One session sends; up to eight others only receive and never become sending ones again, so that a
 * copy of an old state can't take a conversation over. A method that throws has changed nothing.
 *
 * When what must be durable (crash safety). Two things must hold whatever moment the process dies at:
 * no number of a sending chain is used for two messages, and no message is acknowledged whose effect
 * is lost.
 *  1. A message may leave when `encrypt` says `mayLeave`, or after a `snapshot()` taken since has been
 *     stored. `mayLeave` is true only if a stored state knows this very sending chain and has reserved
 *     the number: a process that starts from that state goes on behind the reservation. A new chain is
 *     never covered, so the turn that a received message caused is stored before an answer leaves.
 *  2. A received message may be acknowledged after a snapshot taken since has been stored in one
 *     transaction with the plaintext and with what `used` says about prekeys. Before that a crash
 *     restores the state from before the message, the island delivers it again, and decrypting, which
 *     draws no randomness, arrives at the same state; nothing built on it has left, because of 1.
 *  3. A store restored from a backup breaks both. The device's generation must then be raised: every
 *     session only receives from then on and the next message makes a new handshake, in which the
 *     peer sees the higher generation and from which it refuses handshakes of lower ones.
 */
import { Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { fromHex, hex } from '../wire/text.ts';
import { CryptoFault } from './crypto-fault.ts';
import {
  type HandshakeSuite,
  initiate,
  type OwnParty,
  type Party,
  type PeerPrekeys,
  type PrekeyLookup,
  pqxdh,
  respond,
  type UsedPrekeys,
} from './handshake.ts';
import type { HandshakeFields } from './handshake-fields.ts';
import { type DhPair, equal, type Random, sha256 } from './primitives.ts';
import { maxReserve } from './ratchet-state.ts';
import {
  openMessage,
  readMessage,
  readSession,
  type Session,
  type SessionTools,
  sealMessage,
  sessionTools,
  writeSession,
} from './session.ts';

export const sessionLimits = {
  /** Sessions per peer device that only receive. */
  inactive: 8,
  /** Seconds that a replaced session goes on receiving. */
  replacedSeconds: 30 * 86_400,
  /** Seconds that the loser of two crossing handshakes goes on receiving; also how long handshakes can cross. */
  crossedSeconds: 7 * 86_400,
  /** Seconds after which a handshake without an answer is not sent any more: the peer may have dropped its prekeys. */
  unansweredSeconds: 14 * 86_400,
} as const;

const version = 1;
const type = 0x48;
const zeroId = new Uint8Array(16);

export interface PeerOptions {
  readonly ours: OwnParty;
  readonly peer: Party;
  /** This device's generation: raised whenever its store has been restored from a backup. */
  readonly generation: number;
  /** Tests only: the profile and randomness of sessions, and suites besides PQXDH. */
  readonly tools?: SessionTools;
  readonly suites?: readonly HandshakeSuite[];
  readonly random?: Random;
}

export interface Sent {
  readonly message: Uint8Array;
  /** Whether the message may leave although no snapshot has been stored since. */
  readonly mayLeave: boolean;
}

export interface Received {
  readonly plaintext: Uint8Array;
  readonly session: Uint8Array;
  /** Set when the message made a new session. */
  readonly used: UsedPrekeys | undefined;
}

export interface Snapshot {
  readonly bytes: Uint8Array;
  /** To be called once the transaction that holds `bytes` is durable. */
  stored(): void;
}

export class PeerSessions {
  readonly #options: PeerOptions;
  readonly #tools: SessionTools;
  readonly #parties: Uint8Array;
  #active: Session | undefined;
  #inactive: readonly Session[] = [];
  #generation: number;
  /** 0: the peer has not made a handshake yet. */
  #peerGeneration = 0;
  #pqSeen = false;
  /** The sending chain that a stored state knows, and the number up to which that state has reserved it. */
  #covered: { pair: DhPair; until: number } | undefined;
  /** Ephemeral keys of handshakes answered by this object: `PrekeyLookup.seen` knows them only once committed. */
  readonly #answered = new Set<string>();
  readonly #encoded = new WeakMap<Session, Uint8Array>();

  /** No session yet. */
  constructor(options: PeerOptions) {
    this.#options = options;
    this.#tools = options.tools ?? sessionTools;
    this.#parties = partiesHash(options.ours, options.peer);
    this.#generation = options.generation;
  }

  /**
   * From a stored snapshot. Throws `wrong_identity` if it was made with other keys of either device, and
   * the faults of a decoder. A generation above the stored one makes every session receive-only.
   */
  static decode(bytes: Uint8Array, options: PeerOptions, now: number): PeerSessions {
    // The sessions keep views of what they were read from.
    const from = new Reader(new Uint8Array(bytes)).header(version, type);
    const made = new PeerSessions(options);
    const parties = from.raw(32);
    const generation = from.u32();
    made.#peerGeneration = from.u32();
    const flags = from.u8();
    const count = from.u8();
    const limit = sessionLimits.inactive + (flags & 1);
    if (flags > 3 || count > limit || count < (flags & 1)) throw new Fault('malformed');
    const sessions: Session[] = [];
    for (let i = 0; i < count; i++) {
      const inner = new Reader(from.var32(1 << 20));
      sessions.push(readSession(inner, made.#tools.profile));
      inner.end();
    }
    from.end();
    if (!equal(parties, made.#parties)) throw new CryptoFault('wrong_identity');
    if (options.generation < generation) throw new CryptoFault('stale_generation');
    made.#pqSeen = (flags & 2) !== 0;
    if (flags & 1) made.#active = sessions.shift();
    made.#inactive = sessions;
    if (options.generation > generation) made.archive(now);
    return made;
  }

  /** Whether `encrypt` has a session to send with; if not, fetch prekeys and `start`. */
  canSend(now: number): boolean {
    const active = this.#active;
    if (active === undefined) return false;
    return (
      active.fields === undefined || now / 1000 - active.created < sessionLimits.unansweredSeconds
    );
  }

  /** Ids of the sessions held, the sending one first. */
  sessionIds(): readonly Uint8Array[] {
    return [...(this.#active ? [this.#active] : []), ...this.#inactive].map(
      (session) => session.id,
    );
  }

  /**
   * Starts a new sending session with verified prekeys; the one before goes on receiving for 30 days.
   * `replaces`: the id of the session that the peer sends in and that this device can't use, when a
   * message in it failed (`sessionIdOf`); by default the sending session given up here. The peer then
   * follows at once instead of taking the two handshakes for crossing ones.
   */
  start(prekeys: PeerPrekeys, now: number, replaces?: Uint8Array): void {
    const suite = this.#options.suites?.[0] ?? pqxdh;
    if (!suite.pq && this.#pqSeen) throw new CryptoFault('pq_required');
    const given = replaces ?? this.#active?.id ?? zeroId;
    const { ours, peer, random } = this.#options;
    const made = initiate(ours, peer, prekeys, {
      generation: this.#generation,
      replaces: given,
      random,
      suite,
    });
    this.archive(now);
    this.#active = {
      id: made.id,
      binding: made.binding,
      initiated: true,
      generation: this.#generation,
      replaces: given,
      created: Math.floor(now / 1000),
      until: 0,
      fields: made.fields,
      ratchet: made.ratchet,
    };
    if (suite.pq) this.#pqSeen = true;
  }

  /** Seals `plaintext` in the sending session. Throws `receive_only` if there is none, `too_large`. */
  encrypt(plaintext: Uint8Array, now: number): Sent {
    if (this.#active === undefined || !this.canSend(now)) throw new CryptoFault('receive_only');
    const { session, message } = sealMessage(this.#active, plaintext, this.#tools);
    this.#active = session;
    const { sending } = session.ratchet;
    const covered = this.#covered;
    const mayLeave =
      covered !== undefined && covered.pair === sending?.pair && sending.n <= covered.until;
    return { message, mayLeave };
  }

  /**
   * Opens a message at `now` (ms). Throws a `CryptoFault`, or the `Fault` of a decoder; then nothing has
   * changed. `duplicate` means that nothing is lost; `replayed`, of a message that was not opened before,
   * that the session of its handshake is.
   */
  decrypt(bytes: Uint8Array, now: number, prekeys: PrekeyLookup): Received {
    const message = readMessage(bytes);
    const active = this.#active;
    if (active !== undefined && equal(active.id, message.id)) {
      const opened = openMessage(active, message, now, this.#tools);
      this.#active = opened.session;
      return { plaintext: opened.plaintext, session: active.id, used: undefined };
    }
    const seconds = now / 1000;
    const living = this.#inactive.filter((session) => session.until > seconds);
    const at = living.findIndex((session) => equal(session.id, message.id));
    const found = living[at];
    if (found !== undefined) {
      const opened = openMessage(found, message, now, this.#tools);
      this.#inactive = living.with(at, opened.session);
      return { plaintext: opened.plaintext, session: found.id, used: undefined };
    }
    if (message.fields === undefined) throw new CryptoFault('no_session');
    const ek = hex(message.fields.ek);
    if (this.#answered.has(ek)) throw new CryptoFault('replayed');
    const { ours, peer } = this.#options;
    const agreed = respond(ours, peer, message.fields, prekeys, this.#suiteFor(message.fields));
    // The id on the wire is a hint until the handshake yields the same.
    if (!equal(agreed.id, message.id)) throw new CryptoFault('undecryptable');
    const opened = openMessage(
      {
        id: agreed.id,
        binding: agreed.binding,
        initiated: false,
        generation: message.fields.generation,
        replaces: new Uint8Array(message.fields.replaces),
        created: Math.floor(seconds),
        until: 0,
        fields: undefined,
        ratchet: agreed.ratchet,
      },
      message,
      now,
      this.#tools,
    );
    this.#answered.add(ek);
    this.#inactive = living;
    this.#pqSeen ||= message.fields.pq;
    this.#install(opened.session, now);
    return { plaintext: opened.plaintext, session: agreed.id, used: agreed.used };
  }

  /** Ends sending in the present session, which goes on receiving for 30 days. */
  archive(now: number): void {
    const active = this.#active;
    if (active === undefined) return;
    this.#active = undefined;
    this.#keep(active, now, sessionLimits.replacedSeconds);
  }

  /**
   * The state to be stored, with `reserve` (0 to 256) numbers of the sending chain that later messages
   * may use before the next snapshot. A process that starts from it skips those: the peer keeps as many
   * keys for messages that never come. Reserve 0 when closing in good order.
   */
  snapshot(reserve = 0): Snapshot {
    if (reserve > maxReserve) throw new Fault('malformed');
    const active = this.#active;
    const sessions = active ? [active, ...this.#inactive] : this.#inactive;
    const out = new Writer(1024).u8(version).u8(type).raw(this.#parties).u32(this.#generation);
    out
      .u32(this.#peerGeneration)
      .u8((active ? 1 : 0) | (this.#pqSeen ? 2 : 0))
      .u8(sessions.length);
    for (const session of sessions)
      out.var32(this.#encode(session, session === active ? reserve : 0));
    const sending = active?.ratchet.sending;
    return {
      bytes: out.done(),
      stored: () => {
        this.#covered = sending && { pair: sending.pair, until: sending.n + reserve };
      },
    };
  }

  /** The whole state, nothing reserved. */
  encode(): Uint8Array {
    return this.snapshot().bytes;
  }

  #encode(session: Session, reserve: number): Uint8Array {
    const known = session.until === 0 ? undefined : this.#encoded.get(session);
    if (known !== undefined) return known;
    const out = new Writer(1024);
    writeSession(out, session, reserve);
    const bytes = out.done();
    if (session.until !== 0) this.#encoded.set(session, bytes);
    return bytes;
  }

  #suiteFor(fields: HandshakeFields): HandshakeSuite {
    if (fields.generation < this.#peerGeneration) throw new CryptoFault('stale_generation');
    if (fields.pq) return pqxdh;
    const suite = this.#options.suites?.find((known) => !known.pq);
    if (suite === undefined || this.#pqSeen) throw new CryptoFault('pq_required');
    return suite;
  }

  /** Decides whether a session that the peer has made becomes the sending one. */
  #install(made: Session, now: number): void {
    const active = this.#active;
    const newer = this.#peerGeneration !== 0 && made.generation > this.#peerGeneration;
    this.#peerGeneration = made.generation;
    if (active !== undefined && !newer && !equal(made.replaces, active.id)) {
      const crossing =
        active.initiated && now / 1000 - active.created < sessionLimits.crossedSeconds;
      // Both sides compare the same two ids, so they choose the same session.
      const loses = crossing && smaller(active.id, made.id);
      if (loses || equal(active.replaces, made.id)) {
        this.#keep(made, now, sessionLimits.crossedSeconds);
        return;
      }
      this.#active = undefined;
      this.#keep(
        active,
        now,
        crossing ? sessionLimits.crossedSeconds : sessionLimits.replacedSeconds,
      );
    } else {
      this.archive(now);
    }
    this.#active = made;
  }

  #keep(session: Session, now: number, lifetime: number): void {
    const seconds = Math.floor(now / 1000);
    const kept = { ...session, fields: undefined, until: seconds + lifetime };
    const living = this.#inactive.filter((other) => other.until > seconds);
    this.#inactive = [kept, ...living].slice(0, sessionLimits.inactive);
  }
}

function smaller(a: Uint8Array, b: Uint8Array): boolean {
  const i = a.findIndex((byte, at) => byte !== b[at]);
  return i !== -1 && (a[i] ?? 0) < (b[i] ?? 0);
}

function partiesHash(ours: OwnParty, peer: Party): Uint8Array {
  const out = new Writer(256);
  for (const party of [{ ...ours, dik: ours.dik.public }, peer]) {
    out.raw(fromHex(party.account)).u32(party.device).raw(party.aik).raw(party.dsk).raw(party.dik);
  }
  return sha256(out.done());
}
