/**
 * What is new in our own copy of a log, of what is watched and of the operator; and whether those who handed over a
 * proof were shown the same log. docs/protocol/transparency.md §9.4
 *
 *     watch.json    how far everything was told: replaced as a whole, after it was told
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listFlags } from '@island/protocol/crypto/account-state.ts';
import { equal, sha256 } from '@island/protocol/crypto/primitives.ts';
import { type Checkpoint, openCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { verifierOf } from '@island/protocol/transparency/cosignature.ts';
import {
  type EventLeaf,
  leafTypes,
  operatorKinds,
  readLeaf,
} from '@island/protocol/transparency/leaves.ts';
import { parseVkey } from '@island/protocol/transparency/note.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { leafHash } from '@island/protocol/transparency/tree.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { base64, hex } from '@island/protocol/wire/text.ts';
import { Stated } from '@island/provisioning/stated.ts';
import { type Finding, finding } from './findings.ts';
import { openFrontier } from './frontier.ts';
import { damaged, type OwnLog } from './own-log.ts';
import { ownPrefix } from './own-proofs.ts';
import { file } from './prosecution.ts';
import type { Watched } from './watched.ts';

type Flag = keyof typeof listFlags;
type Announcement = keyof typeof operatorKinds;

/** Of a place that is watched. */
interface OfPlace {
  title: string;
  kind: Watched['kind'];
  /** 64 hexadecimal digits. */
  place: string;
  /** 0 where there is nothing. */
  version: number;
  /** Number of the entry; -1 where there is none. */
  entry: number;
  /** ISO time of the epoch that brought it; `null` where there is none. */
  at: string | null;
  what: Flag[];
  /** A name went to somebody else without having been given back. */
  rebound: boolean;
}

export type News =
  /** From here on it is watched. */
  | (OfPlace & { type: 'watching' })
  | (OfPlace & { type: 'event' })
  | {
      type: 'operator';
      what: Announcement;
      number: number;
      entry: number;
      at: string | null;
      /** base64 */
      hash: string;
    };

interface Told {
  /** Entries of the log that were looked at. */
  entries: number;
  /** The newest event gives the label back. */
  erased: boolean;
}

export interface WatchState {
  version: 1;
  /** Entries that were looked at, and the bytes that they take in our file. */
  entries: number;
  bytes: number;
  /** By place. */
  told: Record<string, Told>;
  /** Checkpoints that are in our history: SHA-256, hexadecimal. */
  compared: string[];
}

export const watchFile = 'watch.json';

export interface Looked {
  news: News[];
  findings: Finding[];
  /**
   * For `watchFile` before any of that is told: which places are watched from here on. What happens to them after a
   * crash is news, not what was there in the beginning.
   */
  begun: WatchState;
  /** For `watchFile`, once all of that was told. */
  next: WatchState;
}

const none: WatchState = { version: 1, entries: 0, bytes: 0, told: {}, compared: [] };
/** The announcements that every log begins with. */
const beginning = 2;

async function readState(folder: string, size: number): Promise<WatchState> {
  const path = join(folder, watchFile);
  const text = await readFile(path, 'utf8').catch((error) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return none;
  try {
    const state = JSON.parse(text) as WatchState;
    if (state.version === 1 && state.entries <= size && Array.isArray(state.compared)) return state;
  } catch {
    // said below
  }
  throw damaged(path);
}

/** Throws `Stated` for a checkpoint that this log did not sign. */
export async function look(log: OwnLog, watched: readonly Watched[]): Promise<Looked> {
  const { size, bytes } = log.kept;
  const state = await readState(log.folder, size);
  const shown = toCompare(log, watched, state);
  const places = new Map(watched.map((one) => [hex(one.index), one]));
  const behind = [...places.keys()].some(
    (place) => (state.told[place]?.entries ?? -1) < state.entries,
  );
  const whole = behind || shown.length > 0;
  const told: Record<string, Told> = { ...state.told };
  const beginnings = new Map<string, News & { type: 'watching' }>();
  const news: News[] = [];
  /** What the next epoch brings. */
  let waiting: { at: string | null }[] = [];
  let at = whole ? 0 : state.entries;
  const ours = openFrontier({ size: 0, hashes: [] });
  const apart: Shown[] = [];

  function takeEvent(event: EventLeaf): void {
    const place = hex(event.index);
    const one = places.get(place);
    if (one === undefined) return;
    const before = state.told[place];
    if (before !== undefined && at < before.entries) return;
    const { title, kind } = one;
    const what = flagsOf(event);
    const erased = told[place]?.erased === true;
    const rebound =
      kind === 'name' && event.version > 1 && !erased && (event.flags & listFlags.erase) === 0;
    told[place] = { entries: size, erased: (event.flags & listFlags.erase) !== 0 };
    const said = { title, kind, place, version: event.version, entry: at, at: null, what };
    if (before !== undefined) {
      news.push({ type: 'event', ...said, rebound });
      waiting.push(news.at(-1) as News);
      return;
    }
    const ever = rebound || beginnings.get(place)?.rebound === true;
    const first = { type: 'watching' as const, ...said, rebound: ever };
    beginnings.set(place, first);
    waiting.push(first);
  }

  for await (const entry of log.entries(whole ? 0 : state.bytes, bytes)) {
    const leaf = read(entry);
    if (leaf?.type === leafTypes.event) takeEvent(leaf);
    else if (leaf?.type === leafTypes.epoch) {
      for (const one of waiting) one.at = instant(leaf.timestamp);
      waiting = [];
    } else if (leaf !== undefined && at >= Math.max(state.entries, beginning)) {
      const { kind, number, hash } = leaf;
      const what = announcementOf(kind);
      news.push({ type: 'operator', what, number, entry: at, at: null, hash: base64(hash) });
      waiting.push(news.at(-1) as News);
    }
    at++;
    if (shown.length === 0) continue;
    ours.push(leafHash(entry));
    apart.push(...shown.filter((one) => one.size === at && !equal(one.root, ours.root())));
  }
  for (const [place, { title, kind }] of places) {
    if (state.told[place] === undefined && !beginnings.has(place)) {
      const nothing = { version: 0, entry: -1, at: null, what: [], rebound: false };
      beginnings.set(place, { type: 'watching', title, kind, place, ...nothing });
    }
    told[place] = { entries: size, erased: told[place]?.erased === true };
  }
  const compared = [...state.compared, ...shown.map(({ id }) => id)];
  const anew = Object.entries(told).filter(([place]) => beginnings.has(place));
  return {
    news: [...beginnings.values(), ...news],
    findings: await Promise.all(apart.map((one) => accuse(log, one))),
    begun: { ...state, told: { ...state.told, ...Object.fromEntries(anew) } },
    next: { version: 1, entries: size, bytes, told, compared },
  };
}

/** The log as somebody else was shown it. */
interface Shown extends Checkpoint {
  id: string;
  note: string;
  title: string;
}

/** Those which our history is long enough for, each once. */
function toCompare(log: OwnLog, watched: readonly Watched[], state: WatchState): Shown[] {
  const { pins, size } = log.kept;
  const verifier = verifierOf(parseVkey(pins.vkey));
  const all = watched.flatMap(({ note, title }) => {
    if (note === undefined) return [];
    try {
      return [{ ...openCheckpoint(note, verifier), id: hex(sha256(utf8Bytes(note))), note, title }];
    } catch (error) {
      if (!(error instanceof TransparencyFault)) throw error;
      throw new Stated(`${title}: it is not of this log. ${error.message}`, { cause: error });
    }
  });
  const once = [...new Map(all.map((one) => [one.id, one])).values()];
  return once.filter((one) => one.size <= size && !state.compared.includes(one.id));
}

async function accuse(log: OwnLog, { size, note, title }: Shown): Promise<Finding> {
  const { kept } = log;
  const more = `It is in ${title}: who made that was shown another history of ${size} entries than this auditor.`;
  const same = size === kept.size;
  const evidence = same
    ? await file(log, `forked-${size}`, { kind: 'fork', notes: [kept.note, note], leaves: [] })
    : await file(log, `rewritten-${kept.size}`, {
        ...{ kind: 'rewrite', notes: [note, kept.note], leaves: [] },
        prefix: await ownPrefix(log, size, kept.size),
      });
  const found = finding(same ? 'forked' : 'rewritten', { more });
  return evidence === undefined ? found : { ...found, evidence };
}

const flagsOf = ({ flags }: EventLeaf): Flag[] =>
  (Object.keys(listFlags) as Flag[]).filter((flag) => (flags & listFlags[flag]) !== 0);

const announcementOf = (kind: number): Announcement =>
  (Object.keys(operatorKinds) as Announcement[]).find((name) => operatorKinds[name] === kind) ??
  'audit';

function read(bytes: Uint8Array): ReturnType<typeof readLeaf> | undefined {
  try {
    return readLeaf(bytes);
  } catch {
    // A finding of the audit.
    return undefined;
  }
}

const instant = (ms: number): string | null => (ms <= 8.64e15 ? new Date(ms).toISOString() : null);
