/**
 * Changes to a policy of the simple kind: so many of these witnesses, in one group. What an operator wrote otherwise
 * is changed as a whole text. docs/operations.md §8
 */
import { formatVkey, parseVkey } from '@island/protocol/transparency/note.ts';
import { formatPolicy, type Policy, parsePolicy } from '@island/protocol/transparency/policy.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { Fault } from '@island/protocol/wire/fault.ts';

/** The one group; no witness is called so. */
const group = 'witnesses';

export interface SimplePolicy {
  log: string;
  /** How many have to sign; 0 where there are none. */
  quorum: number;
  witnesses: readonly { name: string; vkey: string; url?: string | undefined }[];
}

/** `undefined` for a policy of another kind. */
export function readSimple(text: string): SimplePolicy | undefined {
  const policy = parsePolicy(text);
  const [log] = policy.logs;
  const [all, ...more] = policy.groups;
  if (log === undefined || more.length > 0 || !isSimple(policy, all?.members ?? []))
    return undefined;
  return {
    log: formatVkey(log.vkey),
    quorum: all?.threshold ?? 0,
    witnesses: policy.witnesses.map(({ vkey, ...rest }) => ({ ...rest, vkey: formatVkey(vkey) })),
  };
}

function isSimple({ witnesses, groups, quorum }: Policy, members: readonly string[]): boolean {
  if (witnesses.length === 0) return quorum === undefined && groups.length === 0;
  const every = new Set(members).size === witnesses.length;
  return quorum === group && groups[0]?.name === group && every;
}

/** @throws malformed for names, keys and counts that no policy can have */
export function writeSimple({ log, quorum, witnesses }: SimplePolicy): string {
  try {
    const text = formatPolicy({
      logs: [{ vkey: parseVkey(log) }],
      witnesses: witnesses.map(({ name, vkey, url }) => {
        return { name, vkey: parseVkey(vkey), ...(url !== undefined && { url }) };
      }),
      groups:
        witnesses.length === 0
          ? []
          : [{ name: group, threshold: quorum, members: witnesses.map(({ name }) => name) }],
      quorum: witnesses.length === 0 ? undefined : group,
    });
    return text;
  } catch (cause) {
    if (cause instanceof TransparencyFault) throw new Fault('malformed', undefined, { cause });
    throw cause;
  }
}
