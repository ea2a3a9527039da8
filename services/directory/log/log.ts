/**
 * The directory's log: what happens to lists and names becomes epochs, and what is asked of it is answered from the
 * published one. docs/protocol/transparency.md §6
 */

import { labelKinds, readLabel } from '@island/protocol/transparency/label.ts';
import type { NoteSignature } from '@island/protocol/transparency/note.ts';
import { parsePolicy } from '@island/protocol/transparency/policy.ts';
import { existsIn, type Tile } from '@island/protocol/transparency/tiles.ts';
import { consistencyProof } from '@island/protocol/transparency/tree-proofs.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import type { Answer as RouteAnswer } from '@island/protocol/wire/routes.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { startRounds } from '../../kit/rounds.ts';
import type { VaultSecrets } from '../../kit/vault-secrets.ts';
import type { DirectoryStore } from '../database.ts';
import type { Submission } from '../witness-ask.ts';
import { proveLabel } from './epoch-draft.ts';
import type { Cosign, EpochProblem, KnownToWitnesses } from './epoch-witnesses.ts';
import { openEpochWork } from './epoch-work.ts';
import { isErasedLabel } from './erased-labels.ts';
import { openLogAnswers, type PublishedEpoch, type Step } from './log-answers.ts';
import { openLogEntries } from './log-entries.ts';
import { newestEpochs } from './log-epochs.ts';
import { type LogHashes, openLogHashes } from './log-hashes.ts';
import { type LogKeys, openLogKeys } from './log-keys.ts';
import { beginPolicies, policyEntryOf, policyOf, policyProof } from './log-policies.ts';
import { type Followed, followedLog } from './predecessors.ts';

/** What clients pin. */
export type LogPinned = RouteAnswer<'discovery'>['log'];

export interface LogStanding {
  /** Of the published log. */
  size: number;
  /** Unix milliseconds of its newest epoch. */
  epoch: number;
  /** The size of the checkpoint that waits for its witnesses. */
  waiting?: number;
  /** Why nothing new is published. */
  problem?: EpochProblem;
  /** Verifier key of the successor that waits for its witnesses. */
  successor?: string;
}

export interface DirectoryLog extends AsyncDisposable {
  readonly keys: LogKeys;
  /** All that is stored now is published, or somebody waited long enough. */
  settled(): Promise<void>;
  /** There may be a new policy. */
  wake(): void;
  /** What is proved of a name and of the account that it leads to. */
  lookUp(name: string): Promise<Uint8Array>;
  ofAccount(account: AccountId): Promise<Uint8Array>;
  /** Published versions of a name's account. Throws `unknown_person`. */
  history(name: string, after: number): Promise<Step[]>;
  /** Of an account that was ended: that it was, and its versions after one. Throws `not_found`. */
  ended(account: AccountId, after: number): Promise<{ answer: Uint8Array; steps: Step[] }>;
  /** Where a label is, or would be, in the map. */
  placeOf(label: Uint8Array): Promise<Uint8Array>;
  /** The newest event that is published. */
  lastEvent(): number;
  /** The newest published version of an account; 0 for none. */
  versionOf(account: AccountId): Promise<number>;
  /** The newest published one, with the signatures of witnesses. */
  checkpoint(): string;
  /** The same, as witnesses are asked to sign it. */
  submission(): Submission;
  /** The checkpoint that waits for its witnesses. */
  waiting(): Submission | undefined;
  /** Adds a witness's signature to the published checkpoint, if it still is of this size. */
  cosigned(size: number, signature: NoteSignature): Promise<void>;
  /** How the log goes on. */
  standing(): LogStanding;
  /** The largest size that a witness has signed and the database does not have. */
  readonly ahead: number | undefined;
  /** Throws `not_found` for what the published log does not have. */
  tile(tile: Tile): Promise<Uint8Array>;
  pinned(): Promise<LogPinned>;
  /** By which a client goes from the policy before to this one. Throws `not_found`. */
  policyProof(number: number): Promise<string>;
}

/** Milliseconds between two looks whether the newest epoch is too old. */
const round = 60_000;

export async function openDirectoryLog(parts: {
  store: DirectoryStore;
  secrets: VaultSecrets;
  clock: Clock;
  log: Log;
  cosign: Cosign;
  known: KnownToWitnesses;
  /** The published list of an account has a new epoch. */
  onPublished(account: AccountId, epoch: number): void;
  /** A successor is to take over: nothing more is signed. */
  over?: boolean;
  /** Another epoch is published. */
  onEpoch?(): void;
}): Promise<DirectoryLog> {
  const {
    store,
    secrets,
    clock,
    log,
    cosign,
    known,
    onPublished,
    onEpoch = () => undefined,
    over = false,
  } = parts;
  await using held = new AsyncDisposableStack();
  const began = (await newestEpochs(store)).length > 0;
  const followed = await followedLog(store);
  const keys = await openLogKeys(secrets, began, followed?.number);
  await beginPolicies(store, keys);
  const shared = { store, keys, hashes: openLogHashes(store), entries: openLogEntries(store) };
  const answers = openLogAnswers(shared);
  const work = held.use(
    await openEpochWork({
      ...{ ...shared, clock, log, cosign, known, over },
      onPublished(number, changed) {
        answers.goOn(
          number,
          changed.map(({ label }) => label),
        );
        for (const { label, version } of changed) {
          if (isErasedLabel(label)) continue;
          const named = readLabel(label);
          if (named.kind === labelKinds.account) onPublished(named.account, version);
        }
        onEpoch();
      },
    }),
  );
  answers.goOn(work.published.number, []);
  held.use(startRounds(round, () => work.fresh(), log));

  /** Of one published epoch from beginning to end, whether or not it is overtaken: its map stays for so long. */
  async function ofOne<T>(ask: (at: PublishedEpoch) => Promise<T>): Promise<T> {
    await work.fresh();
    const at = work.published;
    // Until it has all that the log before it had, it would deny people who are there.
    if (at.lastEvent < (followed?.events ?? 0)) throw new Fault('unavailable');
    using _held = at.map.hold();
    return await ask(at);
  }

  const stack = held.move();
  return {
    keys,
    settled: () => work.settled(),
    wake: () => work.wake(),
    lookUp: (name) => ofOne((at) => answers.ofName(name, at)),
    ofAccount: (account) => ofOne((at) => answers.ofAccount(account, at)),
    history: (name, after) => ofOne((at) => answers.history(name, after, at)),
    ended: (account, after) => ofOne((at) => answers.ended(account, after, at)),
    placeOf: async (label) => proveLabel(keys, label).place,
    lastEvent: () => work.published.lastEvent,
    versionOf: (account) => answers.versionOf(account, work.published),
    checkpoint: () => work.published.note,
    submission: () => submissionOf(shared.hashes, work.published),
    waiting: () => work.open && submissionOf(shared.hashes, work.open),
    cosigned: (size, signature) => work.cosigned(size, signature),
    standing() {
      const { published, open, problem } = work;
      return {
        size: published.size,
        epoch: published.timestamp,
        ...(open && { waiting: open.size }),
        ...(problem && { problem }),
      };
    },
    async tile(tile) {
      if (!existsIn(work.published.size, tile)) throw new Fault('not_found');
      const { level, index, width } = tile;
      return level === 'entries'
        ? shared.entries.bundle(index, width)
        : shared.hashes.tile(level, index, width);
    },
    async pinned() {
      const { number, text } = await policyOf(store, work.published.policy);
      return {
        vkey: keys.vkey,
        vrf: keys.vrf.public,
        policy: text,
        policyNumber: number,
        policyEntry: await policyEntryOf(store, number),
        witnessed: parsePolicy(text).quorum !== undefined,
        ...(followed && { follows: followsOf(followed) }),
      };
    },
    policyProof: (number) => policyProof(store, shared.hashes, number),
    get ahead() {
      return work.ahead;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const followsOf = ({ vkey, size, root, seen }: Followed) => ({ vkey, size, root, seen });

function submissionOf(
  hashes: Pick<LogHashes, 'read'>,
  { note, size }: { note: string; size: number },
): Submission {
  return { note, size, proofFrom: (from) => consistencyProof(from, size, hashes.read) };
}
