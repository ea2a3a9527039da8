/** Which promises are looked at, in which order, and what came of it. */
import type { Finding, Findings } from './finding.ts';
import { type PromiseId, promiseIds } from './promises.ts';

export type PromiseState = 'holds' | 'broken' | 'not-built';

export interface PromiseReport {
  id: PromiseId;
  state: PromiseState;
  /** Findings against it first. */
  evidence: string[];
  /** How long the look took. */
  ms: number;
}

/** One line for people, beside the report for programs. */
export interface Judged extends PromiseReport {
  summary: string;
}

/** Throws only what ends the whole visit; a check that can't be done is a finding against its promise. */
export type Check = () => Promise<Findings>;

/** Judges each wanted promise in the order of the list; tells each as soon as it is known. */
export async function judge(
  checks: Readonly<Partial<Record<PromiseId, Check>>>,
  wanted: readonly PromiseId[],
  tell: (judged: Judged) => void,
): Promise<Judged[]> {
  const all: Judged[] = [];
  for (const id of promiseIds) {
    if (!wanted.includes(id)) continue;
    const check = checks[id];
    const judged = check === undefined ? notBuilt(id) : await look(id, check);
    tell(judged);
    all.push(judged);
  }
  return all;
}

const notBuilt = (id: PromiseId): Judged => ({
  id,
  state: 'not-built',
  evidence: [],
  ms: 0,
  summary: '',
});

async function look(id: PromiseId, check: Check): Promise<Judged> {
  const since = performance.now();
  const { summary, findings } = await check().catch(failed);
  const against = findings.filter(({ good }) => !good);
  const broken = against.length > 0 || findings.length === 0;
  return {
    id,
    state: broken ? 'broken' : 'holds',
    evidence: [...against, ...findings.filter(({ good }) => good)].map(({ text }) => text),
    ms: Math.round(performance.now() - since),
    summary: broken ? against.map(({ text }) => text).join('; ') : summary,
  };
}

function failed(error: unknown): Findings {
  const text = error instanceof Error ? error.message : String(error);
  const finding: Finding = { good: false, text: `The check could not be done: ${text}` };
  return { summary: finding.text, findings: [finding] };
}
