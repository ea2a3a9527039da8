/**
 * Whose signatures make a checkpoint count. docs/protocol/transparency.md §2.5, c2sp.org/tlog-policy
 *
 *     log <vkey> [<url>]
 *     witness <name> <vkey> [<url>]
 *     group <name> <k | any | all> <name>…
 *     quorum <name | none>
 *
 * An empty list of witnesses is nobody, never everybody: a group needs members, k is at least 1, and
 * `quorum none` is said as it is and passes only where the caller asks for it.
 */
import { equal } from '../crypto/primitives.ts';
import { utf8Bytes } from '../wire/bytes.ts';
import { type Checkpoint, parseCheckpoint } from './checkpoint.ts';
import { cosignatureTime, verifierOf } from './cosignature.ts';
import {
  formatVkey,
  keyTypes,
  knownSignatures,
  type Note,
  parseNote,
  parseVkey,
  type VerifiedSignature,
  type Vkey,
} from './note.ts';
import { TransparencyFault } from './transparency-fault.ts';

export interface PolicyLog {
  vkey: Vkey;
  url?: string;
}

export interface PolicyWitness {
  name: string;
  vkey: Vkey;
  url?: string;
}

export interface PolicyGroup {
  name: string;
  /** From 1 to the number of members. */
  threshold: number;
  /** Names of witnesses and of groups before this one. */
  members: readonly string[];
}

export interface Policy {
  logs: readonly PolicyLog[];
  witnesses: readonly PolicyWitness[];
  groups: readonly PolicyGroup[];
  /** Name of a witness or group, or `undefined` for `quorum none`. */
  quorum: string | undefined;
}

/** Longest text, bytes; and most logs, witnesses and groups each. */
export const policyBytesMax = 131_072;
export const policyLinesMax = 64;

const refusal = () => new TransparencyFault('policy_malformed');

/** Throws `policy_malformed` or `vkey_malformed`. */
export function parsePolicy(text: string): Policy {
  if (text.length > policyBytesMax || utf8Bytes(text).length > policyBytesMax) throw refusal();
  if (!text.isWellFormed() || hasControl(text)) throw refusal();
  const draft: Draft = {
    ...{ logs: [], witnesses: [], groups: [], quorum: undefined },
    ...{ names: new Set(), members: new Set() },
  };
  for (const line of text.split('\n')) {
    const items = line.split(/[ \t]+/).filter((item) => item !== '');
    if (items.length > 0 && !items[0]?.startsWith('#')) takeLine(draft, items);
  }
  const { logs, witnesses, groups, quorum } = draft;
  if (quorum === undefined) throw refusal();
  if (witnesses.some((witness) => isOneOf(logs, witness))) throw refusal();
  return { logs, witnesses, groups, quorum: quorum === 'none' ? undefined : quorum };
}

/** Tab and line feed are the only control characters of a policy. */
function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0x7f || (unit < 0x20 && unit !== 0x09 && unit !== 0x0a)) return true;
  }
  return false;
}

/** Whether the public key is there already, under whatever name and type. */
const isOneOf = (others: readonly { vkey: Vkey }[], { vkey }: { vkey: Vkey }): boolean =>
  others.some((other) => equal(other.vkey.key, vkey.key));

const logTypes: readonly number[] = [keyTypes.ed25519, keyTypes.mldsaCosignature];
const witnessTypes: readonly number[] = [keyTypes.cosignature, keyTypes.mldsaCosignature];

/** A policy as far as its lines have been read: a name is known from the line behind the one that defines it. */
interface Draft {
  logs: PolicyLog[];
  witnesses: PolicyWitness[];
  groups: PolicyGroup[];
  names: Set<string>;
  /** Names that are in a group. */
  members: Set<string>;
  quorum: string | undefined;
}

function takeLine(draft: Draft, [keyword, ...items]: readonly string[]): void {
  if (keyword === 'log') takeLog(draft, items);
  else if (keyword === 'witness') takeWitness(draft, items);
  else if (keyword === 'group') takeGroup(draft, items);
  else if (keyword === 'quorum') takeQuorum(draft, items);
  else throw refusal();
}

function takeLog({ logs }: Draft, [key, url, ...more]: readonly string[]): void {
  const vkey = takeVkey(key, logTypes, logs);
  if (more.length > 0) throw refusal();
  logs.push({ vkey, ...(url === undefined ? {} : { url }) });
}

function takeWitness(draft: Draft, [name, key, url, ...more]: readonly string[]): void {
  const vkey = takeVkey(key, witnessTypes, draft.witnesses);
  if (more.length > 0) throw refusal();
  draft.witnesses.push({ name: define(draft, name), vkey, ...(url === undefined ? {} : { url }) });
}

function takeGroup(draft: Draft, [name, k, ...members]: readonly string[]): void {
  if (members.length === 0 || draft.groups.length >= policyLinesMax) throw refusal();
  for (const member of members) {
    // Once in all: a witness contributes to the quorum in one way only.
    if (!draft.names.has(member) || draft.members.has(member)) throw refusal();
    draft.members.add(member);
  }
  const threshold = thresholdOf(k ?? '', members.length);
  draft.groups.push({ name: define(draft, name), threshold, members });
}

function takeQuorum(draft: Draft, [name, ...more]: readonly string[]): void {
  if (name === undefined || more.length > 0 || draft.quorum !== undefined) throw refusal();
  if (name !== 'none' && !draft.names.has(name)) throw refusal();
  draft.quorum = name;
}

function define({ names }: Draft, name: string | undefined): string {
  if (name === undefined || name === 'none' || names.has(name)) throw refusal();
  names.add(name);
  return name;
}

function takeVkey(
  text: string | undefined,
  types: readonly number[],
  before: readonly { vkey: Vkey }[],
): Vkey {
  if (text === undefined || before.length >= policyLinesMax) throw refusal();
  const vkey = parseVkey(text);
  if (isOneOf(before, { vkey }) || !types.includes(vkey.type)) throw refusal();
  return vkey;
}

function thresholdOf(k: string, members: number): number {
  if (k === 'any') return 1;
  if (k === 'all') return members;
  const threshold = /^[1-9][0-9]{0,2}$/.test(k) ? Number(k) : 0;
  if (threshold < 1 || threshold > members) throw refusal();
  return threshold;
}

/** The text of a policy, in one spelling: logs, witnesses, groups in their order, quorum. Throws `policy_malformed`. */
export function formatPolicy({ logs, witnesses, groups, quorum }: Policy): string {
  const url = (of: { url?: string }) => (of.url === undefined ? '' : ` ${of.url}`);
  const text = [
    ...logs.map((log) => `log ${formatVkey(log.vkey)}${url(log)}`),
    ...witnesses.map((w) => `witness ${w.name} ${formatVkey(w.vkey)}${url(w)}`),
    ...groups.map((group) => `group ${group.name} ${group.threshold} ${group.members.join(' ')}`),
    `quorum ${quorum ?? 'none'}`,
    '',
  ].join('\n');
  // What does not come back as it was is not written: a name with a space would be two.
  const back = parsePolicy(text);
  const same =
    back.quorum === quorum &&
    back.witnesses.length === witnesses.length &&
    back.logs.length === logs.length &&
    back.groups.every((group, i) => group.members.length === groups[i]?.members.length);
  if (!same) throw refusal();
  return text;
}

/** Whether the witnesses of these names are enough. `quorum none` is never satisfied here. */
export function hasQuorum(policy: Policy, cosigned: ReadonlySet<string>): boolean {
  const witnesses = new Set(policy.witnesses.map(({ name }) => name));
  const said = new Set([...cosigned].filter((name) => witnesses.has(name)));
  for (const { name, threshold, members } of policy.groups) {
    const count = new Set(members.filter((member) => said.has(member))).size;
    // A group that somebody built without members or with k = 0 is nobody.
    if (threshold >= 1 && count >= threshold) said.add(name);
  }
  return policy.quorum !== undefined && said.has(policy.quorum);
}

export interface PolicyCosigner {
  /** Of the witness in the policy. */
  name: string;
  /** Seconds: the newest, where it signed more than once. */
  timestamp: number;
}

export interface Satisfied {
  /** The quorum is reached. Never with `quorum none`. */
  ok: boolean;
  /** The policy asks for witnesses at all. */
  witnessed: boolean;
  cosigners: PolicyCosigner[];
}

/**
 * Which witnesses of the policy signed the note, and whether they are enough; the log's signature is not
 * looked at. Throws `note_malformed`, and `signature_invalid` for a wrong one in the name of a witness.
 */
export function satisfied(policy: Policy, note: string): Satisfied {
  const verifiers = policy.witnesses.map(({ vkey }) => verifierOf(vkey));
  return counted(policy, knownSignatures(parseNote(note), verifiers));
}

function counted(policy: Policy, verified: readonly VerifiedSignature[]): Satisfied {
  const times = new Map<string, number>();
  for (const { vkey, signature } of verified) {
    const witness = policy.witnesses.find((one) => equal(one.vkey.key, vkey.key));
    const timestamp = cosignatureTime(signature);
    if (witness === undefined || timestamp === undefined) continue;
    times.set(witness.name, Math.max(timestamp, times.get(witness.name) ?? 0));
  }
  return {
    ok: hasQuorum(policy, new Set(times.keys())),
    witnessed: policy.quorum !== undefined,
    cosigners: [...times].map(([name, timestamp]) => ({ name, timestamp })),
  };
}

export interface CheckOptions {
  /** Lets `quorum none` pass. */
  allowUnwitnessed: boolean;
  /** The one log that counts, whatever logs the policy lists; needed where it lists none. */
  log?: Vkey;
}

export interface CheckedCheckpoint {
  checkpoint: Checkpoint;
  note: Note;
  witnessed: boolean;
  cosigners: PolicyCosigner[];
}

/**
 * A checkpoint that the log signed and a quorum of the policy cosigned. Throws `note_malformed`,
 * `unknown_origin`, `signature_invalid`, `quorum_missing`.
 */
export function checkCheckpoint(
  policy: Policy,
  noteText: string,
  { allowUnwitnessed, log }: CheckOptions,
): CheckedCheckpoint {
  const note = parseNote(noteText);
  const checkpoint = parseCheckpoint(note.text);
  const known = log === undefined ? policy.logs.map(({ vkey }) => vkey) : [log];
  const logs = known.filter(({ name }) => name === checkpoint.origin);
  if (logs.length === 0) throw new TransparencyFault('unknown_origin');
  if (knownSignatures(note, logs.map(verifierOf)).length === 0) {
    throw new TransparencyFault('signature_invalid');
  }
  // A pinned log that the policy lists as a witness would vouch for itself.
  const others = policy.witnesses.filter(
    ({ vkey }) => !logs.some(({ key }) => equal(key, vkey.key)),
  );
  const witnesses = others.map(({ vkey }) => verifierOf(vkey));
  const { ok, witnessed, cosigners } = counted(policy, knownSignatures(note, witnesses));
  if (!ok && (witnessed || !allowUnwitnessed)) throw new TransparencyFault('quorum_missing');
  return { checkpoint, note, witnessed, cosigners };
}
