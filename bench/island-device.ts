/**
 * Two devices of the island as a client runs them, without the network: sessions in memory, and every
 * step of any number of encryptions and decryptions ended by one commit to the client's own storage
 * (SQLite, WAL, `synchronous = FULL`). The rules are those of protocol/crypto/sessions.ts:
 *
 * - sending: the states after the step are committed, then the ciphertexts leave;
 * - receiving: states, plaintexts and the prekeys that were used are committed together, then the
 *   island is told that the messages have arrived. Answers made in the same step leave after the same
 *   commit.
 *
 * A step takes what is there, at most 64 messages, as client/receiving/inbox.ts does.
 */

import { fileStorage } from '@island/client/storage/file.ts';
import type { Storage } from '@island/client/storage/storage.ts';
import type { OwnParty, Party, PrekeyLookup } from '@island/protocol/crypto/handshake.ts';
import { type BundleBytes, openBundle } from '@island/protocol/crypto/prekey-bundle.ts';
import {
  makeBatch,
  makeLastResort,
  makeSignedPrekey,
  type OneTimePair,
  oneTimeOf,
  openBatch,
} from '@island/protocol/crypto/prekeys.ts';
import { ed25519, type SigningPair, x25519 } from '@island/protocol/crypto/primitives.ts';
import { PeerSessions } from '@island/protocol/crypto/sessions.ts';
import { accountId, deviceId, deviceKey } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';

export const stepSize = 64;

export interface Identity {
  readonly own: OwnParty;
  readonly dsk: SigningPair;
}

/** Identities of one account's devices. */
export function makeIdentity(account: string, device: number): Identity {
  const dsk = ed25519.generate();
  const own: OwnParty = {
    account: accountId(account.repeat(32)),
    device: deviceId(device),
    aik: ed25519.generate().public,
    dsk: dsk.public,
    dik: x25519.generate(),
  };
  return { own, dsk };
}

/** As a device list hands it out. */
export const partyOf = ({ own }: Identity): Party => ({
  ...own,
  dik: new Uint8Array(own.dik.public),
});

const none: PrekeyLookup = {
  signed: () => undefined,
  oneTime: () => undefined,
  pq: () => undefined,
  seen: () => false,
};

/** Prekeys of a device, private halves in memory and imported as in a running client. */
export class PrekeyBox {
  readonly #identity: Identity;
  readonly #day: number;
  readonly #signed: ReturnType<typeof makeSignedPrekey>;
  readonly #lastResort: ReturnType<typeof makeLastResort>;
  readonly #oneTimes = new Map<number, OneTimePair>();
  readonly #seen = new Set<string>();
  #next = 1;

  constructor(identity: Identity, now: number) {
    this.#identity = identity;
    this.#day = Math.floor(now / 86_400_000);
    this.#signed = makeSignedPrekey(identity.dsk, 1, this.#day);
    this.#lastResort = makeLastResort(identity.dsk, 1, this.#day);
  }

  /** Bundles with a one-time prekey each, as the island serves them. */
  bundles(count: number): BundleBytes[] {
    const made: BundleBytes[] = [];
    while (made.length < count) {
      const { public: bytes, pairs } = makeBatch(this.#identity.dsk, this.#next, this.#day);
      this.#next += pairs.length;
      const batch = openBatch(bytes, this.#identity.dsk.public);
      for (const [i, pair] of pairs.entries()) {
        this.#oneTimes.set(pair.id, pair);
        made.push({
          signedPrekey: new Uint8Array(this.#signed.public),
          oneTime: oneTimeOf(batch, i),
        });
      }
    }
    return made.slice(0, count);
  }

  readonly lookup: PrekeyLookup = {
    signed: () => this.#signed.pair,
    oneTime: (id) => this.#oneTimes.get(id)?.dh,
    pq: (kind, id) => (kind === 'one-time' ? this.#oneTimes.get(id)?.kem : this.#lastResort.pair),
    seen: ({ ek }) => this.#seen.has(hex(ek)),
  };
}

/** One side of a session between two devices. */
export interface Conversation {
  readonly key: string;
  readonly sessions: PeerSessions;
  readonly prekeys: PrekeyLookup;
  readonly now: number;
}

export function conversation(
  ours: Identity,
  peer: Identity,
  now: number,
  box?: PrekeyBox,
): Conversation {
  const { account, device } = peer.own;
  return {
    key: deviceKey(account, device),
    sessions: new PeerSessions({ ours: ours.own, peer: partyOf(peer), generation: 1 }),
    prekeys: box?.lookup ?? none,
    now,
  };
}

/** Verifies a bundle and begins a session with it; the first message is sealed in a step. */
export function start({ sessions, now }: Conversation, peer: Identity, bundle: BundleBytes): void {
  const opened = openBundle(bundle, peer.own.dsk, Math.floor(now / 86_400_000));
  const { signedPrekey: signed, lastResort, oneTime } = opened;
  const pq = oneTime
    ? { id: oneTime.id, kind: 'one-time' as const, public: oneTime.kem }
    : { id: lastResort.id, kind: 'last-resort' as const, public: lastResort.public };
  sessions.start({ signed, pq, oneTime: oneTime && { id: oneTime.id, public: oneTime.dh } }, now);
}

/** What a step does in one conversation: opens a message, then seals one. */
export interface Turn {
  readonly conversation: Conversation;
  readonly open?: Uint8Array | undefined;
  readonly seal?: Uint8Array | undefined;
}

/** The storage of one device. */
export class IslandDevice {
  readonly #storage: Storage;

  constructor(home: string) {
    this.#storage = fileStorage(home);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#storage[Symbol.asyncDispose]();
  }

  /** Answers what may leave: everything sealed. Whatever was opened may be acknowledged now. */
  async step(turns: readonly Turn[]): Promise<Uint8Array[]> {
    const put: { namespace: string; key: string; bytes: Uint8Array }[] = [];
    const remove: { namespace: string; key: string }[] = [];
    const append: { namespace: string; bytes: Uint8Array }[] = [];
    const sealed: Uint8Array[] = [];
    const touched = new Set<Conversation>();
    for (const { conversation: at, open, seal } of turns) {
      touched.add(at);
      if (open !== undefined) {
        const { plaintext, used } = at.sessions.decrypt(open, at.now, at.prekeys);
        append.push({ namespace: 'messages', bytes: plaintext });
        if (used) put.push({ namespace: 'seen', key: hex(used.seen.ek), bytes: new Uint8Array(0) });
        if (used?.oneTime) remove.push({ namespace: 'one-time', key: String(used.oneTime) });
      }
      if (seal !== undefined) sealed.push(at.sessions.encrypt(seal, at.now).message);
    }
    for (const { key, sessions } of touched) {
      put.push({ namespace: 'sessions', key, bytes: sessions.encode() });
    }
    await this.#storage.commit({ put, remove, append });
    return sealed;
  }
}
