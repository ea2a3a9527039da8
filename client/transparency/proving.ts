import { equal } from '@island/protocol/crypto/primitives.ts';
import {
  type AskedLabel,
  accountOfName,
  checkAnswer,
  type LogPins,
  type ProvedAnswer,
  type ProvedState,
  readAnswer,
} from '@island/protocol/transparency/answer.ts';
import type { EventStep } from '@island/protocol/transparency/event-chain.ts';
import { accountLabel, nameLabel } from '@island/protocol/transparency/label.ts';
import { isErasure } from '@island/protocol/transparency/leaves.ts';
import {
  TransparencyFault,
  type TransparencyFaultCode,
} from '@island/protocol/transparency/transparency-fault.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { Problem } from '../problem.ts';
import type { Storage } from '../storage/storage.ts';
import type { Transport } from '../transport/transport.ts';
import { unknownOrigin } from './another-log.ts';
import { accountOf, type Label, labelsOf, personOf } from './answer-labels.ts';
import { Contradiction } from './contradiction.ts';
import {
  broken,
  type Court,
  evidenceOf,
  hidden,
  type ShownLabel,
  type Testimony,
  unfounded,
} from './convicting.ts';
import { followAccount } from './ended.ts';
import { followHead, HeadConflict, readHead } from './head.ts';
import { latch, mustBeUnlatched } from './latch.ts';
import { openLogFiles } from './log-files.ts';
import { followName, provedName } from './names.ts';
import { pinsOf, readPins } from './pins.ts';
import { underPolicy } from './policy-change.ts';
import { checkPolicy } from './policy-pin.ts';
import { provedOf } from './proved.ts';
import { checkAuthorised } from './unauthorised.ts';
import { fetchVersions, type KnownVersion } from './version-chain.ts';
import { checkVrfKey } from './vrf-pin.ts';

/** A person's account as the log has it. */
export interface ProvedPerson {
  account: AccountId;
  /** The newest list that the log commits to. */
  list: Uint8Array;
  state: ProvedState;
  /** Of the checkpoint that shows it. */
  size: number;
  /** How it was shown. */
  shown: ShownLabel;
  seen: Testimony;
}

export interface Proving {
  /**
   * Fetches an answer about a name and believes it, or not. Throws `unknown_person` where the log shows that there is
   * nobody, `person_ended` where it shows that the account was ended, `absence_unproved`, `list_invalid`, `unwitnessed`, `directory_stale`, `directory_ahead`, `log_unproved`, `directory_contradicted`, and what `fetch` throws.
   */
  person(
    name: string,
    fetch: () => Promise<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<ProvedPerson>;
  /**
   * The same about an account itself, against what was proved of it before; nothing where the log does not have it.
   * `name`: whose it is, for what is refused.
   */
  account(
    name: string,
    account: AccountId,
    fetch: () => Promise<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<ProvedState | undefined>;
  /**
   * The lists from what is known, exclusive, to what was proved, inclusive: no version is left out, and none that
   * was seen before has vanished. `fetch`: the versions behind one, ascending, as many as there are at once.
   * Throws `history_broken`, `list_rolled_back`, `absence_unproved`, `directory_contradicted`, and what `fetch` throws.
   */
  lists(
    name: string,
    known: KnownVersion,
    newest: ProvedPerson,
    fetch: (after: number) => Promise<readonly EventStep[]>,
  ): Promise<Uint8Array[]>;
}

export interface ProvingParts {
  storage: Storage;
  transport: Transport;
  /** Unix milliseconds. */
  now: () => number;
}

/** Milliseconds: an epoch that is older shows nothing about now, nor does one from further ahead; clocks differ by so much. */
export const freshness = 3_600_000;

/** What an island can't come to without having changed its log, its map or its keys. */
const contradictions = new Set<TransparencyFaultCode>([
  'signature_invalid',
  'inclusion_invalid',
  'epoch_invalid',
  'vrf_invalid',
  'map_invalid',
  'commitment_invalid',
]);

export function openProving({ storage, transport, now }: ProvingParts): Proving {
  const files = openLogFiles(transport);
  /** Places of labels that were proved: for ever, under one key. */
  const cache = new Map<string, Uint8Array>();

  function check(answer: Uint8Array, labels: readonly AskedLabel[], log: LogPins): ProvedAnswer {
    const proved = checkAnswer(answer, {
      ...{ log, labels, allowUnwitnessed: true, cache },
      notBefore: now() - freshness,
    });
    // Dated ahead, it would be fresh for as long as the island likes.
    if (proved.epoch.timestamp > now() + freshness) throw new Problem('directory_ahead');
    return proved;
  }

  /** Fetches an answer and reads its labels, once its checkpoint counts and goes on from what was seen before. */
  async function believed<T>(
    name: string,
    labels: readonly AskedLabel[],
    fetch: () => Promise<Uint8Array>,
    read: (proved: ProvedAnswer, labels: readonly Label[]) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    await mustBeUnlatched(storage);
    const before = await readHead(storage);
    const pinned = (await readPins(storage))?.vkey;
    const answer = await answered(name, fetch);
    try {
      const known = await pinsOf(storage, transport, signal);
      // Under the policy that is known, or under one that follows it.
      const parts = { storage, files, pins: known };
      const proved = await underPolicy(parts, (log) => check(answer, labels, log), signal);
      const { checkpoint, epoch, note } = proved;
      const { size, root } = checkpoint;
      const shown = { size, root, epoch: epoch.timestamp, note };
      await followHead(storage, files, shown, before, signal);
      const pins = await pinsOf(storage, transport, signal);
      await checkPolicy(storage, files, pins, shown, signal);
      await checkVrfKey(storage, files, pins, shown, signal);
      return await read(proved, labelsOf(proved, readAnswer(answer)));
    } catch (error) {
      throw await refusal(error, name, answer, signal, pinned);
    }
  }

  const court = async (signal: AbortSignal | undefined): Promise<Court> => ({
    pins: await pinsOf(storage, transport, signal),
    files,
    signal,
  });

  const caught = async (
    { fault, evidence }: Contradiction,
    signal: AbortSignal | undefined,
  ): Promise<Problem> => latch(storage, fault, now(), await evidence(await court(signal)));

  /** A home's refusal of what was shown, by a name that says what to do. */
  async function refusal(
    error: unknown,
    name: string,
    answer: Uint8Array,
    signal: AbortSignal | undefined,
    pinned: string | undefined,
  ): Promise<unknown> {
    if (error instanceof TransparencyFault && error.code === 'unknown_origin')
      return latch(storage, await unknownOrigin(storage, transport, pinned, signal), now());
    if (error instanceof HeadConflict)
      return latch(storage, error.fault, now(), await evidenceOf(error, await court(signal)));
    if (error instanceof Contradiction) return caught(error, signal);
    if (error instanceof Fault && error.code !== 'unknown_person')
      return isForm(error) ? new Problem('list_invalid', { name }, { cause: error }) : error;
    if (!(error instanceof TransparencyFault)) return error;
    if (error.code === 'quorum_missing') return new Problem('unwitnessed', {}, { cause: error });
    if (error.code === 'stale') return new Problem('directory_stale', {}, { cause: error });
    if (contradictions.has(error.code))
      return latch(
        storage,
        error,
        now(),
        await unfounded(readAnswer(answer), name, await court(signal)),
      );
    return new Problem('list_invalid', { name }, { cause: error });
  }

  return {
    async person(name, fetch, signal) {
      const named = await provedName(storage, name);
      const labels = [nameLabel(name), accountOfName];
      const read = async (proved: ProvedAnswer, [whose, state]: readonly Label[]) => {
        if (!whose) throw new Fault('malformed');
        await followName(storage, name, named, whose.proved, whose);
        if (whose.proved.present && isErasure(whose.proved.event))
          throw new Problem('person_ended', { name });
        if (named && state && !state.proved.present) {
          const seen = await provedOf(storage, accountOf(whose.proved));
          throw new Contradiction('rolled_back', async (court) =>
            seen ? hidden(seen.shown, state, court) : undefined,
          );
        }
        if (state) {
          const found = { name, account: accountOf(whose.proved) };
          await checkAuthorised({ storage, now }, found, state, () => court(signal));
        }
        return personOf(proved, state);
      };
      return believed(name, labels, fetch, read, signal);
    },

    async account(name, account, fetch, signal) {
      // Answers may cross: what was known before the question counts.
      const seen = await provedOf(storage, account);
      const read = async (_proved: ProvedAnswer, [shown]: readonly Label[]) => {
        if (!shown) throw new Fault('malformed');
        if (seen) followAccount(seen, shown.proved, shown);
        return shown.proved.present ? shown.proved : undefined;
      };
      return believed(name, [accountLabel(account)], fetch, read, signal);
    },

    async lists(name, known, newest, fetch) {
      const { state } = newest;
      try {
        if (state.version < known.version) {
          if (known.eventHash === undefined) throw new Problem('list_rolled_back', { name });
          await caught(await contrary('rolled_back', newest, hidden), undefined);
          throw new Problem('list_rolled_back', { name });
        }
        const { eventHash } = known;
        if (state.version === known.version) {
          if (eventHash && !equal(eventHash, state.eventHash))
            throw await caught(await contrary('chain_broken', newest, hidden), undefined);
          return [];
        }
        // The newest alone, where it names the one that is known.
        if (state.version === known.version + 1 && eventHash) {
          if (!equal(state.event.prevEvent, eventHash))
            throw await caught(await contrary('chain_broken', newest, broken), undefined);
          return [newest.list];
        }
        const versions = (after: number) => answered(name, () => fetch(after));
        return await fetchVersions(name, known, state, versions);
      } catch (error) {
        if (!(error instanceof TransparencyFault) && !(error instanceof Fault && isForm(error)))
          throw error;
        throw new Problem('history_broken', { name }, { cause: error });
      }
    },
  };

  /** What was proved of an account once, against what is proved now. */
  async function contrary(
    code: TransparencyFaultCode,
    { account, shown }: ProvedPerson,
    how: typeof hidden,
  ): Promise<Contradiction> {
    const then = (await provedOf(storage, account))?.shown;
    return new Contradiction(code, async (court) => then && how(then, shown, court));
  }
}

/** That there is nobody is proved like anything else: the bare word is none. Throws `absence_unproved`. */
async function answered<T>(name: string, fetch: () => Promise<T>): Promise<T> {
  try {
    return await fetch();
  } catch (cause) {
    if (!(cause instanceof Fault) || cause.code !== 'unknown_person') throw cause;
    throw new Problem('absence_unproved', { name }, { cause });
  }
}

/** Faults of bytes, not of an island that says no. */
const forms = new Set([
  'malformed',
  'unknown_type',
  'unknown_version',
  'truncated',
  'trailing_bytes',
  'too_large',
  'not_canonical',
  'bad_signature',
  'list_broken',
]);
const isForm = (error: Fault): boolean => forms.has(error.code);
