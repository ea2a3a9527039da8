/**
 * Everything that can go wrong in the open, as one closed set of codes. docs/protocol/faults.md
 * A code is stable; its text says what to do and may change. One table maps a code to its HTTP
 * status and its WebSocket close code.
 */

interface FaultRow {
  /** HTTP status of the answer. */
  status: number;
  /** WebSocket close code, when the fault ends the socket. */
  close: number;
  /** Plain sentence for a person: what happened and what to do. */
  text: string;
}

const row = (status: number, close: number, text: string): FaultRow => ({ status, close, text });

export const faults = {
  malformed: row(400, 4400, 'The request is not in the form the protocol says. Update the client.'),
  trailing_bytes: row(400, 4400, 'Bytes follow the end of the message. Update the client.'),
  truncated: row(400, 4400, 'The message ends before it is complete. Send it again.'),
  unknown_version: row(
    400,
    4400,
    'This island does not speak that version of the protocol. Update the client.',
  ),
  unknown_type: row(
    400,
    4400,
    'This island does not know that type of message. Update the client.',
  ),
  too_large: row(
    413,
    1009,
    'The message is larger than the limit in the discovery document. Send less at once.',
  ),
  not_canonical: row(
    400,
    4400,
    'A key is not in its canonical form, or of small order. Update the client.',
  ),
  bad_signature: row(
    400,
    4400,
    'A signature does not verify. The keys on this device may be damaged.',
  ),
  bad_proof: row(400, 4400, 'The proof that the device holds its key does not verify. Try again.'),
  challenge_expired: row(
    409,
    4409,
    'The challenge is no longer valid. Ask for a new one and try again.',
  ),
  unauthenticated: row(401, 4401, 'This needs a valid access token. Sign in again.'),
  token_expired: row(401, 4401, 'The access token has expired. Refresh it.'),
  session_revoked: row(401, 4401, 'This session was ended. Sign in again.'),
  wrong_credentials: row(
    401,
    4401,
    'The name or the password is not right. Check both and try again.',
  ),
  second_factor_needed: row(
    401,
    4401,
    'The password is right, and this account has a second factor. Give the six digits of the authenticator or a backup code.',
  ),
  wrong_totp: row(
    401,
    4401,
    'The six digits are not right. Check the clock of the authenticator and try the next ones.',
  ),
  totp_used: row(401, 4401, 'Those six digits were used already. Wait for the next ones.'),
  wrong_code: row(
    401,
    4401,
    'That backup code opens nothing: it was used already, belongs to an older set, or to somebody else.',
  ),
  forbidden: row(403, 4403, 'This is not yours to do.'),
  not_found: row(404, 4404, 'There is nothing here by that name.'),
  unknown_person: row(404, 4404, 'Nobody on this island has that name. Check the spelling.'),
  unknown_device: row(
    404,
    4404,
    'This account has no such device. Sign in from a device that is on its list.',
  ),
  method_not_allowed: row(405, 4400, 'That method does not belong to this address.'),
  name_taken: row(409, 4409, 'Somebody here already has that name. Choose another.'),
  name_invalid: row(
    400,
    4400,
    'A name has 1 to 32 characters: a-z, 0-9, and . _ - between them. Choose another.',
  ),
  account_exists: row(409, 4409, 'That account is registered already. Sign in instead.'),
  invite_invalid: row(403, 4403, 'The island does not know this invite. Ask for a new one.'),
  invite_used: row(403, 4403, 'This invite was used already. Ask for a new one.'),
  invite_expired: row(403, 4403, 'This invite has expired. Ask for a new one.'),
  registration_closed: row(
    403,
    4403,
    'This island takes in nobody at the moment. Ask its operator.',
  ),
  invite_needed: row(403, 4403, 'This island needs an invite. Ask whoever runs it for a link.'),
  approval_pending: row(403, 4403, 'The operator has not let you in yet. Ask again later.'),
  approval_refused: row(403, 4403, 'The operator did not let you in. Ask them why.'),
  kdf_too_weak: row(
    400,
    4400,
    'The password parameters are below what the protocol demands. Update the client.',
  ),
  stale_devices: row(
    409,
    4409,
    "The recipient's devices have changed. Fetch the list again and send to all of them.",
  ),
  stale_list: row(409, 4409, 'A newer device list is known already. Fetch it first.'),
  stale_prekeys: row(
    409,
    4409,
    'Newer keys of this device are here already. Make new ones with higher numbers.',
  ),
  stale_record: row(
    409,
    4409,
    'A newer record of the keys of this account is known already. Fetch it first.',
  ),
  record_broken: row(
    409,
    4409,
    'The record of the keys of this account does not follow from the one before, or from the device list. Update the client.',
  ),
  list_broken: row(
    409,
    4409,
    'This device list does not follow from the one known before. Do not trust it; ask the person by another way.',
  ),
  identity_changed: row(
    409,
    4409,
    "The person's identity key was replaced. Compare safety numbers with them before you go on.",
  ),
  prekey_expired: row(
    409,
    4409,
    'The keys that this device left on the island have expired. It must come online once before it can be written to.',
  ),
  totp_active: row(409, 4409, 'Six-digit sign-in is on already. Turn it off first.'),
  totp_inactive: row(409, 4409, 'Six-digit sign-in is not on, or was not begun. Begin it first.'),
  link_expired: row(
    409,
    4409,
    'That offer to link a device has ended, or never was. Make a new one.',
  ),
  reset_waiting: row(
    409,
    4409,
    'The reset of this account can be done after the time stated, unless a device of it objects.',
  ),
  archive_moved: row(
    409,
    4409,
    'Another device has written to the archive first. Read what is new there, then write again.',
  ),
  archive_full: row(
    507,
    4507,
    'The archive of this account is full. Nothing was stored in it; messages stay on their devices.',
  ),
  oidc_waiting: row(
    409,
    4409,
    'Nobody has signed in with the organisation yet. Finish in the browser.',
  ),
  oidc_refused: row(
    403,
    4403,
    'The organisation did not let you in, or the sign-in took too long. Begin again, or ask who runs the island.',
  ),
  wrong_digits: row(
    401,
    4401,
    'Those are not the six digits that the page in the browser shows. Look again.',
  ),
  oidc_unavailable: row(
    503,
    1013,
    'The sign-in of the organisation cannot be reached, or is not set up. Try again later, or ask who runs the island.',
  ),
  token_needed: row(
    402,
    4402,
    'This costs more tokens than came with it. Get tokens and try again.',
  ),
  token_invalid: row(
    403,
    4403,
    'A token is not one that this island gave out for this, or its day is over. Get new ones.',
  ),
  token_spent: row(409, 4409, 'A token was spent on something else already. Take another one.'),
  tokens_exhausted: row(
    429,
    4429,
    'This account has had all its tokens for the day. Wait for the next day.',
  ),
  delivery_key_refused: row(
    403,
    4403,
    'That delivery key of the recipient is not good any more. Send without it, as a request.',
  ),
  stale_delivery_key: row(
    409,
    4409,
    'A newer delivery key of this account is known already. Make one with a higher number.',
  ),
  policy_doubled: row(
    409,
    4409,
    'Two of those witnesses are keys of one operator, who would count twice. Nothing was changed: put both into one group with any, or take one of them.',
  ),
  policy_large: row(
    409,
    4409,
    'With so many witnesses a checkpoint would be too long for an answer. Nothing was changed: name fewer, or take their Ed25519 keys.',
  ),
  policy_moved: row(
    409,
    4409,
    'The witnesses were changed by somebody else, or their last change is not published yet. Look again, then change them.',
  ),
  policy_unmet: row(
    409,
    4409,
    'Too few of those witnesses have signed the present checkpoint. Nothing was changed: check that each of them knows this log and can be reached.',
  ),
  policy_weaker: row(
    409,
    4409,
    'What witnesses sign once, they sign for ever: a log that has witnesses keeps at least one.',
  ),
  requests_full: row(
    409,
    4409,
    'Too many requests wait for this person. Try again when they have answered some.',
  ),
  log_moved: row(
    409,
    4409,
    'Somebody else changed the server first. Look at what changed and try again.',
  ),
  log_stale: row(409, 4409, 'The server changed meanwhile. Read what is new, then post again.'),
  lists_stale: row(
    409,
    4409,
    'Devices of members changed meanwhile. Look them up, then post again.',
  ),
  not_permitted: row(403, 4403, 'Your roles on this server do not allow that.'),
  space_invalid: row(
    422,
    4400,
    'That does not fit what the server is now. Look at it and try again.',
  ),
  space_full: row(409, 4409, 'The server has as many of these as it can have.'),
  space_closed: row(410, 4404, 'This server was ended by its owner or by the operator.'),
  space_invite_refused: row(
    403,
    4403,
    'That invite to the server was used up, taken back or is too old. Ask for another one.',
  ),
  joining_locked: row(403, 4403, 'Nobody can join this server at the moment.'),
  banned: row(403, 4403, 'You were banned from this server.'),
  slow_mode: row(429, 4429, 'This channel is in slow mode. Wait a little before you post again.'),
  timed_out: row(403, 4403, 'A moderator has paused you on this server for a while.'),
  upload_offset: row(
    409,
    4409,
    'The upload goes on at another place. Continue at the one that is stated.',
  ),
  blob_gone: row(410, 4404, 'This attachment is no longer kept, or was deleted by its sender.'),
  mailbox_full: row(
    507,
    4507,
    "The recipient's mailbox is full. Try again when they have been online.",
  ),
  storage_full: row(
    507,
    4507,
    "The island's disk is full. Its operator must make room; nothing was stored.",
  ),
  rate_limited: row(429, 4429, 'Too many requests. Wait for the time stated and try again.'),
  replaced: row(409, 4410, 'The same device connected again elsewhere; this connection ends.'),
  too_slow: row(408, 4408, 'The other side did not answer in time. Connect again.'),
  unavailable: row(
    503,
    1013,
    'The island is starting or a part of it is down. Try again in a moment.',
  ),
  internal: row(
    500,
    1011,
    "Something failed inside the island. It is in the operator's log; try again.",
  ),
} as const satisfies Record<string, FaultRow>;

export type FaultCode = keyof typeof faults;

/** What a fault may carry besides its code: numbers and lists of numbers, never content or identifiers. */
export type FaultDetails = Readonly<Record<string, number | readonly number[]>>;

export class Fault extends Error {
  override name = 'Fault';
  readonly code: FaultCode;
  readonly details: FaultDetails | undefined;

  constructor(code: FaultCode, details?: FaultDetails, options?: ErrorOptions) {
    super(faults[code].text, options);
    this.code = code;
    this.details = details;
  }
}

export const isFaultCode = (code: unknown): code is FaultCode =>
  typeof code === 'string' && Object.hasOwn(faults, code);
