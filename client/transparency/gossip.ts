/**
 * What two homes have seen of the log, told inside what people say to each other: an island that shows them two
 * logs has to read or lose their messages to keep it from them. docs/protocol/transparency.md §8.9
 *
 * The rows, each by account: `log-told`, what we said last; `log-heard`, the newest that they said and nobody has
 * compared yet (comparing.ts).
 */
import { pad } from '@island/protocol/crypto/padding.ts';
import { encodePlaintext, type Plaintext } from '@island/protocol/crypto/plaintext.ts';
import type { SeenLog } from '@island/protocol/crypto/text-body.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Put, Storage } from '../storage/storage.ts';
import { readHead } from './head.ts';

/** Unix milliseconds, and the size. */
const told = v.strictObject({ at: v.number(), size: s.count });
const heard = v.strictObject({ at: v.number(), size: s.count, root: bytes64 });

export const toldNamespace = 'log-told';
export const heardNamespace = 'log-heard';

/** Milliseconds between two that go to one account, or are compared of one. */
export const gossipInterval = 3_600_000;
/** Rows up to which those are heard who were not let in. */
const mostHeard = 256;

/** Whether it was less than an interval ago. A clock that was put back holds nothing up. */
export const isRecent = (at: number, now: number): boolean =>
  now >= at && now < at + gossipInterval;

/**
 * What is sealed for others where this is said to them, padded, and what the commit then has to hold: a text
 * takes along what we have seen, if it is time and the island can't tell it by the length.
 */
export async function telling(
  storage: Storage,
  peer: AccountId,
  said: Plaintext,
  now: number,
): Promise<{ padded: Uint8Array; put: Put[] }> {
  const bare = pad(encodePlaintext(said));
  const head = said.body.kind === 'text' ? await readHead(storage) : undefined;
  if (said.body.kind !== 'text' || !head) return { padded: bare, put: [] };
  const row = await storage.read(toldNamespace, peer);
  const last = row && decodeRecord(told, row);
  const { size, root } = head;
  if (last && (last.size === size || isRecent(last.at, now))) return { padded: bare, put: [] };
  const padded = fitting({ ...said, body: { ...said.body, seen: { size, root } } });
  if (padded?.length !== bare.length) return { padded: bare, put: [] };
  const bytes = encodeRecord({ at: now, size });
  return { padded, put: [{ namespace: toldNamespace, key: peer, bytes }] };
}

function fitting(plaintext: Plaintext): Uint8Array | undefined {
  try {
    return pad(encodePlaintext(plaintext));
  } catch (error) {
    if (error instanceof Fault && error.code === 'too_large') return undefined;
    throw error;
  }
}

/** For the commit of the message that said it. `known`: its sender was let in. */
export async function hear(
  storage: Storage,
  from: { account: AccountId; known: boolean },
  { size, root }: SeenLog,
  now: number,
): Promise<Put[]> {
  const { account, known } = from;
  const place = { namespace: heardNamespace, key: account };
  if (!known && !(await storage.read(place.namespace, place.key))) {
    const others = await storage.list(heardNamespace, { limit: mostHeard });
    if (others.length === mostHeard) return [];
  }
  return [{ ...place, bytes: encodeRecord({ at: now, size, root }) }];
}

export interface Heard extends SeenLog {
  account: AccountId;
  /** Unix milliseconds. */
  at: number;
  /** Of the row. */
  version: number;
}

export const allHeard = async (storage: Storage): Promise<Heard[]> =>
  (await storage.list(heardNamespace)).map((row) => ({
    ...decodeRecord(heard, row),
    account: row.key as AccountId,
    version: row.version,
  }));
