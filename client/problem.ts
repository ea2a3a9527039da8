/**
 * What can go wrong on this side, as one closed set: what the island says is a `Fault`
 * (protocol/wire/fault.ts), what the client finds out by itself is a `Problem`. Each is one plain
 * sentence that says what happened and what to do.
 */
import { Fault } from '@island/protocol/wire/fault.ts';

export const problems = {
  bad_link:
    'That is not an invite link. It looks like island://HOST/join?ca=…&invite=… and is printed by the island; copy it whole.',
  bad_device_link:
    'That is not a link to add a device by. It looks like island://HOST/link?ca=…&name=…&offer=…&secret=… and is shown by: islander link',
  bad_recover_link:
    'That is not a link to recover by. It looks like island://HOST/recover?ca=…&name=… and stands on the sheet with your backup codes; an invite link together with your name does, too.',
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
  token_keys_differ:
    'The island shows other keys for delivery tokens than before, by which it could tell who sends what, so none were taken. Tell its operator.',
  clock_wrong:
    'This machine and the island do not agree on which day it is, so nothing was got to pay for messages with. Set the clock of this machine; if it is right, tell the operator of the island.',
  clock_behind:
    'Messages come from a time that this machine says is still to come: set its clock. They wait until then.',
  blocked: 'You have blocked {name}. To write to them, use: npx islander unblock {name}',
  message_gone: 'That message is not there any more.',
  not_yours: 'That message is from {name}. Only who sent a message can change it or take it back.',
  disappears:
    'That message disappears by itself. It can be taken back, but not changed; say it anew instead.',
  not_registered: 'Nobody is registered in {home} yet. Use: npx islander register LINK NAME',
  registered_already:
    '{name} is registered in {home} already. For somebody else use --home DIR with another folder.',
  no_device_keys:
    'There are no device keys in {home}. Sign in from the folder in which you registered; or make this one a device of your account, with npx islander recover LINK, or with npx islander link on another device.',
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
  person_ended:
    '{name} has ended their account: nothing reaches them any more, and nobody gets that name again. What you have of each other stays on this device.',
  account_ended:
    'The account of {name} was ended: the directory of the island shows that to everybody. If you did that, or agreed to it, all is well: what is in this home stays, and npx islander export takes it out. If not, the island has erased your account against your will: tell your contacts by another way, and ask its operator.',
  account_name_differs: 'That is not the name of this account, which is {name}. Nothing was ended.',
  identity_changed:
    'The identity of {name} is not the one this device knows, so nothing was sent. Ask {name} by another way whether they began anew; if so, use: npx islander accept {name}. Otherwise the island is lying.',
  list_invalid:
    'The island gave a device list for {name} that does not verify, so nothing was sent. Tell its operator.',
  list_rolled_back:
    'The island gave an older device list for {name} than before, so nothing was sent. Tell its operator.',
  directory_contradicted:
    'The directory of this island contradicts itself, so no new key of anybody is taken over: {reason} What was known before stays in use. Tell the operator, show the evidence to the witnesses, and see: npx islander directory',
  directory_anew:
    'The island has begun its directory of keys anew, as one does that was put back from an older copy, so no new key of anybody is taken over. What was known before stays in use. Ask its operator by another way what happened, and see: npx islander directory',
  witnesses_dropped:
    'The directory that the island has begun anew has no witnesses, and the one before had some, so it was not taken. Tell its operator.',
  not_agreed: 'You did not say yes: nothing was changed.',
  log_differs:
    'The directory that the island says it goes on from is not the one that this device has seen, so it was not taken. Tell its operator.',
  directory_differs:
    '{name} has been shown another directory of keys than this device, or says so. Compare the code of islander directory with them, by another way than this island.',
  directory_stale:
    'The newest state that the island shows of its directory is more than an hour old, so nothing was taken from it. Check the clock of this machine; if it is right, tell the operator.',
  directory_ahead:
    'The newest state that the island shows of its directory is of a time that this machine says is still to come, so nothing was taken from it. Check the clock of this machine; if it is right, tell the operator.',
  log_unproved:
    'The island could not show that its directory goes on from what this device has seen, so nothing was taken from it. Try again; if it stays so, tell the operator.',
  absence_unproved:
    'The island says that nobody has the name {name} and does not prove it, so that counts for nothing. Try again; if it stays so, tell the operator.',
  own_unpublished:
    'A change of your own devices has not been in the directory of the island for an hour, so others still see those of before. If its witnesses are there, the island holds it back: tell the operator.',
  looks_overdue:
    'What the directory of this island showed of {count} of your contacts could not be looked at again for more than a day, so it would not be noticed if it had been shown to this device alone. Leave islander listen or chat open for some hours, so that it is.',
  unwitnessed:
    'Too few of the witnesses of this island have signed the newest state of its directory, so no new key is taken over yet. Known people and devices go on; the rest waits until the witnesses answer.',
  witness_refused:
    'The island asked this device to witness a state of its directory that does not go on from what it has seen before, so it did not sign. Tell the operator, and see: npx islander directory',
  witness_put_back:
    'This home was put back from a copy: its key as a witness has signed more than it remembers, so that key signs nothing any more. For a new one, which the operator has to add: npx islander witness on',
  space_forked:
    'The island shows another history of the server {title} than this device has seen, so nothing is posted there any more. Ask the others whom they see there, and tell the operator.',
  space_forged:
    'The island shows a change of the server {title} that {name} did not sign, so it was not taken. Tell its operator.',
  space_unknown: 'You are on no server of that name. See: npx islander server list',
  space_ambiguous:
    'More than one of your servers is called so: {titles}. Use more of the name, or the id that islander server list shows.',
  channel_ambiguous:
    'More than one channel is called so: {places}. Say on which server: SERVER/{channel}',
  member_unknown: 'Nobody on {title} is called {name}. See: islander server members',
  role_unknown: 'There is no role {role} on {title}. See: islander server role list',
  space_invite_unknown: 'There is no invite {invite} to {title}. See: islander server invites',
  permission_unknown: 'There is no permission {permission}. There are: {permissions}.',
  not_banned: '{name} is not banned from {title}.',
  space_text:
    'A name has 1 to {title} bytes, a topic {topic} at most and a reason {reason}: one line, without spaces around it.',
  act_not_permitted: 'Your roles do not allow that in this channel.',
  reaction_form: 'A reaction is one emoji, or a word that stands for one: +1, heart, laugh, party.',
  no_moderator: 'Nobody on {title} reads reports, so nothing was sent.',
  report_unknown: 'There is no open report {report}. See: islander reports SERVER',
  not_confirmed: 'Nothing was done.',
  channel_unknown: 'There is no channel {channel} on {title} that you can see.',
  channel_differs:
    'The island shows different members of this channel different posts, or says so of posts that it had shown before. Nothing is posted there until you have looked: ask the others, by another way than this island, what they see. Then go on with: islander channel differences',
  channel_withheld:
    'The island holds back posts of this channel, or changes of its server that they came after, so what it shows was not taken. Try again; if it stays so, tell the operator.',
  history_closed:
    'What was posted there before somebody came may not be passed on: the channel does not allow it, or your roles do not.',
  not_verified:
    'You have not compared keys with {name} yet. What others have posted is passed on only to people whose keys you have verified: islander verify {name}',
  bad_space_link:
    'That is not an invite to a server of your island. It looks like island://HOST/space?ca=…&space=…&key=…; copy it whole.',
  history_broken:
    'The island could not show how the devices of {name} came to be those that it names now, so nothing was sent. Tell its operator.',
  history_long:
    'The island says that the devices of {name} changed more often than can be true, so nothing of it was taken. Tell its operator.',
  account_reset:
    'The island says that the account of {name} was begun anew without the keys of this device, so this device stays as it was. If that was you, go on with the new device and use another home here; otherwise the island is lying: tell its operator.',
  record_unsigned:
    'The island gave a record of the keys of {name} that is not signed by its identity key, so nothing was taken from it. Tell its operator.',
  record_rolled_back:
    'The island gave an older record of the keys of {name} than there must be by now, so nothing was taken from it. Tell its operator.',
  record_differs:
    'The island gave a record of the keys of {name} that does not belong to its device list, or does not follow from the one before, so nothing was taken from it. Tell its operator.',
  record_closed:
    'The record of the keys of {name} does not open for this device, though it has a place in it. Another device of yours may be damaged: look at islander devices.',
  keys_unsettled:
    'Other devices of yours kept changing the keys of the account meanwhile. Nothing was changed; try again in a moment.',
  identity_forged:
    'The island shows an identity of {name} that did not make this backup code, so nothing was taken from it. Either the account was begun anew since, or the island is lying: ask its operator.',
  code_swapped:
    'The island gave another key for this backup code than the code has, so nothing was taken from it. Tell its operator.',
  share_swapped:
    'What the island gave for this backup code does not open its place in the record of your keys: it is not what belongs to the code. Tell its operator; your other codes may still be good.',
  code_unknown:
    'That backup code has no place in the record of the keys of {name}: it is of an older set, or of somebody else. Use one of the newest set.',
  code_perhaps_used:
    'The island says that this backup code is used up. It was sent from here before, and the answer was lost: that was its one use. Use another code.',
  joining_lapsed:
    'The time for joining is over, and the island gives the share of a backup code for no longer. Begin again with another code, or with a link from another device.',
  joining_overtaken:
    'Another device changed the keys of the account while this one was joining, so what it was given is out of date. Begin again with another code, or with a link from another device.',
  joined_unheard:
    'This device has joined the account of {name}, but the answer was lost. Sign in with: npx islander login',
  devices_full: 'The account has {limit} devices, which is the most. Remove one first.',
  link_broken:
    'The other device did not keep to the protocol, or somebody stands between the two, so nothing was given. Make a new link with: npx islander link',
  link_digits:
    'Those are not the digits of this device: somebody may have read the link and stand between the two. Nothing was taken. Say no on the other device, and make a new link with: npx islander link',
  link_not_given:
    'Nothing was given, and the link is dead. If the new device did not take the digits, somebody may stand between your devices: make a new link in a place that you trust.',
  link_declined:
    'The link was declined on the other device, so nothing was given. If that was not you, somebody may stand between the two devices.',
  link_ended:
    'The other device did not answer in time, so the link has ended. Make a new one with: npx islander link',
  link_differs:
    'The island shows another device list or record of keys than the device that gave the link, so this device did not join. Make a new link; if it happens again, tell the operator.',
  device_unknown: 'The account has no device {device}. See: npx islander devices',
  device_name: 'The name of a device has {limit} characters at most, without control characters.',
  device_itself:
    'That is this device itself. To remove it, use another device of the account; to sign out, use: npx islander logout',
  bundle_invalid:
    'The island gave keys for {name} that do not verify, so nothing was sent. Tell its operator.',
  devices_unsettled:
    'The devices of {name} kept changing while a message was on its way to them. It stays queued; try again in a moment.',
  sender_unproved:
    'A message that claims to be from {name} was dropped: no device on the list of {name} can have sent it.',
  own_list_broken:
    'The island could not show which devices your account had before, so the archive was not read. Tell its operator.',
  archive_rolled_back:
    'The island shows an older archive than this device knows, or another one, so it was not used. Your messages here are safe; tell its operator.',
  archive_broken:
    'The archive on the island has a gap: something was left out, exchanged or put into another order. Nothing behind the gap was used; tell its operator.',
  archive_forged:
    'Something in the archive on the island was not written by a device that your account had at the time, or with another key. It was not used; tell the operator.',
  archive_newer:
    'Something in the archive is in a form that this version does not know. Update islander to read on.',
  export_folder: 'The folder {folder} cannot take what is exported: {reason}.',
  message_empty: 'There is nothing to send: the message is empty.',
  message_long:
    'That message is too long: {size} bytes, and {limit} is the limit. Send it in parts.',
  attachment_too_large:
    'That file is too large: an attachment has {limit} MiB at most, as it is stored. Send it in parts.',
  attachments_many: 'At most {limit} files go with one message. Send the others with another one.',
  attachment_broken:
    'What came is not the attachment {name} as it was sent, so nothing of it was kept. Ask for it again; if it happens again, tell the operator of the island.',
  file_changed:
    'The file changed while it was being sent, so it was not sent. Send it again when nobody writes to it.',
  file_exists: 'There is a file {file} already, and it stays as it is. Choose another name.',
  file_unreadable: 'The file {file} cannot be read: {reason}.',
  file_unwritable: 'The file {file} cannot be written: {reason}.',
  disk_full: 'The disk that holds {home} is full. Make room and try again; nothing was lost.',
  home_unusable: 'The folder {home} cannot be used: {reason}.',
  home_damaged:
    'The store in {home} is damaged ({reason}). Put back a copy, or register again with a new folder.',
  secret_file: 'The file {file} cannot be read ({reason}).',
  password_mismatch: 'The two passwords differ. Try again.',
  password_missing:
    'There is no password: give one on the first line of standard input, or use --password-file FILE.',
  codes_file: 'The backup codes cannot be written to {file} ({reason}): it has to be a new file.',
  second_missing:
    'This account has a second factor. Give the six digits or a backup code on the next line of standard input, or use --second-file FILE.',
  digits_missing:
    'There are no digits: give those that the page in the browser shows, on the next line of standard input.',
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

/** What does not verify, by a name that says what the island did: the `Fault` of `work` becomes a Problem about `name`. */
export function refusing<T>(code: ProblemCode, name: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
    throw new Problem(code, { name }, { cause });
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
  (error instanceof Problem &&
    [
      'unreachable',
      'clock_behind',
      'clock_wrong',
      'unwitnessed',
      'directory_stale',
      'directory_ahead',
      'log_unproved',
      'absence_unproved',
    ].includes(error.code)) ||
  (error instanceof Fault && passing.has(error.code));

/** The same, for those that wait for ever: whoever answers in the island's place may go away, too. */
export const willPass = (error: unknown): boolean =>
  passes(error) ||
  (error instanceof Problem && (error.code === 'untrusted' || error.code === 'not_an_island'));
