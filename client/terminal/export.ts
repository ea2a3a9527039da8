/**
 * A person's own data in a folder, to be read without any program of ours: what was said, and what the
 * account is. No private key, token or code is among it.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { AttachmentDescriptor } from '@island/protocol/crypto/attachment-descriptor.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Account } from '../account/account.ts';
import { ownDevices } from '../account/own-devices.ts';
import type { Archive } from '../archive/archive.ts';
import { archiveHead } from '../archive/rows.ts';
import { history, peerOf } from '../messages/history.ts';
import type { Kept } from '../messages/messages.ts';
import { everybody } from '../people/people.ts';
import { Problem } from '../problem.ts';
import type { Session } from '../sign-in/session.ts';
import type { Storage } from '../storage/storage.ts';
import { attachmentsOf } from './attached.ts';
import { day, time } from './dates.ts';
import { messageObject, messageText, savedKey, type Views, viewsOf } from './exported-messages.ts';

export interface Exporting {
  account: Pick<Account, 'name' | 'account' | 'device' | 'pinned'>;
  storage: Storage;
  session: Session;
  archive: Archive;
  /** Unix milliseconds. */
  now: () => number;
  signal?: AbortSignal;
  /** Saves an attachment into a folder; without it attachments are only named. Resolves with the path. */
  saveAttachment?: (descriptor: AttachmentDescriptor, folder: string) => Promise<string>;
}

export interface Exported {
  conversations: number;
  messages: number;
  /** That were saved, and that could not be. */
  attachments: number;
  lost: number;
  /** Why what only the island knows is missing, and what other devices have added since the last connection. */
  missing: Error | undefined;
}

/**
 * Writes into `folder` (0700, its files 0600), which must not be there yet or be empty. An island that
 * cannot be reached, or whose archive is refused, keeps nobody from what is here. Throws `export_folder`.
 */
export async function exportData(parts: Exporting, folder: string): Promise<Exported> {
  const { storage } = parts;
  makeFolder(folder);
  const { known, missing } = await askIsland(parts);
  const all = await history(storage);
  const conversations = new Map<string, Kept[]>();
  for (const message of all) {
    const peer = peerOf(message);
    if (peer === undefined) continue;
    const conversation = conversations.get(peer) ?? [];
    conversation.push(message);
    conversations.set(peer, conversation);
  }
  const views = await viewsOf(storage, parts.now, conversations.keys());
  const { saved, lost } = await saveAttachments(parts, folder, views);
  const write = (name: string, text: string): void => inFolder(folder, name, text);
  for (const [peer, messages] of conversations)
    write(`with ${peer}.txt`, messages.map((each) => messageText(each, views, saved)).join(''));
  write('messages.json', json(all.map((each) => messageObject(each, views, saved))));
  write('account.json', json({ ...(await accountObject(parts)), ...known }));
  write('README.txt', readme(parts, missing));
  return {
    conversations: conversations.size,
    messages: all.length,
    attachments: saved.size,
    lost,
    missing,
  };
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (readdirSync(folder).length === 0) return;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Problem('export_folder', { folder, reason }, { cause });
  }
  throw new Problem('export_folder', { folder, reason: 'there is something in it already' });
}

function inFolder(folder: string, name: string, text: string): void {
  try {
    writeFileSync(join(folder, name), text, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Problem('export_folder', { folder, reason }, { cause });
  }
}

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** What only the island knows; before that, what other devices have archived. */
async function askIsland({
  session,
  archive,
  signal,
}: Exporting): Promise<{ known: Record<string, unknown>; missing: Error | undefined }> {
  const options = signal ? { signal } : {};
  try {
    await archive.sync(signal);
    const account = await session.call('account', {}, options);
    const { sessions } = await session.call('sessions', {}, options);
    const known = {
      role: account.role,
      registered: day(account.since),
      sixDigitSignIn: account.totp,
      organisationSignIn: account.oidc,
      backupCodesLeft: account.codes,
      sessions: sessions.map(({ device, begun, used, current }) => ({
        device,
        begun: day(begun),
        lastUsed: day(used),
        thisOne: current,
      })),
    };
    return { known, missing: undefined };
  } catch (error) {
    if (!(error instanceof Fault || error instanceof Problem)) throw error;
    return { known: {}, missing: error };
  }
}

async function accountObject({ account, storage, now }: Exporting): Promise<object> {
  const devices = await ownDevices(storage);
  const contacts = await everybody(storage);
  return {
    exported: time(now()),
    name: account.name,
    account: account.account,
    island: account.pinned.address,
    archivedSegments: (await archiveHead(storage)).seq,
    devices: devices.map(({ device, name, addedDay, current }) => ({
      device,
      ...(name !== undefined && { name }),
      added: day(addedDay),
      thisOne: current,
    })),
    contacts: contacts.map(({ name, account: id, list }) => ({
      name,
      account: id,
      identityKey: hex(list.aik),
      listEpoch: list.epoch,
      devices: list.devices.map(({ device, addedDay }) => ({ device, added: day(addedDay) })),
    })),
  };
}

/** Whatever the island still has. What it has no longer is named in the lists all the same. */
async function saveAttachments(
  { saveAttachment: save }: Exporting,
  folder: string,
  views: Views,
): Promise<{ saved: Map<string, string>; lost: number }> {
  const saved = new Map<string, string>();
  let lost = 0;
  if (!save) return { saved, lost };
  const into = join(folder, 'attachments');
  mkdirSync(into, { mode: 0o700 });
  for (const [key, message] of views)
    for (const [i, descriptor] of attachmentsOf(message).entries())
      try {
        saved.set(savedKey(key, i), join('attachments', basename(await save(descriptor, into))));
      } catch (error) {
        if (!(error instanceof Fault || error instanceof Problem)) throw error;
        lost += 1;
      }
  return { saved, lost };
}

const readme = ({ account, now }: Exporting, missing: Error | undefined): string => `\
What ${account.name} has on the island ${account.pinned.address}, as of ${time(now())}.

with NAME.txt   what was said with a person, oldest first, as it is now; times are UTC
messages.json   the same and all the rest of it, for programs
account.json    the account: devices, sessions, second factor, backup codes left, contacts
attachments     what was sent along, if it was asked for (--attachments) and the island still had it

No password, key, token or backup code is in here, but every message is, readable by whoever has
this folder.
${missing ? `\nSessions, second factor and codes are missing, and what other devices have sent and received since\nthe last connection: ${missing.message}\n` : ''}`;
