/** A device with an identity, prekeys and their private halves, for vectors and tests. */

import type {
  OwnParty,
  Party,
  PeerPrekeys,
  PrekeyLookup,
  UsedPrekeys,
} from '../crypto/handshake.ts';
import {
  type DhPair,
  ed25519,
  type KemPair,
  mlkem768,
  type Random,
  randomBytes,
  x25519,
} from '../crypto/primitives.ts';
import { pi1 } from '../crypto/ratchet-message.ts';
import type { SessionTools } from '../crypto/session.ts';
import { type PeerOptions, PeerSessions, type Received } from '../crypto/sessions.ts';
import { accountId, deviceId } from '../wire/ids.ts';
import { hex } from '../wire/text.ts';

/** Tools whose every byte comes from `random`. */
export const toolsOver = (random: Random): SessionTools => ({
  profile: pi1,
  random,
  generate: () => x25519.generate(random),
});

export class SampleDevice implements PrekeyLookup {
  readonly own: OwnParty;
  readonly party: Party;
  readonly random: Random;
  readonly #signed = new Map<number, DhPair>();
  readonly #lastResort = new Map<number, KemPair>();
  readonly #oneTimes = new Map<number, { dh: DhPair; kem: KemPair }>();
  readonly #seen = new Set<string>();
  #next = 1;
  #current = 0;

  constructor(account: string, device: number, random: Random = randomBytes) {
    this.random = random;
    this.own = {
      account: accountId(account.repeat(32)),
      device: deviceId(device),
      aik: ed25519.generate(random).public,
      dsk: ed25519.generate(random).public,
      dik: x25519.generate(random),
    };
    this.party = { ...this.own, dik: this.own.dik.public };
    this.rotate();
  }

  /** New signed and last-resort prekeys; the old ones still work. */
  rotate(): void {
    this.#current = this.#next++;
    this.#signed.set(this.#current, x25519.generate(this.random));
    this.#lastResort.set(this.#current, mlkem768.generate(this.random));
  }

  /** As after a restored backup: whatever it held may have been used since. */
  forgetPrekeys(): void {
    for (const kept of [this.#signed, this.#lastResort, this.#oneTimes, this.#seen]) kept.clear();
    this.rotate();
  }

  signed(id: number): DhPair | undefined {
    return this.#signed.get(id);
  }

  oneTime(id: number): DhPair | undefined {
    return this.#oneTimes.get(id)?.dh;
  }

  pq(kind: 'last-resort' | 'one-time', id: number): KemPair | undefined {
    return kind === 'one-time' ? this.#oneTimes.get(id)?.kem : this.#lastResort.get(id);
  }

  seen(record: UsedPrekeys['seen']): boolean {
    return this.#seen.has(`${record.signedId}.${record.pqId}.${hex(record.ek)}`);
  }

  /** What a client commits after a message that made a session. */
  commit({ used }: Received): void {
    if (used === undefined) return;
    if (used.oneTime !== undefined) this.#oneTimes.delete(used.oneTime);
    this.#seen.add(`${used.seen.signedId}.${used.seen.pqId}.${hex(used.seen.ek)}`);
  }

  /** Public prekeys for one session, with a one-time pair unless told otherwise. */
  bundle(withOneTime = true): PeerPrekeys {
    const signed = {
      id: this.#current,
      public: (this.#signed.get(this.#current) as DhPair).public,
    };
    if (!withOneTime) {
      const { public: key } = this.#lastResort.get(this.#current) as KemPair;
      return { signed, pq: { id: this.#current, kind: 'last-resort', public: key } };
    }
    const id = this.#next++;
    const pair = { dh: x25519.generate(this.random), kem: mlkem768.generate(this.random) };
    this.#oneTimes.set(id, pair);
    return {
      signed,
      pq: { id, kind: 'one-time', public: pair.kem.public },
      oneTime: { id, public: pair.dh.public },
    };
  }

  with(peer: SampleDevice, options: Partial<PeerOptions> = {}): PeerSessions {
    return new PeerSessions({ ours: this.own, peer: peer.party, generation: 1, ...options });
  }
}
