/**
 * The witnesses of a log: asks all that its policies name at once, until each policy has enough signatures.
 * Knows no table: what each witness has signed last is kept by `KnownSizes`. docs/protocol/transparency.md §7
 *
 * An empty list of witnesses is nobody, never everybody: only `quorum none` needs no signature.
 */
import { parseCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { cosignatureTime, verifierOf } from '@island/protocol/transparency/cosignature.ts';
import {
  addSignatures,
  formatVkey,
  type NoteSignature,
  parseNote,
  type Vkey,
} from '@island/protocol/transparency/note.ts';
import {
  hasQuorum,
  type Policy,
  type PolicyWitness,
} from '@island/protocol/transparency/policy.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { pause } from '../kit/backoff.ts';
import { type Clock, unixSeconds } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import { type Announce, membersOf, openMemberAsks } from './member-asks.ts';
import {
  attempt,
  persist,
  type Submission,
  shown,
  type WitnessAttempt,
  type WitnessProblem,
} from './witness-ask.ts';
import { openDoor, type WitnessDoor } from './witness-door.ts';
import { openHearing } from './witness-hearing.ts';

/** What the directory remembers of each witness, by its verifier key. */
export interface KnownSizes {
  /** The size of our log that it signed last, as far as we know; 0 when it never did. */
  size(vkey: string): Promise<number>;
  /** @param signed Unix seconds of its signature */
  learn(vkey: string, size: number, signed: number): Promise<void>;
  /** Keeps a signature that came by hand, in place of an earlier one of that key. */
  carry(vkey: string, size: number, signature: Uint8Array): Promise<void>;
  /** That signature, if it is of this size. */
  carried(vkey: string, size: number): Promise<Uint8Array | undefined>;
  /** SHA-256 of the root by which the island at this address is known; absent for one of the system's. */
  root(url: string): Promise<Uint8Array | undefined>;
}

/** How it went with a witness the last time, since this process began. */
export interface WitnessState {
  /** Unix seconds. */
  at: number;
  problem?: WitnessProblem;
}

export interface Witnesses extends Disposable {
  /**
   * The note with signatures of witnesses, as soon as every policy has its quorum; those who answer at about the same
   * time are among them. A policy with `quorum none` needs nobody.
   * @throws the reason of `signal` where it ends first: nothing was gathered
   */
  gather(
    submission: Submission,
    options: {
      policies: readonly Policy[];
      signal: AbortSignal;
      /** By address, where it is to be another than the one that is known. */
      roots?: ReadonlyMap<string, Uint8Array>;
    },
  ): Promise<string>;
  /**
   * The size that each witness of the policy has signed last, asked with a checkpoint that was published before, so
   * that nothing new is signed. Who says a larger one has to show it under the signature of the log: one witness that
   * lies must not stop everybody. Who does not, or does not answer in time, is missing.
   */
  sizes(submission: Submission, policy: Policy, signal: AbortSignal): Promise<Map<string, number>>;
  /**
   * A signature that came by hand and verifies for this checkpoint: it counts in every `gather` for it, also in one
   * that is under way, and, if it is of since this process began, as what that witness says in `sizes`.
   */
  take(submission: Submission, vkey: Vkey, signature: NoteSignature): Promise<void>;
  /** What a member's device is asked to sign now and has not. */
  asked(vkey: string): Submission | undefined;
  /** A member's device has shown a checkpoint of this size, larger than ours, under the signature of the log. */
  ahead(log: string, vkey: string, size: number): void;
  state(vkey: string): WitnessState | undefined;
}

/** Seconds by which the clocks of a witness without a line and ours may differ. */
const drift = 300;

/** Milliseconds after the quorum in which others' signatures are still taken. */
const grace = 200;

export function openWitnesses(parts: {
  known: KnownSizes;
  clock: Clock;
  log: Log;
  /** Members' devices are told that there is something for them. */
  announce?: Announce;
}): Witnesses {
  const { known, clock, log, announce = () => undefined } = parts;
  const members = openMemberAsks(announce);
  const doors = new Map<string, WitnessDoor>();
  const states = new Map<string, WitnessState>();
  const hearing = openHearing(members, silent);
  const began = unixSeconds(clock);
  /** Told of each signature that came by hand. */
  const waiting = new Set<(text: string, vkey: string, signature: NoteSignature) => void>();

  /** What came by hand for this checkpoint, by key. */
  async function carriedFor(
    { note, size }: Submission,
    policies: readonly Policy[],
  ): Promise<Map<string, NoteSignature>> {
    const found = new Map<string, NoteSignature>();
    const { text } = parseNote(note);
    for (const { vkey } of policies.flatMap(({ witnesses }) => witnesses)) {
      const signature = await known.carried(formatVkey(vkey), size);
      if (signature === undefined || !verifierOf(vkey).verify(text, signature)) continue;
      found.set(formatVkey(vkey), { name: vkey.name, keyId: vkey.keyId, signature });
    }
    return found;
  }

  async function doorOf(url: string, roots: Roots = new Map()): Promise<WitnessDoor> {
    const root = roots.get(url) ?? (await known.root(url));
    const name = `${url} ${root === undefined ? '' : hex(root)}`;
    const door = doors.get(name) ?? openDoor(url, root);
    doors.set(name, door);
    return door;
  }

  /** One that changes is said once. */
  function note(witness: PolicyWitness, came: WitnessAttempt): void {
    noteOf(formatVkey(witness.vkey), witness.name, 'problem' in came ? came.problem : undefined);
  }

  function noteOf(vkey: string, peer: string, problem: WitnessProblem | undefined): void {
    if (states.get(vkey)?.problem !== problem)
      log[problem === undefined ? 'info' : 'warn']('witness', {
        peer,
        reason: problem ?? 'signed',
      });
    states.set(vkey, { at: unixSeconds(clock), ...(problem && { problem }) });
  }

  /** Those that said something worse before stay what they are. */
  function silent(vkeys: readonly string[]): void {
    for (const vkey of vkeys)
      if (states.get(vkey)?.problem !== 'ahead') noteOf(vkey, nameOf(vkey), 'unreachable');
  }

  async function signatureOf(
    witness: PolicyWitness & { url: string },
    submission: Submission,
    { signal, roots }: { signal: AbortSignal; roots: Roots | undefined },
  ): Promise<NoteSignature | undefined> {
    const vkey = formatVkey(witness.vkey);
    const asked = { door: await doorOf(witness.url, roots), vkey: witness.vkey };
    const signature = await persist(asked, submission, () => known.size(vkey), {
      signal,
      told: (came) => note(witness, came),
    });
    if (signature !== undefined)
      await known.learn(vkey, submission.size, cosignatureTime(signature.signature) ?? 0);
    return signature;
  }

  return {
    async gather(submission, { policies, signal, roots }) {
      const open = policies.filter(({ quorum }) => quorum !== undefined);
      if (open.length === 0) return submission.note;
      const witnesses = byKey(open);
      const signed = await carriedFor(submission, open);
      const enough = (): boolean =>
        open.every((policy) => hasQuorum(policy, namesIn(policy, signed)));
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const stop = new AbortController();
      const ended = AbortSignal.any([signal, stop.signal]);
      const abort = (): void => reject(signal.reason);
      const { text } = parseNote(submission.note);
      const came = (of: string, vkey: string, signature: NoteSignature): void => {
        if (of !== text) return;
        signed.set(vkey, signature);
        if (missing().length === 0) everyMember.resolve();
        if (enough()) resolve();
      };
      const everyMember = Promise.withResolvers<void>();
      const missing = () => membersOf(open).filter((vkey) => !signed.has(vkey));
      if (missing().length === 0) everyMember.resolve();
      waiting.add(came);
      using _asking = members.begin(submission, missing, silent);
      if (enough()) resolve();
      signal.addEventListener('abort', abort);
      if (signal.aborted) abort();
      const asking = [...witnesses].map(async ([vkey, witness]) => {
        const signature = await signatureOf(witness, submission, { signal: ended, roots });
        if (signature === undefined) return;
        signed.set(vkey, signature);
        if (enough()) resolve();
      });
      const all = Promise.all(asking);
      all.catch(reject);
      try {
        await promise;
        await Promise.race([Promise.all([all, everyMember.promise]), pause(grace, signal)]);
      } finally {
        signal.removeEventListener('abort', abort);
        waiting.delete(came);
        stop.abort();
        await Promise.allSettled(asking);
      }
      return addSignatures(submission.note, [...signed.values()]);
    },

    async sizes(submission, policy, signal) {
      const found = new Map<string, number>();
      const heard = hearing.until({ submission, policy, found }, signal);
      await Promise.all(
        [...byKey([policy]).values()].map(async (witness) => {
          const asked = { door: await doorOf(witness.url), vkey: witness.vkey };
          const came = await attempt(asked, submission, 0, signal).catch(() => undefined);
          // Who asks stops: that is nothing about the witness, unless its time is over.
          if (signal.aborted && signal.reason?.name !== 'TimeoutError') return;
          note(witness, came ?? { problem: 'unreachable' });
          if (came === undefined || signal.aborted) return;
          if ('signature' in came) found.set(witness.name, submission.size);
          else if (came.size !== undefined) {
            const seen = await shown(asked.door, policy, submission, signal).catch(() => 0);
            if (seen > submission.size) found.set(witness.name, seen);
          }
          hearing.look();
        }),
      );
      await heard;
      for (const { name, vkey, url } of policy.witnesses) {
        const size = hearing.size(logOf(submission.note), formatVkey(vkey));
        if (url === undefined && size !== undefined) found.set(name, size);
      }
      return found;
    },

    async take({ note, size }, vkey, signature) {
      const key = formatVkey(vkey);
      const time = cosignatureTime(signature.signature) ?? 0;
      await known.carry(key, size, signature.signature);
      await known.learn(key, size, time);
      if (time >= began - drift) hearing.hear(logOf(note), key, size);
      noteOf(key, nameOf(key), undefined);
      for (const tell of waiting) tell(parseNote(note).text, key, signature);
    },

    asked: (vkey) => members.asked(vkey),
    ahead(log, vkey, size) {
      noteOf(vkey, nameOf(vkey), 'ahead');
      hearing.hear(log, vkey, size);
    },
    state: (vkey) => states.get(vkey),
    [Symbol.dispose]() {
      for (const door of doors.values()) door[Symbol.dispose]();
    },
  };
}

/** Origin of the log of a checkpoint. */
const logOf = (note: string): string => parseCheckpoint(parseNote(note).text).origin;

/** Of a key. */
const nameOf = (vkey: string): string => vkey.slice(0, vkey.indexOf('+'));

type Roots = ReadonlyMap<string, Uint8Array>;
type Reachable = PolicyWitness & { url: string };

/** Each key once, whatever a policy calls it; whoever has no address signs by other ways. */
function byKey(policies: readonly Policy[]): Map<string, Reachable> {
  const found = new Map<string, Reachable>();
  for (const { witnesses } of policies)
    for (const witness of witnesses) {
      const { url } = witness;
      if (url !== undefined) found.set(formatVkey(witness.vkey), { ...witness, url });
    }
  return found;
}

function namesIn(policy: Policy, signed: ReadonlyMap<string, NoteSignature>): Set<string> {
  const names = policy.witnesses.filter(({ vkey }) => signed.has(formatVkey(vkey)));
  return new Set(names.map(({ name }) => name));
}
