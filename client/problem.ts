/**
 * What can go wrong on this side, as one closed set: what the island says is a `Fault`
 * (protocol/wire/fault.ts), what the client finds out by itself is a `Problem`. Each is one plain
 * sentence that says what happened and what to do.
 */
import { Fault } from '@island/protocol/wire/fault.ts';

export const problems = {
  bad_link:
    'That is not an invite link. It looks like island://HOST/join?ca=…&invite=… and is printed by the island; copy it whole.',
  unreachable:
    'The island at {address} cannot be reached. Check that it is running and that this machine has a connection.',
  wrong_island:
    'The certificate of {address} is not that of the island in your invite link. Do not go on: ask whoever invited you for a new link.',
  untrusted:
    'The certificate of {address} is not that of your island. Do not go on: ask the operator whether the island was set up anew.',
  not_an_island:
    'What answers at {address} does not speak the protocol of an island. Check the address.',
  island_differs:
    'The island at {address} says that it is another one than its certificate shows. Tell its operator.',
  kdf_downgrade:
    'The island at {address} asks for a weaker password hash than before, so the password was not used. Tell its operator.',
  not_registered: 'Nobody is registered in {home} yet. Use: npx islander register LINK NAME',
  registered_already:
    '{name} is registered in {home} already. For somebody else use --home DIR with another folder.',
  no_device_keys:
    'There are no device keys in {home}, and linking another device to an account is not built yet. Sign in from the folder in which you registered.',
  other_account:
    'The keys in {home} belong to another account than the one of that name on the island.',
  salt_changed:
    'The island at {address} hashes your password with another salt than before, so the password was not used. If you have changed your password on another device, use: npx islander login --password-changed. Otherwise tell its operator.',
  device_removed:
    'Device {device} was removed from the account of {name}: it can no longer read or write. To use it again: npx islander recover, or a link from another device, in another home.',
  signed_out: 'This device is signed out. Use: npx islander login',
  replaced:
    'The same device is connected from somewhere else, so this connection has ended: is there a copy of {home}? Use one of them only.',
  yourself: 'That is your own name: a message needs somebody else to go to.',
  identity_changed:
    'The identity of {name} is not the one this device knows, so nothing was sent. Ask {name} by another way whether they began anew; if so, use: npx islander accept {name}. Otherwise the island is lying.',
  list_invalid:
    'The island gave a device list for {name} that does not verify, so nothing was sent. Tell its operator.',
  list_rolled_back:
    'The island gave an older device list for {name} than before, so nothing was sent. Tell its operator.',
  history_broken:
    'The island could not show how the devices of {name} came to be those that it names now, so nothing was sent. Tell its operator.',
  bundle_invalid:
    'The island gave keys for {name} that do not verify, so nothing was sent. Tell its operator.',
  devices_unsettled:
    'The devices of {name} kept changing while a message was on its way to them. It stays queued; try again in a moment.',
  sender_unproved:
    'A message that claims to be from {name} was dropped: no device on the list of {name} can have sent it.',
  message_empty: 'There is nothing to send: the message is empty.',
  message_long:
    'That message is too long: {size} bytes, and {limit} is the limit. Send it in parts.',
  disk_full: 'The disk that holds {home} is full. Make room and try again; nothing was lost.',
  home_unusable: 'The folder {home} cannot be used: {reason}.',
  home_damaged:
    'The store in {home} is damaged ({reason}). Put back a copy, or register again with a new folder.',
  secret_file: 'The file {file} cannot be read ({reason}).',
  password_mismatch: 'The two passwords differ. Try again.',
  password_missing:
    'There is no password: give one on the first line of standard input, or use --password-file FILE.',
  second_missing:
    'This account has a second factor. Give the six digits or a backup code on the next line of standard input, or use --second-file FILE.',
  code_missing:
    'There is no backup code: give one on the next line of standard input, or use --code-file FILE.',
} as const;

export type ProblemCode = keyof typeof problems;

export class Problem extends Error {
  override name = 'Problem';
  readonly code: ProblemCode;

  constructor(
    code: ProblemCode,
    values: Readonly<Record<string, string | number>> = {},
    options?: ErrorOptions,
  ) {
    super(
      problems[code].replace(/\{(\w+)\}/g, (whole, key: string) => String(values[key] ?? whole)),
      options,
    );
    this.code = code;
  }
}

const passing = new Set([
  'unavailable',
  'internal',
  'rate_limited',
  'too_slow',
  'storage_full',
  'mailbox_full',
]);

/** Whether the same request may succeed later without anybody doing anything here. */
export const passes = (error: unknown): boolean =>
  (error instanceof Problem && error.code === 'unreachable') ||
  (error instanceof Fault && passing.has(error.code));

/** The same, for those that wait for ever: whoever answers in the island's place may go away, too. */
export const willPass = (error: unknown): boolean =>
  passes(error) ||
  (error instanceof Problem && (error.code === 'untrusted' || error.code === 'not_an_island'));
