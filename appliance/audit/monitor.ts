/**
 * An auditor that stays: audits again and again from what it keeps, and tells what is new of those whom it watches.
 * docs/protocol/transparency.md §9.4
 *
 * News is told before it is kept as told: whoever is killed between the two tells it twice, never not at all.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { Stated } from '@island/provisioning/stated.ts';
import { type AuditOptions, audit } from './audit.ts';
import { type Finding, isLasting, Misbehaviour, Noteworthy } from './findings.ts';
import { damaged, type OwnLog, openOwnLog, readKept } from './own-log.ts';
import { Passing } from './passing.ts';
import type { Report, Verdict } from './report.ts';
import { lockState } from './state-lock.ts';
import type { Watched } from './watched.ts';
import { look, type News, type WatchState, watchFile } from './watching.ts';

export interface MonitorOptions extends Omit<AuditOptions, 'cosign'> {
  watched: readonly Watched[];
  /** Seconds between two audits. */
  every: number;
  once: boolean;
}

export type Telling =
  | News
  | (Finding & { type: 'finding' })
  /** After each audit. */
  | {
      type: 'audit';
      verdict: Verdict;
      origin: string;
      /** Of the log. */
      vkey: string;
      size: number;
      newEntries: number;
      notices: string[];
      /** Path of the signed report. */
      report: string;
    }
  /** What was found is not so any more. */
  | { type: 'recovered' }
  /** No epoch for too long: ISO time of the newest. */
  | { type: 'still'; since: string }
  /** It can't be asked now. */
  | { type: 'waiting'; text: string; retrySeconds: number };

/** An epoch follows another within 20 minutes (§6.2); milliseconds. */
const longestStill = 3_600_000;
/** Before the first try after one that failed, seconds; it doubles. */
const firstRetry = 15;

/**
 * Ends with `--once`, by `signal`, or with `Misbehaviour` where the log is convicted for good. Throws `Stated` where it
 * can't be done, `Noteworthy` with `--once` where there is news.
 */
export async function monitor(
  options: MonitorOptions,
  tell: (telling: Telling) => void,
): Promise<void> {
  const { every, once, signal } = options;
  const round = openRounds(options, tell);
  for (let failed = 0; ; ) {
    const seconds = await round().then(
      () => {
        failed = 0;
        return every;
      },
      (error: unknown) => {
        signal?.throwIfAborted();
        if (once || !(error instanceof Passing)) throw error;
        const retrySeconds = Math.min(every, firstRetry * 2 ** failed++);
        tell({ type: 'waiting', text: error.message, retrySeconds });
        return retrySeconds;
      },
    );
    if (once) return;
    // Nobody can tell beforehand when it asks.
    await wait(seconds * (900 + Math.random() * 200), undefined, signal && { signal });
  }
}

function openRounds(
  options: MonitorOptions,
  tell: (telling: Telling) => void,
): () => Promise<void> {
  const { watched, once, state, now } = options;
  /** What was found in the round before, and since when nothing came. */
  let found = new Set<string>();
  let still = '';
  /** Notices are said once. */
  const noticed = new Set<string>();

  function tellStill({ epochTime }: Report): boolean {
    const old = epochTime !== null && (now ?? Date.now()) - Date.parse(epochTime) > longestStill;
    if (old && still !== epochTime) tell({ type: 'still', since: epochTime });
    still = old ? epochTime : '';
    return old;
  }

  function tellFindings(findings: readonly Finding[]): void {
    const before = found;
    found = new Set(findings.map(({ text }) => text));
    for (const one of findings) if (!before.has(one.text)) tell({ type: 'finding', ...one });
    if (before.size > 0 && found.size === 0) tell({ type: 'recovered' });
  }

  return async () => {
    const { report, folder, text } = await audit({ ...options, cosign: false });
    const { verdict, origin, vkey, checkpoint, newEntries } = report;
    const notices = report.notices.filter((notice) => !noticed.has(notice));
    for (const notice of notices) noticed.add(notice);
    const size = checkpoint?.size ?? 0;
    tell({ type: 'audit', verdict, origin, vkey, size, newEntries, notices, report: text });
    using _ = lockState(state);
    const kept = await readKept(folder);
    if (kept === undefined) throw damaged(folder);
    await using log = await openOwnLog(folder, kept);
    const { news, findings, begun, next } = await look(log, watched);
    if (news.some(({ type }) => type === 'watching')) await keep(log, begun);
    if (findings.length > 0) await log.keep({ lasting: [...kept.lasting, ...findings] });
    for (const one of news) tell(one);
    const all = [...report.findings, ...findings];
    tellFindings(all);
    await keep(log, next);
    const stands = tellStill(report);
    if (all.some(({ cause }) => isLasting(cause)) || (once && all.length > 0)) {
      throw new Misbehaviour(`The log of ${report.address} misbehaves. The report is ${text}.`);
    }
    if (verdict === 'unwitnessed') {
      throw new Stated(
        'Nothing is wrong with this log, but its policy asks for no witness: it could show everybody another history. --allow-unwitnessed accepts that.',
      );
    }
    if (once && (stands || news.some(isNews))) {
      throw new Noteworthy('There is something to look at: it is said above.');
    }
  };
}

const keep = (log: OwnLog, state: WatchState): Promise<string> =>
  log.write(watchFile, `${JSON.stringify(state)}\n`);

/** What is there when it is first watched is none, unless it should not be there. */
const isNews = (news: News): boolean => news.type !== 'watching' || news.rebound;
