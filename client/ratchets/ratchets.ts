/**
 * The sessions with other devices, kept in the storage. docs/protocol/ratchet.md §8
 *
 * A step (any number of encryptions and decryptions) ends in one commit that holds the new states and
 * what came of them, with the versions expected that it began from. Whoever else used this home
 * meanwhile makes the commit fail; the step is then repeated from what they left, so no state is ever
 * stepped from twice. In one process steps come one after the other.
 */
import type { Party } from '@island/protocol/crypto/handshake.ts';
import { type PeerOptions, PeerSessions } from '@island/protocol/crypto/sessions.ts';
import { deviceKey } from '@island/protocol/wire/ids.ts';
import type { Account } from '../account/account.ts';
import { type Batch, type Storage, untilCommitted } from '../storage/storage.ts';

export interface Step {
  /** The sessions with a device; what is done to them is part of the step. */
  sessions(peer: Party): Promise<PeerSessions>;
}

export type Work<T> = (step: Step) => Promise<{ batch: Batch | undefined; result: T }>;

export interface Ratchets {
  /**
   * Repeats `work` until its commit holds; it must leave nothing behind but what it returns. Without a
   * batch nothing is committed, and what was done to sessions is forgotten.
   */
  step<T>(work: Work<T>): Promise<T>;
}

interface Loaded {
  version: number;
  sessions: PeerSessions;
}

export const sessionsNamespace = 'sessions';
const namespace = sessionsNamespace;

export function openRatchets(storage: Storage, account: Account, now: () => number): Ratchets {
  const { dsk, dik, cert, generation } = account;
  const ours = {
    account: account.account,
    device: account.device,
    // Others know this device by its certificate, which outlives a rotation of the identity key.
    aik: cert.aik,
    dsk: dsk.public,
    dik,
  };
  const loaded = new Map<string, Loaded>();
  let last: Promise<unknown> = Promise.resolve();

  async function load(key: string, peer: Party): Promise<Loaded> {
    const row = await storage.read(namespace, key);
    const known = loaded.get(key);
    if (known && known.version === (row?.version ?? 0)) return known;
    const options: PeerOptions = { ours, peer, generation };
    const sessions = row
      ? PeerSessions.decode(row.bytes, options, now())
      : new PeerSessions(options);
    return { version: row?.version ?? 0, sessions };
  }

  async function attempt<T>(work: Work<T>): Promise<T> {
    const touched = new Map<string, Loaded>();
    const sessions = async (peer: Party): Promise<PeerSessions> => {
      const key = deviceKey(peer.account, peer.device);
      const here = touched.get(key) ?? (await load(key, peer));
      touched.set(key, here);
      // Until the commit holds, what is in memory is ahead of the storage.
      loaded.delete(key);
      return here.sessions;
    };
    const { batch, result } = await work({ sessions });
    if (batch === undefined) return result;
    const states = [...touched].map(([key, { sessions: changed }]) => ({
      namespace,
      key,
      bytes: changed.encode(),
    }));
    const expected = [...touched].map(([key, { version }]) => ({ namespace, key, version }));
    const { version } = await storage.commit({
      ...batch,
      put: [...(batch.put ?? []), ...states],
      expect: [...(batch.expect ?? []), ...expected],
    });
    for (const [key, { sessions: changed }] of touched)
      loaded.set(key, { version, sessions: changed });
    return result;
  }

  return {
    step(work) {
      const turn = last.then(() => untilCommitted(() => attempt(work)));
      last = turn.catch(() => undefined);
      return turn;
    },
  };
}
