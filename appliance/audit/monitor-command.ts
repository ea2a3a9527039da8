/** `island monitor ISLAND`: an auditor that stays, and watches. docs/operations.md §13 */
import { resolve } from 'node:path';
import { openProgress, type Progress, styleFor } from '../terminal.ts';
import type { Streams } from '../up-command.ts';
import { type AuditFlags, pinOptions } from './audit-flags.ts';
import { monitor, type Telling } from './monitor.ts';
import { sayTelling } from './monitor-messages.ts';
import type { Place } from './place.ts';
import { readWatched } from './watched.ts';

export interface MonitorFlags extends AuditFlags {
  watch: string[];
  /** Seconds. */
  every: number;
  once?: true;
}

export async function runMonitor(
  place: Place,
  flags: MonitorFlags,
  { stdout, stderr }: Streams,
): Promise<void> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
  const watched = await readWatched(flags.watch);
  const progress = firstOnly(openProgress(stderr));
  const style = styleFor(stdout);
  let vkey = 'VKEY';

  function tell(telling: Telling): void {
    progress.end();
    const at = new Date().toISOString();
    if (telling.type === 'audit') vkey = telling.vkey;
    if (flags.json === true) {
      stdout.write(`${JSON.stringify({ ...telling, told: at })}\n`);
      return;
    }
    const text = sayTelling(telling, style, vkey);
    if (text !== undefined) stdout.write(`${style.dim(at.slice(0, 19))}Z ${text}\n`);
  }

  try {
    await monitor(
      {
        ...(await pinOptions(place, flags)),
        ...{ state: resolve(flags.state), allowUnwitnessed: flags.allowUnwitnessed === true },
        ...{ watched, every: flags.every, once: flags.once === true },
        ...{ progress, signal: stop.signal },
      },
      tell,
    );
  } finally {
    progress.end();
  }
}

/** The first audit may take minutes; those after it are nobody's concern. */
function firstOnly(shown: Progress): Progress & { end(): void } {
  let ended = false;
  return {
    step: (label) => ended || shown.step(label),
    detail: (text) => ended || shown.detail(text),
    done() {},
    cut() {},
    end() {
      if (!ended) shown.done();
      ended = true;
    },
  };
}
