/**
 * The epochs of the log, one after the other: drafted, stored with the log's signature, cosigned, published.
 * docs/protocol/transparency.md §6
 *
 *     nothing new → draft → open → published
 *
 * Invariants: nothing is signed before the witnesses said that they know nothing newer: a database that was put back
 * would sign a second history. One epoch is in flight, and what is new waits behind it. A draft that could not be
 * stored is stored later as it is: the map has it already. An open epoch is shown to witnesses with its stored note, also by the
 * next process. Whoever waits for an epoch waits so long and no longer.
 */
import type { MapSnapshot } from '@island/protocol/transparency/map-snapshot.ts';
import {
  formatNote,
  type NoteSignature,
  parseNote,
  sameKeyId,
} from '@island/protocol/transparency/note.ts';
import { parsePolicy } from '@island/protocol/transparency/policy.ts';
import { consistencyProof, inclusionProof } from '@island/protocol/transparency/tree-proofs.ts';
import { backoff, pause } from '../../kit/backoff.ts';
import type { Clock } from '../../kit/clock.ts';
import { failure, type Log } from '../../kit/log.ts';
import { type DraftParts, draftEpoch, type Epoch, type EpochDraft } from './epoch-draft.ts';
import {
  type Cosign,
  type EpochProblem,
  type KnownToWitnesses,
  lookBack,
  policyTexts,
  Unsigned,
} from './epoch-witnesses.ts';
import { loadMap } from './label-map.ts';
import type { PublishedEpoch } from './log-answers.ts';
import { newestEpochs, publishEpoch, replacePublished, storeEpoch } from './log-epochs.ts';

/** A label with its newest version. */
export interface Changed {
  label: Uint8Array;
  version: number;
}

export interface EpochWork extends AsyncDisposable {
  readonly published: PublishedEpoch;
  /** The checkpoint that waits for its witnesses, as the log signed it. */
  readonly open: { note: string; size: number } | undefined;
  /** Adds a witness's signature to the published checkpoint, if it still is this one, in place of an earlier one. */
  cosigned(size: number, signature: NoteSignature): Promise<void>;
  /** Of the last try. */
  readonly problem: EpochProblem | undefined;
  /** The largest size that a witness has signed and the database does not have. */
  readonly ahead: number | undefined;
  /** Something new may be there. */
  wake(): void;
  /** Resolves when all that is stored now is published, or after `patience`. */
  settled(): Promise<void>;
  /** Sees to it that the published epoch is not too old; waits for that only where nothing but the disk is in the way. */
  fresh(): Promise<void>;
}

/** Milliseconds: less than a caller on the bus waits. */
const patience = 3000;
/** Milliseconds: of an answer, for an epoch that is not so old. */
const freshPatience = 250;
/** Age at which the newest epoch gets a successor, also without anything new; milliseconds. */
const oldest = 20 * 60_000;
const retries = { first: 250, most: 30_000 };

/** An epoch with what answers say of it. */
interface Shown {
  epoch: Epoch;
  leaf: Uint8Array;
  inclusion: readonly Uint8Array[];
  changed: readonly Changed[];
}

export async function openEpochWork(
  parts: Omit<DraftParts, 'map'> & {
    clock: Clock;
    log: Log;
    cosign: Cosign;
    known: KnownToWitnesses;
    /** In the moment in which an epoch becomes the published one. */
    onPublished(number: number, changed: readonly Changed[]): void;
    /** A successor is to take over: nothing more is signed. */
    over?: boolean;
  },
): Promise<EpochWork> {
  const { store, hashes, entries, clock, log, cosign, known, onPublished, over = false } = parts;
  const epochs = await newestEpochs(store);
  const loaded = await loadMap(entries, epochs);
  const drafting: DraftParts = { ...parts, map: loaded.map };
  const ended = new AbortController();
  let newest: Epoch | undefined = epochs.at(-1);
  let draft: EpochDraft | undefined;
  let open: Shown | undefined;
  let current: PublishedEpoch | undefined;
  let waiting: { until(at: PublishedEpoch): boolean; done(): void }[] = [];
  let [wanted, always, lookedBack] = [false, false, false];
  let working: Promise<void> | undefined;
  /** The last try failed. */
  let failing = false;
  let problem: EpochProblem | undefined = over ? 'succeeding' : undefined;
  let ahead: number | undefined;

  async function stored(epoch: Epoch, since: number): Promise<Shown> {
    const { size, lastEvent } = epoch;
    const leaf = await entries.entry(size - 1);
    const inclusion = await inclusionProof(size - 1, size, hashes.read);
    const sql = `SELECT l.label, max(e.version) AS version FROM log_events e JOIN log_labels l ON l.id = e.label
      WHERE e.seq > ? AND e.seq <= ? GROUP BY e.label`;
    const changed = (await store.rows(sql, [since, lastEvent])) as unknown as Changed[];
    return { epoch, leaf, inclusion, changed };
  }

  const last = epochs.findLast(({ published }) => published !== undefined);
  const inFlight = epochs.findLast(({ published }) => published === undefined);
  if (last?.published !== undefined && loaded.published !== undefined)
    current = publishedOf(await stored(last, last.lastEvent), last.published, loaded.published);
  if (inFlight !== undefined) open = await stored(inFlight, last?.lastEvent ?? 0);

  /** In one turn of the event loop: nobody sees a half of it. */
  function become(shown: Shown, note: string): void {
    const before = current;
    const now = publishedOf(shown, note, drafting.map.snapshot());
    current = now;
    if (before !== undefined) drafting.map.release(before.map);
    const done = waiting.filter(({ until }) => until(now));
    waiting = waiting.filter(({ until }) => !until(now));
    for (const each of done) each.done();
    onPublished(now.number, shown.changed);
  }

  /** The texts that an epoch has to satisfy: the policy in force, and all that it brings. */
  function policiesOf({ policy }: Epoch): Promise<string[]> {
    return policyTexts(store, current?.policy ?? policy, policy);
  }

  async function storeDraft(made: EpochDraft): Promise<void> {
    const { epoch } = made;
    const policies = await policiesOf(epoch);
    const alone = policies.every((text) => parsePolicy(text).quorum === undefined);
    // The answer of a commit may have been lost.
    const there = (await newestEpochs(store)).at(-1)?.number === epoch.number;
    if (!there) await storeEpoch(parts, made, alone ? epoch.note : undefined);
    entries.keep(made.entries);
    hashes.keep(made.tree);
    newest = epoch;
    draft = undefined;
    const shown = { ...made, changed: made.labels };
    if (alone) become(shown, epoch.note);
    else open = shown;
  }

  async function publish(shown: Shown): Promise<void> {
    const { note, size } = shown.epoch;
    const policies = await policiesOf(shown.epoch);
    const proofFrom = (from: number) => consistencyProof(from, size, hashes.read);
    const cosigned = await cosign({ policies, note, size, proofFrom }, ended.signal);
    const kept = await publishEpoch(store, shown.epoch, cosigned);
    open = undefined;
    become(shown, kept);
  }

  /** @returns whether there was anything to do */
  async function step(): Promise<boolean> {
    if (!lookedBack && current !== undefined)
      await lookBack({ store, hashes, known, signal: ended.signal }, current, newest?.size ?? 0);
    lookedBack = true;
    if (open !== undefined) {
      await publish(open);
      return true;
    }
    const asked = { now: clock.now(), always: always || newest === undefined };
    draft ??= await draftEpoch(drafting, newest, asked);
    if (draft === undefined) return false;
    always = false;
    await storeDraft(draft);
    return true;
  }

  async function work(): Promise<void> {
    for (let failures = 0; !ended.signal.aborted; ) {
      wanted = false;
      try {
        for (let more = true; more; ) {
          more = await step();
          failing = false;
          problem = undefined;
          failures = 0;
        }
        if (!wanted) return;
      } catch (error) {
        if (ended.signal.aborted) return;
        failing = true;
        problem = error instanceof Unsigned ? error.problem : 'failing';
        if (error instanceof Unsigned && error.ahead !== undefined)
          ahead = Math.max(error.ahead, ahead ?? 0);
        log.warn('epoch_waits', failure(error));
        await pause(backoff(retries, ++failures), ended.signal);
      }
    }
  }

  function wake(): void {
    if (over) return;
    wanted = true;
    working ??= work().finally(() => {
      working = undefined;
    });
  }

  async function when(
    until: (at: PublishedEpoch) => boolean,
    milliseconds = patience,
  ): Promise<void> {
    if (over || (current !== undefined && until(current))) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter = { until, done: resolve };
    waiting.push(waiter);
    wake();
    const given = new AbortController();
    await Promise.race([promise, pause(milliseconds, given.signal)]);
    given.abort();
    waiting = waiting.filter((each) => each !== waiter);
  }

  const isOld = ({ timestamp }: PublishedEpoch) => clock.now() - timestamp >= oldest;

  // A log that has begun is published at least as it was: nobody waits for witnesses here.
  while (current === undefined) await step();
  wake();

  return {
    get published() {
      if (current === undefined) throw new TypeError('a log without an epoch');
      return current;
    },
    get open() {
      return open && { note: open.epoch.note, size: open.epoch.size };
    },
    get problem() {
      return problem;
    },
    get ahead() {
      return ahead;
    },
    async cosigned(size, signature) {
      const at = current;
      if (at?.size !== size) return;
      const { text, signatures } = parseNote(at.note);
      const others = signatures.filter(
        ({ name, keyId }) => name !== signature.name || !sameKeyId(keyId, signature.keyId),
      );
      const note = formatNote({ text, signatures: [...others, signature] });
      await replacePublished(store, at, note);
      if (current === at) current = { ...at, note };
    },
    wake,
    async settled() {
      const [row] = await store.rows('SELECT coalesce(max(seq), 0) AS seq FROM log_events');
      const seq = Number(row?.['seq']);
      await when(({ lastEvent }) => lastEvent >= seq);
    },
    async fresh() {
      if (over || current === undefined || !isOld(current)) return;
      always = true;
      const { number } = current;
      if (open !== undefined || failing) wake();
      else await when((at) => at.number > number, freshPatience);
    },
    async [Symbol.asyncDispose]() {
      ended.abort();
      await working;
    },
  };
}

function publishedOf(
  shown: Omit<Shown, 'changed'>,
  note: string,
  map: MapSnapshot,
): PublishedEpoch {
  const { number, size, lastEvent, policy, timestamp } = shown.epoch;
  const head = { number, size, lastEvent, policy, timestamp, note };
  return { ...head, epoch: shown.leaf, epochProof: shown.inclusion, map };
}
