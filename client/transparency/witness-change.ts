/**
 * That others watch the directory than before: who came, who went, and how many must sign. It is in the log and those
 * of before have signed that it is; a person hears of it once. docs/protocol/transparency.md §8.3
 */
import { formatVkey } from '@island/protocol/transparency/note.ts';
import {
  type Policy,
  type PolicyWitness,
  parsePolicy,
} from '@island/protocol/transparency/policy.ts';
import * as v from 'valibot';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Batch, Storage } from '../storage/storage.ts';
import { readPins } from './pins.ts';

/** The policy that a person knows of, from the first change on that they were not told. */
const record = v.strictObject({ policy: v.string() });

const place = { namespace: 'transparency', key: 'witnesses-untold' };

export interface WitnessChange {
  /** Names, as the island calls them. */
  added: readonly string[];
  removed: readonly string[];
  /** All who count now. */
  witnesses: readonly string[];
  /** Who has to sign, in words: `2 of a, b, c`, `any of a, b`; nobody, where no witness is asked. */
  quorum: string | undefined;
}

/** For the commit that takes the next policy over. `policy`: the one before. */
export async function noteWitnessChange(
  storage: Storage,
  policy: string,
): Promise<Required<Pick<Batch, 'put' | 'expect'>>> {
  const row = await storage.read(place.namespace, place.key);
  const put = row ? [] : [{ ...place, bytes: encodeRecord({ policy }) }];
  return { put, expect: [{ ...place, version: row?.version ?? 0 }] };
}

/** What the person was not told yet. */
export async function witnessChange(storage: Storage): Promise<WitnessChange | undefined> {
  const row = await storage.read(place.namespace, place.key);
  const pins = await readPins(storage);
  if (!row || !pins) return undefined;
  return changeOf(parsePolicy(decodeRecord(record, row).policy), parsePolicy(pins.policy));
}

export const witnessChangeTold = (storage: Storage) => storage.commit({ remove: [place] });

/** Nothing where the same keys must sign as before, in whatever words. */
export function changeOf(before: Policy, after: Policy): WitnessChange | undefined {
  const [were, are] = [before, after].map(counting) as [PolicyWitness[], PolicyWitness[]];
  const added = without(are, were);
  const removed = without(were, are);
  const quorum = quorumOf(after);
  if (added.length === 0 && removed.length === 0 && quorum === quorumOf(before)) return undefined;
  return { added, removed, witnesses: are.map(({ name }) => name), quorum };
}

const counting = ({ witnesses, quorum }: Policy): PolicyWitness[] =>
  quorum === undefined ? [] : [...witnesses];

function without(these: PolicyWitness[], those: PolicyWitness[]): string[] {
  const keys = new Set(those.map(({ vkey }) => formatVkey(vkey)));
  return these.filter(({ vkey }) => !keys.has(formatVkey(vkey))).map(({ name }) => name);
}

/** Who has to sign, in words. */
export function quorumOf({ groups, quorum }: Policy): string | undefined {
  const byName = new Map(groups.map((group) => [group.name, group]));
  const words = (name: string): string => {
    const group = byName.get(name);
    if (!group) return name;
    const members = group.members.map((member) =>
      byName.has(member) ? `(${words(member)})` : member,
    );
    if (members.length === 1) return `${members[0]}`;
    return `${group.threshold === 1 ? 'any' : group.threshold} of ${members.join(', ')}`;
  };
  return quorum === undefined ? undefined : words(quorum);
}
