/** What an audit may find, as a closed set of causes with the sentence that people read. docs/protocol/transparency.md §9.2 */
import { Stated } from '@island/provisioning/stated.ts';

/** A log that was caught: ends a command with exit code 3. */
export class Misbehaviour extends Stated {
  override name = 'Misbehaviour';
}

/** Something that a person should look at: ends `island monitor --once` with exit code 4. */
export class Noteworthy extends Stated {
  override name = 'Noteworthy';
}

export const causes = {
  note_malformed: 'What is served as the checkpoint is no signed checkpoint.',
  unknown_origin: 'The checkpoint is of another log than the one that is audited.',
  signature_invalid: 'The log did not sign the checkpoint that is served.',
  quorum_missing: 'Too few of the witnesses that the policy names have signed the checkpoint.',
  posing_as_witnessed: 'The log calls itself witnessed, but nobody apart from itself witnesses it.',
  policy_not_logged: 'The witness policy that is shown is not the one that the log announces.',
  policy_weakened: 'The log went from witnesses to none.',
  vrf_not_logged: 'The VRF key that is shown is not the one that the log announces.',
  vrf_changed:
    'The log announces a second VRF key: whoever keeps the first looks for people elsewhere.',
  rolled_back: 'The log that is served is shorter than one that was seen before.',
  forked: 'The log signed two histories of one size.',
  rewritten: 'The log signed a history that does not contain the one it signed before.',
  withheld: 'Entries that the log signed for are not served.',
  root_mismatch: 'The entries that are served are not those that the log signed for.',
  beginning_invalid: 'The log does not begin with its policy, its VRF key and an epoch.',
  entry_malformed: 'An entry is in no form that a log may have.',
  version_repeated: 'A version of a label is in the log twice.',
  version_backwards: 'A label goes back to an earlier version.',
  version_skipped: 'A version of a label is not in the log.',
  chain_broken: 'A version of a label does not follow from the one before.',
  erased_goes_on: 'A label that was erased is in the log again.',
  map_root_wrong: 'The map of an epoch is not the one that its entries make.',
  map_count_wrong: 'The map of an epoch has not as many labels as it says.',
  span_wrong: 'An epoch does not say where its events begin.',
  time_backwards: 'An epoch is older than the one before it.',
  time_ahead: 'An epoch is dated in the future.',
  end_without_epoch: 'A checkpoint does not end with an epoch.',
  predecessor_not_logged:
    'What the island says of the log that this one was begun in place of is not what the log announces.',
  operator_number_wrong: 'The announcements of the operator are not numbered one after the other.',
} as const;
export type Cause = keyof typeof causes;

/**
 * Those that the signature of the log stands behind: what is found once stays true, whatever is served later. The
 * others may be the doing of whoever answered, and are looked at anew.
 */
const lasting: ReadonlySet<Cause> = new Set<Cause>([
  'policy_weakened',
  'vrf_changed',
  'forked',
  'rewritten',
  'beginning_invalid',
  'entry_malformed',
  'version_repeated',
  'version_backwards',
  'version_skipped',
  'chain_broken',
  'erased_goes_on',
  'map_root_wrong',
  'map_count_wrong',
  'span_wrong',
  'time_backwards',
  'end_without_epoch',
  'operator_number_wrong',
]);

export const isLasting = (cause: Cause): boolean => lasting.has(cause);

export interface Finding {
  cause: Cause;
  /** The cause in words, with what there is to say of this case. */
  text: string;
  /** Number of the entry, from 0, where it is one. */
  entry?: number;
  /** Name of the file that convicts; without one, who replays the log finds the same. */
  evidence?: string;
}

export function finding(
  cause: Cause,
  { entry, more }: { entry?: number; more?: string } = {},
): Finding {
  const where = entry === undefined ? '' : ` Entry ${entry}.`;
  const text = `${causes[cause]}${where}${more === undefined ? '' : ` ${more}`}`;
  return { cause, text, ...(entry === undefined ? {} : { entry }) };
}
