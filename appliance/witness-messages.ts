/** What `island witness` says, in sentences. docs/operations.md §8 */
import type { WitnessClass } from '@island/protocol/transparency/member-witness.ts';
import { columns } from './terminal.ts';

export interface PolicyShown {
  number: number;
  text: string;
  /** How many have to sign, where the policy is of the simple kind and has one class. */
  quorum: number | null;
  /** By class; `null` for a policy that was written by hand. */
  needs: readonly Need[] | null;
}

/** Each class counts for itself: members are people of this island, and no witnesses of other operators. */
export interface Need {
  class: 'witnesses' | 'members';
  quorum: number;
  of: number;
}

export interface WitnessShown {
  name: string;
  class: WitnessClass;
  vkey: string;
  url?: string;
  /** The size that it signed last; Unix seconds. */
  size: number;
  signed: number;
  problem?: keyof typeof problems;
  /** It has not been heard since the island started. */
  silent?: boolean;
}

export interface TrustedLog {
  origin: string;
  keys: string[];
  trusted: boolean;
  size: number;
  signed: number;
}

export interface WitnessStanding {
  policy: PolicyShown;
  pending?: { number: number; text: string };
  /** Of the published log. */
  size: number;
  /** Unix milliseconds of its newest epoch. */
  epoch: number;
  /** The size of the checkpoint that waits for its witnesses. */
  waiting?: number;
  problem?: keyof typeof logProblems;
  witnesses: WitnessShown[];
  trusted: TrustedLog[];
}

/** What a witness without a line is to sign. */
export interface CarriedRequest {
  request: string;
  size: number;
  published: boolean;
}

/** A signature that was brought. */
export interface Taken {
  name: string;
  size: number;
  /** Whether the checkpoint was published before. */
  published: boolean;
}

export const formatTaken = ({ name, size, published }: Taken): string =>
  published
    ? `${name} has signed the published checkpoint of ${size} entries.`
    : `${name} has signed the checkpoint of ${size} entries, which is published as soon as enough have.`;

export interface PolicySet {
  policy: number;
  class: Need['class'];
  quorum: number;
  of: number;
}

/** Why the log publishes nothing new. */
export const logProblems = {
  rolled_back:
    'IT SIGNS NOTHING: a witness has signed more of this log than the island has, so it was put back to an earlier state. Restore the newest copy there is, or, where there is none, begin the log anew: npx island log succeed (docs/operations.md §8)',
  unanswered: 'nothing new is published: too few witnesses answer',
  succeeding:
    'it has ended, and the log that follows waits for its witnesses: their operators have to trust it, by the card of this island (npx island witness card)',
  failing: 'nothing new is published: look into log/core.log',
};

const problems = {
  unreachable: 'does not answer',
  untrusting: 'does not know this log: its operator has to trust it',
  ahead:
    'CLAIMS A LARGER LOG than this island has: one word is no proof; where it is shown to be so, this list ends with IT SIGNS NOTHING',
  refused: 'refuses this log: it has signed another history of it',
  unsigned: 'answers without the signature of its key',
};

const minute = (seconds: number): string =>
  `${new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** @param hint what other commands need to find the island, such as ` --data DIR` */
export function formatWitnesses(standing: WitnessStanding, hint: string): string {
  return [...formatPolicy(standing, hint), '', ...formatTrusted(standing.trusted, hint)].join('\n');
}

function formatPolicy(standing: WitnessStanding, hint: string) {
  const { policy, pending, size, waiting, witnesses, problem } = standing;
  const waits = [
    ...(waiting === undefined
      ? []
      : [`A checkpoint of ${waiting} entries waits until enough of them have signed it.`]),
    ...(pending === undefined
      ? []
      : [`Policy ${pending.number} waits until its witnesses and those of before have signed.`]),
    ...(problem === undefined ? [] : [`The log: ${logProblems[problem]}.`]),
    ...(problem === 'unanswered' ? [formatSilent(witnesses)] : []),
  ];
  if (witnesses.length === 0)
    return [
      'Nobody witnesses the log of this island: its people have its word alone that it shows everybody the same.',
      ...waits,
      `Add the witness of another island with: npx island witness add${hint} CARD`,
    ];
  const rows = witnesses.map((witness): [string, string] => {
    const { name, size: at, signed, problem } = witness;
    // One that waits for others is signed before it is published.
    const part = at > size ? `${at}, of which ${size} are published` : `${at} of ${size}`;
    const far = signed === 0 ? 'has not signed yet' : `signed ${part}, ${minute(signed)}`;
    const what = [far, ways[witness.class], problem === undefined ? '' : problemOf(witness)];
    return [name, what.filter((part) => part !== '').join('; ')];
  });
  const sign =
    policy.needs === null
      ? `${countOf(witnesses.length)}, as the policy says, sign each checkpoint of this island (policy ${policy.number}):`
      : `${policy.needs.map(formatNeed).join(' and ')} have to sign each checkpoint of this island (policy ${policy.number}):`;
  const classes = witnesses.some((witness) => witness.class === 'member') ? [aboutMembers] : [];
  return [sign, columns(rows), ...classes, ...waits];
}

/** Whoever answers otherwise than with a size has not said it, either. */
function formatSilent(witnesses: readonly WitnessShown[]): string {
  const missing = witnesses.filter(({ silent, problem }) => silent || problem !== undefined);
  return `Have not said how far they are since the island started: ${missing.map(({ name }) => name).join(', ')}.`;
}

/** By class: a witness of another operator is none of these. */
const ways: Record<WitnessClass, string> = {
  other: '',
  member: "a member's device",
  hand: 'asked by hand',
};

const aboutMembers =
  "Members' devices sign while they are connected. They are people of this island: a class of its own, which is no witness of another operator, however many they are.";

const problemOf = ({ problem, ...witness }: WitnessShown): string => {
  if (problem === undefined) return '';
  return problem === 'unreachable' && witness.class === 'member'
    ? 'is not connected, or off'
    : problems[problem];
};

const countOf = (count: number): string => `${count} ${count === 1 ? 'witness' : 'witnesses'}`;

function formatNeed({ class: of, quorum, of: all }: Need): string {
  if (of === 'witnesses') return `${quorum} of ${countOf(all)}`;
  return `${quorum} of ${all} ${all === 1 ? 'member' : 'members'}`;
}

function formatTrusted(trusted: readonly TrustedLog[], hint: string): string[] {
  if (trusted.length === 0)
    return [
      'This island is a witness of no other.',
      `Be one with the card of the other island: npx island witness trust${hint} CARD`,
    ];
  const rows = trusted.map(({ origin, size, signed, trusted: good }): [string, string] => {
    const seen = signed === 0 ? 'has not asked yet' : `${size} entries, signed ${minute(signed)}`;
    return [origin, good ? seen : `${seen}; not trusted any more`];
  });
  return ['This island is a witness of these logs:', columns(rows)];
}

export function formatPolicySet({ policy, ...need }: PolicySet, hint: string): string {
  const who =
    need.of === 0
      ? `no more ${need.class === 'members' ? 'members' : 'witnesses of others'} have to sign`
      : `${formatNeed(need)} have to sign each checkpoint`;
  const few =
    need.class === 'witnesses' && need.of > 0 && need.quorum * 2 <= need.of
      ? ` More than half is advised: npx island witness quorum${hint} ${Math.floor(need.of / 2) + 1}`
      : '';
  return `Policy ${policy}: ${who}. It is in force when the next one is published: npx island witness${hint} shows it.${few}`;
}
