/**
 * Who people are, as the log of their island proves it: an answer counts when its checkpoint is signed by the
 * log and by the witnesses of the policy, goes on from what this home has seen of the log before, is fresh, and
 * holds exactly the state that was shown. docs/protocol/transparency.md §8
 */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import {
  accountOfName,
  checkAnswer,
  type LogPins,
  type ProvedAnswer,
  type ProvedState,
} from '@island/protocol/transparency/answer.ts';
import { type EventStep, followEvents } from '@island/protocol/transparency/event-chain.ts';
import { nameLabel } from '@island/protocol/transparency/label.ts';
import { readEvent } from '@island/protocol/transparency/leaves.ts';
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
import { evidenceOf } from './convicting.ts';
import { followHead, HeadConflict, readHead } from './head.ts';
import { latch, mustBeUnlatched } from './latch.ts';
import { openLogFiles } from './log-files.ts';
import { pinsOf } from './pins.ts';
import { adoptPolicy } from './policy-change.ts';

/** A person's account as the log has it. */
export interface ProvedPerson {
  account: AccountId;
  /** The newest list that the log commits to. */
  list: Uint8Array;
  state: ProvedState;
  /** Of the checkpoint that shows it. */
  size: number;
}

/** What is known of somebody already; without the hash nothing was proved of them yet. */
export interface KnownVersion {
  version: number;
  list: Uint8Array;
  eventHash: Uint8Array | undefined;
}

export interface Proving {
  /**
   * Fetches an answer about a name and believes it, or not. Throws `unknown_person`, `list_invalid`, `unwitnessed`,
   * `directory_stale`, `log_unproved`, `directory_contradicted`, and what `fetch` throws.
   */
  person(
    name: string,
    fetch: () => Promise<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<ProvedPerson>;
  /**
   * The lists from what is known, exclusive, to what was proved, inclusive: no version is left out, and none that
   * was seen before has vanished. `fetch`: the versions behind one, ascending, as many as there are at once.
   * Throws `history_broken`, `list_rolled_back`, `directory_contradicted`, and what `fetch` throws.
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
const freshness = 3_600_000;

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

  const check = (answer: Uint8Array, name: string, log: LogPins): ProvedAnswer =>
    checkAnswer(answer, {
      log,
      labels: [nameLabel(name), accountOfName],
      allowUnwitnessed: true,
      cache,
      notBefore: now() - freshness,
    });

  /** The answer under the policy that is known, or under one that follows it. */
  async function checked(answer: Uint8Array, name: string, signal?: AbortSignal) {
    const pins = await pinsOf(storage, transport, signal);
    try {
      return check(answer, name, pins);
    } catch (error) {
      if (!isFault(error, 'quorum_missing')) throw error;
      const next = await adoptPolicy({ storage, transport, files, pins }, signal);
      if (!next) throw error;
      return check(answer, name, next);
    }
  }

  /** A home's refusal of what was shown, by a name that says what to do. */
  async function refusal(error: unknown, name: string, signal?: AbortSignal): Promise<unknown> {
    if (error instanceof HeadConflict) {
      return latch(storage, error.fault, now(), await evidenceOf(error, files, signal));
    }
    if (error instanceof Fault && error.code !== 'unknown_person')
      return isForm(error) ? new Problem('list_invalid', { name }, { cause: error }) : error;
    if (!(error instanceof TransparencyFault)) return error;
    if (error.code === 'quorum_missing') return new Problem('unwitnessed', {}, { cause: error });
    if (error.code === 'stale') return new Problem('directory_stale', {}, { cause: error });
    if (contradictions.has(error.code)) return latch(storage, error, now());
    return new Problem('list_invalid', { name }, { cause: error });
  }

  return {
    async person(name, fetch, signal) {
      await mustBeUnlatched(storage);
      const before = await readHead(storage);
      const answer = await fetch();
      try {
        const proved = await checked(answer, name, signal);
        const { checkpoint, epoch, note } = proved;
        // Good for as long as it is ahead, too: an island could keep it for later.
        if (epoch.timestamp > now() + freshness) throw new TransparencyFault('stale');
        const { size, root } = checkpoint;
        const shown = { size, root, epoch: epoch.timestamp, note };
        await followHead(storage, files, shown, before, signal);
        return personOf(proved);
      } catch (error) {
        throw await refusal(error, name, signal);
      }
    },

    async lists(name, known, newest, fetch) {
      const { state } = newest;
      try {
        if (state.version < known.version) {
          if (known.eventHash === undefined) throw new Problem('list_rolled_back', { name });
          await latch(storage, new TransparencyFault('rolled_back'), now());
          throw new Problem('list_rolled_back', { name });
        }
        const { eventHash } = known;
        if (state.version === known.version) {
          if (eventHash && !equal(eventHash, state.eventHash))
            throw await latch(storage, new TransparencyFault('chain_broken'), now());
          return [];
        }
        // The newest alone, where it names the one that is known.
        if (state.version === known.version + 1 && eventHash) {
          if (!equal(state.event.prevEvent, eventHash))
            throw await latch(storage, new TransparencyFault('chain_broken'), now());
          return [newest.list];
        }
        return await chain(name, known, state, fetch);
      } catch (error) {
        if (!(error instanceof TransparencyFault) && !(error instanceof Fault && isForm(error)))
          throw error;
        throw new Problem('history_broken', { name }, { cause: error });
      }
    },
  };

  async function chain(
    name: string,
    { version, list, eventHash }: KnownVersion,
    newest: ProvedState,
    fetch: (after: number) => Promise<readonly EventStep[]>,
  ): Promise<Uint8Array[]> {
    // Nothing was proved of the known version: then it is the first of the chain.
    const after = eventHash ? version : version - 1;
    const steps: EventStep[] = [];
    while (after + steps.length < newest.version) {
      const more = await fetch(after + steps.length);
      if (more.length === 0) throw new Problem('history_broken', { name });
      steps.push(...more.slice(0, newest.version - after - steps.length));
    }
    const [first] = steps;
    if (!first) throw new Problem('history_broken', { name });
    const begin = eventHash ?? readEvent(first.event).prevEvent;
    const followed = followEvents({ version: after, eventHash: begin }, steps, newest);
    const states = followed.map(({ state }) => state ?? new Uint8Array(0));
    if (eventHash) return states;
    if (!states[0] || !equal(states[0], list)) throw new Problem('history_broken', { name });
    return states.slice(1);
  }
}

function personOf({ labels, checkpoint }: ProvedAnswer): ProvedPerson {
  const [named, state] = labels;
  if (!named?.present || !state?.present || state.state.length === 0)
    throw new Fault('unknown_person');
  if (openDeviceList(state.state).epoch !== state.version) throw new Fault('malformed');
  const account = accountId(hex(named.state));
  return { account, list: state.state, state, size: checkpoint.size };
}

const isFault = (error: unknown, code: TransparencyFaultCode): boolean =>
  error instanceof TransparencyFault && error.code === code;

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
