/**
 * What posts say of other posts, found by the post that they are about. docs/protocol/channel.md §6.1
 *
 *     channel-ids channel    author.id             place
 *     channel-acts channel   author.id place       edits, deletes, reactions and pins of that post
 *     channel-pins channel   place                 pins
 *     channel-calls channel  place                 posts that call this home's person
 */
import {
  type ChannelBody,
  decodeChannelBody,
  encodeChannelBody,
} from '@island/protocol/crypto/channel-body.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import type { AccountId, ChannelId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import { hex } from '@island/protocol/wire/text.ts';
import * as v from 'valibot';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import { appendedKey } from '../storage/storage.ts';
import { beginning, type Changes, type Reading } from './rows.ts';

const record = v.strictObject({
  author: s.account,
  id: v.string(),
  sentAt: v.number(),
  body: bytes64,
});

export interface PostName {
  author: AccountId;
  /** In hex. */
  id: string;
}

/** What a post is, once it was opened. */
export interface Said extends PostName {
  seq: number;
  sentAt: number;
  body: ChannelBody;
}

export type ActPost = Said & { body: Exclude<ChannelBody, { kind: 'text' }> };

const ids = (channel: ChannelId): string => `channel-ids ${channel}`;
const acts = (channel: ChannelId): string => `channel-acts ${channel}`;
const pins = (channel: ChannelId): string => `channel-pins ${channel}`;
const calls = (channel: ChannelId): string => `channel-calls ${channel}`;
/** Every namespace of what was said in a channel. */
export const saidIn = (channel: ChannelId): string[] =>
  [ids, acts, pins, calls].map((of) => of(channel));

const nameOf = ({ author, id }: PostName): string => `${author}.${id}`;
const text = new TextDecoder();

/** Which post an act is about; its author's own for edits and deletes. */
export function aboutOf({ author, body }: Pick<Said, 'author' | 'body'>): PostName | undefined {
  switch (body.kind) {
    case 'text':
      return undefined;
    case 'edit':
    case 'delete':
      return { author, id: hex(body.id) };
    default:
      return { author: body.target.author, id: hex(body.target.id) };
  }
}

/** The place of a post; of several under one name the first in the feed is it. */
export async function placeOf(
  storage: Pick<Reading, 'read'>,
  channel: ChannelId,
  name: PostName,
): Promise<number | undefined> {
  const row = await storage.read(ids(channel), nameOf(name));
  return row && Number(text.decode(row.bytes));
}

/** Rows by which what was said is found. `reading`: with the changes so far. */
export async function noteSaid(
  reading: Reading,
  changes: Changes,
  channel: ChannelId,
  said: Said & { calls: boolean },
): Promise<void> {
  const key = appendedKey(said.seq);
  const about = aboutOf(said);
  const { author, id, sentAt } = said;
  const bytes = encodeRecord({ author, id, sentAt, body: encodeChannelBody(said.body) });
  if (said.calls) changes.put.push({ namespace: calls(channel), key, bytes: new Uint8Array(0) });
  if (about) {
    changes.put.push({ namespace: acts(channel), key: `${nameOf(about)} ${key}`, bytes });
    if (said.body.kind === 'pin') changes.put.push({ namespace: pins(channel), key, bytes });
    return;
  }
  const first = await placeOf(reading, channel, said);
  if (first !== undefined && first <= said.seq) return;
  const place = { namespace: ids(channel), key: nameOf(said) };
  changes.put.push({ ...place, bytes: utf8Bytes(String(said.seq)) });
}

/** What was removed is about nothing any more. */
export function forgetSaid(changes: Changes, channel: ChannelId, said: Said): void {
  const key = appendedKey(said.seq);
  const about = aboutOf(said);
  for (const namespace of [pins(channel), calls(channel)]) changes.remove.push({ namespace, key });
  if (about) changes.remove.push({ namespace: acts(channel), key: `${nameOf(about)} ${key}` });
}

function readAct(key: string, bytes: Uint8Array): ActPost {
  const { author, id, sentAt, body } = decodeRecord(record, { key, bytes, version: 0 });
  const seq = Number(key.slice(-16));
  return { seq, author, id, sentAt, body: decodeChannelBody(body) as ActPost['body'] };
}

/** In the order of the feed. */
export async function actsAbout(
  storage: Reading,
  channel: ChannelId,
  name: PostName,
): Promise<ActPost[]> {
  const rows = await beginning(storage, acts(channel), `${nameOf(name)} `);
  return rows.map((row) => readAct(row.key, row.bytes));
}

/** Posts that are pinned, by the newest word on each; the last pinned first. */
export async function pinned(storage: Reading, channel: ChannelId): Promise<PostName[]> {
  const there = new Map<string, PostName>();
  for (const row of await storage.list(pins(channel))) {
    const { body } = readAct(row.key, row.bytes);
    if (body.kind !== 'pin') continue;
    const name = { author: body.target.author, id: hex(body.target.id) };
    there.delete(nameOf(name));
    if (body.put) there.set(nameOf(name), name);
  }
  return [...there.values()].reverse();
}

/** How many posts behind a place call this home's person. */
export const callsAfter = async (
  storage: Reading,
  channel: ChannelId,
  seq: number,
): Promise<number> => (await storage.list(calls(channel), { after: appendedKey(seq) })).length;
