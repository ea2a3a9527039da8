/**
 * Why something that a log, a witness or a directory said is not believed, as a closed set of codes.
 * docs/protocol/transparency.md §1
 * Bytes that are not in form throw `Fault('malformed')` of protocol/wire where they are ours, `note_malformed`
 * where they are text of C2SP.
 */

export const transparencyFaults = {
  note_malformed: 'This is no signed note in the form of c2sp.org/signed-note.',
  vkey_malformed: 'This is no verifier key of a known kind.',
  policy_malformed: 'This is no witness policy in the form of c2sp.org/tlog-policy.',
  unknown_origin: 'The checkpoint is of another log.',
  signature_invalid: 'The log did not sign this checkpoint.',
  quorum_missing: 'Too few of the witnesses that the policy names have signed this checkpoint.',
  inclusion_invalid: 'The proof does not show that the entry is in the log.',
  consistency_invalid:
    'The newer checkpoint does not contain the older one: the log was rewritten.',
  epoch_invalid: 'The last entry of the checkpoint is not the epoch that was shown.',
  vrf_invalid: 'The place of the label in the map was not made with the key of this directory.',
  map_invalid: 'The map of the epoch does not hold what was shown.',
  commitment_invalid: 'What was shown is not what the entry commits to.',
  chain_broken: 'A version of the label is missing, or does not follow from the one before.',
  name_rebound: 'A name leads to another account than before, or to anybody after it was erased.',
  list_unauthorised:
    'The log has a device list that whoever has the account has not signed, or that does not follow.',
  stale: 'The newest checkpoint that was shown is too old.',
  rolled_back: 'The log that was shown is older than one that was seen before.',
  evidence_invalid: 'What the evidence shows convicts nobody.',
  forked: 'Two checkpoints of one size differ: the log shows different people different histories.',
  log_succeeded: 'The island began another log in place of the one that was known.',
} as const;

export type TransparencyFaultCode = keyof typeof transparencyFaults;

export class TransparencyFault extends Error {
  override name = 'TransparencyFault';
  readonly code: TransparencyFaultCode;
  constructor(code: TransparencyFaultCode, options?: ErrorOptions) {
    super(transparencyFaults[code], options);
    this.code = code;
  }
}
