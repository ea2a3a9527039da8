/**
 * The files of the island's log, as c2sp.org/tlog-tiles has them, fetched over a connection of their own:
 * which part of the log somebody reads says how far they are, and nothing about whom they asked for.
 * docs/protocol/transparency.md §8
 */
import {
  type FetchTile,
  tilePath,
  tileReader,
  tileWidth,
} from '@island/protocol/transparency/tiles.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import type { HashReader } from '@island/protocol/transparency/tree-proofs.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { Problem } from '../problem.ts';
import { faultOf, type Transport } from '../transport/transport.ts';

export interface LogFiles {
  /** `path` under /log/: `checkpoint`, `policy/2`, `tile/0/000.p/5`. Throws what a call throws. */
  read(path: string, signal?: AbortSignal): Promise<Uint8Array>;
}

/** No file is larger: a policy in base64, with a note of many signatures; all others are below 32 kB. */
const mostBytes = 524_288;

export function openLogFiles(transport: Transport): LogFiles {
  return {
    async read(path, signal) {
      const asked = { method: 'GET', path: `/log/${path}`, ...(signal && { signal }) } as const;
      const answer = await transport.apart(asked);
      if (answer.status !== 200 || answer.body.length > mostBytes)
        throw faultOf(answer, transport.address);
      return answer.body;
    },
  };
}

/** Full tiles of the lowest level that are read together, 64 kB of 2,048 entries. */
const tilesTogether = 8;

/**
 * Whoever needs one full tile reads those beside it: the one that is needed is where the reader stood before, and by
 * it what they asked then and what they ask now would be one reader's.
 */
function together(size: number, fetch: (path: string) => Promise<Uint8Array>): FetchTile {
  const groups = new Map<number, Promise<Uint8Array[]>>();
  return async (path, { level, index, width }) => {
    if (level !== 0 || width < tileWidth) return fetch(path);
    const first = index - (index % tilesTogether);
    const there = Math.min(tilesTogether, Math.floor(size / tileWidth) - first);
    const all = () =>
      Array.from({ length: there }, (_, i) => fetch(tilePath({ level, index: first + i, width })));
    const group = groups.get(first) ?? Promise.all(all());
    groups.set(first, group);
    return (await group)[index - first] ?? new Uint8Array(0);
  };
}

/**
 * Hashes of the log of `head`, each followed up to its root. Throws `log_unproved` for tiles that are not those of
 * `head`: they prove nothing, to nobody; and what reading the log throws.
 */
export function hashesOf(
  files: LogFiles,
  head: { size: number; root: Uint8Array },
  signal?: AbortSignal,
): HashReader {
  const fetch = together(head.size, (path) => files.read(path, signal));
  const read = tileReader(head, fetch);
  return async (level, index) => {
    try {
      return await read(level, index);
    } catch (cause) {
      const unproved =
        cause instanceof TransparencyFault ||
        (cause instanceof Fault && cause.code === 'malformed');
      throw unproved ? new Problem('log_unproved', {}, { cause }) : cause;
    }
  };
}
