/**
 * Who people are, as the log of their island proves it: an answer counts when its checkpoint is signed by the
 * log and by the witnesses of the policy, goes on from what this home has seen of the log before, is fresh, and
 * holds exactly the state that was shown. docs/protocol/transparency.md §8
 */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import {
  type Answer,
  accountOfName,
  checkAnswer,
  type LogPins,
  type ProvedAnswer,
  type ProvedLabel,
  type ProvedState,
  readAnswer,
} from '@island/protocol/transparency/answer.ts';
import type { EventStep } from '@island/protocol/transparency/event-chain.ts';
import { nameLabel } from '@island/protocol/transparency/label.ts';
import {
  TransparencyFault,
  type TransparencyFaultCode,
} from '@island/protocol/transparency/transparency-fault.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { Problem } from '../problem.ts';
import type { Storage } from '../storage/storage.ts';
import type { Transport } from '../transport/transport.ts';
import { Contradiction } from './contradiction.ts';
import {
  broken,
  type Court,
  evidenceOf,
  hidden,
  type ShownLabel,
  type Testimony,
  testimonyOf,
  unfounded,
} from './convicting.ts';
import { followHead, HeadConflict, readHead } from './head.ts';
import { latch, mustBeUnlatched } from './latch.ts';
import { openLogFiles } from './log-files.ts';
import { followName, provedName } from './names.ts';
import { pinsOf } from './pins.ts';
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
   * nobody, `absence_unproved`, `list_invalid`, `unwitnessed`, `directory_stale`, `directory_ahead`, `log_unproved`, `directory_contradicted`, and what `fetch` throws.
   */
  person(
    name: string,
    fetch: () => Promise<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<ProvedPerson>;
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
  'unknown_origin',
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

  function check(answer: Uint8Array, name: string, log: LogPins): ProvedAnswer {
    const proved = checkAnswer(answer, {
      log,
      labels: [nameLabel(name), accountOfName],
      allowUnwitnessed: true,
      cache,
      notBefore: now() - freshness,
    });
    // Dated ahead, it would be fresh for as long as the island likes.
    if (proved.epoch.timestamp > now() + freshness) throw new Problem('directory_ahead');
    return proved;
  }

  /** The answer under the policy that is known, or under one that follows it. */
  async function checked(answer: Uint8Array, name: string, signal?: AbortSignal) {
    const pins = await pinsOf(storage, transport, signal);
    return underPolicy({ storage, files, pins }, (log) => check(answer, name, log), signal);
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
  ): Promise<unknown> {
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
      await mustBeUnlatched(storage);
      const before = await readHead(storage);
      const named = await provedName(storage, name);
      const answer = await answered(name, fetch);
      try {
        const proved = await checked(answer, name, signal);
        const { checkpoint, epoch, note } = proved;
        const { size, root } = checkpoint;
        const shown = { size, root, epoch: epoch.timestamp, note };
        await followHead(storage, files, shown, before, signal);
        const pins = await pinsOf(storage, transport, signal);
        await checkPolicy(storage, files, pins, shown, signal);
        await checkVrfKey(storage, files, pins, shown, signal);
        const [whose, state] = labelsOf(proved, readAnswer(answer));
        if (!whose) throw new Fault('malformed');
        await followName(storage, name, named, whose.proved, whose);
        if (named && !named.erased && state && !state.proved.present) {
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
      } catch (error) {
        throw await refusal(error, name, answer, signal);
      }
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

interface Label extends ShownLabel {
  proved: ProvedLabel;
}

const labelsOf = ({ labels }: ProvedAnswer, answer: Answer): Label[] =>
  labels.flatMap((proved, i) => {
    const proof = answer.labels[i];
    return proof ? { answer, proof, label: proved.label, index: proved.index, proved } : [];
  });

const accountOf = (name: ProvedLabel): AccountId =>
  accountId(hex(name.present ? name.state : new Uint8Array(0)));

function personOf({ labels, checkpoint }: ProvedAnswer, shown: Label | undefined): ProvedPerson {
  const [named] = labels;
  const state = shown?.proved;
  const seen = shown && testimonyOf(shown);
  if (!named?.present || !state?.present || !seen || state.state.length === 0)
    throw new Fault('unknown_person');
  if (openDeviceList(state.state).epoch !== state.version) throw new Fault('malformed');
  const { size } = checkpoint;
  return { account: accountOf(named), list: state.state, state, size, shown, seen };
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
