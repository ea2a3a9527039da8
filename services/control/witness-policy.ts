/**
 * Changes to a policy of the simple kind: so many of these witnesses, and so many of the members' devices, each class in
 * a group of its own; where there are both, both have to count. What an operator wrote otherwise is changed as a whole
 * text. docs/operations.md §8
 */
import { witnessClass } from '@island/protocol/transparency/member-witness.ts';
import { formatVkey, parseVkey } from '@island/protocol/transparency/note.ts';
import {
  formatPolicy,
  type Policy,
  type PolicyWitness,
  parsePolicy,
} from '@island/protocol/transparency/policy.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { Fault } from '@island/protocol/wire/fault.ts';

/** The groups; no witness is called so. Members of this island are never counted among the others. */
export const classNames = ['witnesses', 'members'] as const;
export type ClassName = (typeof classNames)[number];
const both = 'both';
export const reservedNames: readonly string[] = [...classNames, both, 'none'];

export interface SimpleWitness {
  name: string;
  vkey: string;
  url?: string | undefined;
}

export interface WitnessGroup {
  /** How many have to sign; 0 where there are none. */
  quorum: number;
  witnesses: readonly SimpleWitness[];
}

export interface SimplePolicy extends Record<ClassName, WitnessGroup> {
  log: string;
}

const classOf = (witness: Omit<PolicyWitness, 'name'>): ClassName =>
  witnessClass(witness) === 'member' ? 'members' : 'witnesses';

/** Throws `malformed` for what is no key. */
export function classOfKey(vkey: string, url: string | undefined): ClassName {
  return refusing(() => classOf({ vkey: parseVkey(vkey), ...(url !== undefined && { url }) }));
}

/** `undefined` for a policy of another kind. */
export function readSimple(text: string): SimplePolicy | undefined {
  const policy = parsePolicy(text);
  const [log, ...logs] = policy.logs;
  if (log === undefined || logs.length > 0 || !isSimple(policy)) return undefined;
  const group = (name: ClassName): WitnessGroup => ({
    quorum: policy.groups.find((one) => one.name === name)?.threshold ?? 0,
    witnesses: policy.witnesses
      .filter((one) => classOf(one) === name)
      .map(({ vkey, ...rest }) => ({ ...rest, vkey: formatVkey(vkey) })),
  });
  return { log: formatVkey(log.vkey), witnesses: group('witnesses'), members: group('members') };
}

function isSimple({ witnesses, groups, quorum }: Policy): boolean {
  const there = classNames.filter((name) => witnesses.some((one) => classOf(one) === name));
  const top = there.length === 2 ? both : there[0];
  const wanted = top === both ? [...there, both] : there;
  const isOf = (name: string) => new Set(groups.find((one) => one.name === name)?.members);
  return (
    quorum === top &&
    groups.length === wanted.length &&
    there.every((name) => {
      const names = witnesses.filter((one) => classOf(one) === name).map((one) => one.name);
      return isOf(name).size === names.length && names.every((one) => isOf(name).has(one));
    }) &&
    (top !== both || (isOf(both).size === 2 && groups.at(-1)?.threshold === 2))
  );
}

/** @throws malformed for names, keys and counts that no policy can have */
export function writeSimple({ log, ...classes }: SimplePolicy): string {
  const there = classNames.filter((name) => classes[name].witnesses.length > 0);
  const groups = there.map((name) => ({
    ...{ name, threshold: classes[name].quorum },
    members: classes[name].witnesses.map((one) => one.name),
  }));
  return refusing(() =>
    formatPolicy({
      logs: [{ vkey: parseVkey(log) }],
      witnesses: there.flatMap((name) =>
        classes[name].witnesses.map(({ name, vkey, url }) => {
          return { name, vkey: parseVkey(vkey), ...(url !== undefined && { url }) };
        }),
      ),
      groups: there.length < 2 ? groups : [...groups, { name: both, threshold: 2, members: there }],
      quorum: there.length < 2 ? there[0] : both,
    }),
  );
}

function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof TransparencyFault) throw new Fault('malformed', undefined, { cause });
    throw cause;
  }
}
