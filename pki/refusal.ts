/** What the PKI refuses, each with a plain sentence that says what to do. */

const refusals = {
  passphrase: 'The passphrase is wrong, or the file with the root key was changed. Check both.',
  passphrase_short: 'The root passphrase is too short. Use at least 12 characters.',
  not_wrapped: 'This is not a wrapped root key of a version that this program knows.',
  sealed_key:
    'A key of the CA does not open: the master key is not the one that belongs to this data folder, or the file was changed. Put the right one back.',
  key_version: 'The master key is older than the keys of the CA: put the newest copy of it back.',
  key_type: 'The key is not an ECDSA P-256 key in its one canonical encoding.',
  name: 'The name does not belong in a certificate of this kind.',
  profile: 'The certificate does not have the profile it was asked for. Nothing was handed out.',
  mismatch:
    'A certificate of the CA does not belong to its key. Restore the pki folder from a backup.',
  ca_expired:
    'The certificate of the CA has expired. Stop the island and renew it with the root passphrase: island renew.',
  open_file:
    'A file or folder with secrets can be read by others. Take their rights away: chmod go-rwx.',
  foreign_file:
    'A file or folder with secrets belongs to another user. Run the island as its owner.',
  exists: 'There is a CA in this folder already. It was left as it is.',
  missing: 'There is no CA in this folder. Check the data folder, or start the island once.',
} as const;

export type RefusalCode = keyof typeof refusals;

export class Refusal extends Error {
  override name = 'Refusal';
  readonly code: RefusalCode;

  /** `about` names the file or name in question; it is never a secret. */
  constructor(code: RefusalCode, about?: string, options?: ErrorOptions) {
    super(about === undefined ? refusals[code] : `${refusals[code]} (${about})`, options);
    this.code = code;
  }
}
