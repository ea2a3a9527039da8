/**
 * The files of the island's log, as c2sp.org/tlog-tiles has them, fetched over a connection of their own:
 * which part of the log somebody reads says how far they are, and nothing about whom they asked for.
 * docs/protocol/transparency.md §8
 */
import { tileReader } from '@island/protocol/transparency/tiles.ts';
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

/**
 * Hashes of the log of `head`, each followed up to its root. Throws `log_unproved` for tiles that are not those of
 * `head`: they prove nothing, to nobody; and what reading the log throws.
 */
export function hashesOf(
  files: LogFiles,
  head: { size: number; root: Uint8Array },
  signal?: AbortSignal,
): HashReader {
  const read = tileReader(head, (path) => files.read(path, signal));
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
