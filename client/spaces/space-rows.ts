/** The logs of spaces as this home keeps them: the entries that it has verified, and how far that is. */
import { openEntry, type SpaceEntry } from '@island/protocol/space/entry.ts';
import { applyEntry, beginSpace, type SpaceState } from '@island/protocol/space/space-state.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import type { SpaceId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import { appendedKey, type Batch, type Place, type Put, type Storage } from '../storage/storage.ts';

const record = v.strictObject({
  /** Of the newest entry that was verified. */
  seq: s.count,
  /** The island's count of changes of members' devices that has been looked up. */
  lists: s.count,
  /** Whether this home's person is in it, as far as was seen. */
  member: v.boolean(),
  /** The island showed another history: nothing of it is taken any more. */
  forked: v.optional(v.boolean()),
});

export type SpaceRecord = v.InferOutput<typeof record>;

const namespace = 'spaces';
const entriesOf = (space: SpaceId): string => `space-entries ${space}`;

export interface KnownSpace extends SpaceRecord {
  space: SpaceId;
  version: number;
}

/** Version 0 for one that is not known. */
export async function readSpace(storage: Storage, space: SpaceId): Promise<KnownSpace> {
  const row = await storage.read(namespace, space);
  if (!row) return { space, seq: 0, lists: 0, member: false, version: 0 };
  return { space, version: row.version, ...decodeRecord(record, row) };
}

export async function knownSpaces(storage: Storage): Promise<KnownSpace[]> {
  return (await storage.list(namespace)).map((row) => {
    return { space: row.key as SpaceId, version: row.version, ...decodeRecord(record, row) };
  });
}

/** For a commit that holds only if nobody else changed the row meanwhile. */
export function spaceBatch(
  { space, version, ...known }: KnownSpace,
  entries: readonly SpaceEntry[] = [],
): Required<Pick<Batch, 'put' | 'expect'>> {
  const rows = entries.map(({ seq, bytes }): Put => {
    return { namespace: entriesOf(space), key: appendedKey(seq), bytes };
  });
  const place: Place = { namespace, key: space };
  return {
    put: [{ ...place, bytes: encodeRecord(known) }, ...rows],
    expect: [{ ...place, version }],
  };
}

/** The verified entries, from the first on. */
export async function* verifiedEntries(
  storage: Storage,
  space: SpaceId,
): AsyncGenerator<SpaceEntry> {
  for (let after = ''; ; ) {
    const rows = await storage.list(entriesOf(space), { after, limit: 500 });
    for (const { bytes } of rows) yield openEntry(bytes);
    if (rows.length < 500) return;
    after = rows.at(-1)?.key ?? after;
  }
}

/** What the verified entries come to, from the first on; `undefined` for a space that is not known. */
export async function foldSpace(
  storage: Storage,
  space: SpaceId,
  upTo: number,
): Promise<SpaceState | undefined> {
  let state: SpaceState | undefined;
  for await (const entry of verifiedEntries(storage, space)) {
    if (entry.seq > upTo) return state;
    if (state === undefined) state = beginSpace(entry);
    else applyEntry(state, entry);
  }
  return state;
}

const channelsNamespace = 'space-channels';
const text = new TextDecoder();

/**
 * Rows that say which space a channel is in; `undefined` where another space has one of the same id: what is kept of a
 * channel is kept by its id, and a chain of one must never be given to readers of another.
 */
export async function channelRows(
  storage: Storage,
  space: SpaceId,
  entries: readonly SpaceEntry[],
): Promise<Required<Pick<Batch, 'put' | 'expect'>> | undefined> {
  const made = new Set(
    entries.flatMap(({ op }) =>
      op.op === 'channel' && op.kind !== 'category' ? [op.channel] : [],
    ),
  );
  const put: Put[] = [];
  const expect: (Place & { version: number })[] = [];
  for (const key of made) {
    const place: Place = { namespace: channelsNamespace, key };
    const row = await storage.read(channelsNamespace, key);
    if (row && text.decode(row.bytes) !== space) return undefined;
    if (row) continue;
    put.push({ ...place, bytes: utf8Bytes(space) });
    expect.push({ ...place, version: 0 });
  }
  return { put, expect };
}
