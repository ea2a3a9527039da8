/**
 * `island verify`: looks at a running island from outside, promise by promise. docs/operations.md §Verify
 *
 * It knocks at every door with real certificates that must be refused, and joins with two throw-away
 * accounts that write to each other. It changes nothing else, and may be run at any time.
 */
import { columns, type Style } from '../terminal.ts';
import { checkBus } from './bus-rights.ts';
import { checkCache } from './cache-rights.ts';
import { checkListeners } from './mtls.ts';
import { type PromiseId, promises } from './promises.ts';
import { type Check, type Judged, judge, type PromiseReport } from './run.ts';
import { openScene, type Scene } from './scene.ts';

export interface VerifyReport {
  promises: PromiseReport[];
}

/** Throws `Stated` when no island runs there. */
export async function verify(o: {
  data: string;
  only: readonly PromiseId[];
  tell: (judged: Judged) => void;
}): Promise<VerifyReport> {
  const scene = await openScene(o.data);
  const judged = await judge(checksOf(scene), o.only, o.tell);
  return { promises: judged.map(({ id, state, evidence, ms }) => ({ id, state, evidence, ms })) };
}

const checksOf = (scene: Scene): Partial<Record<PromiseId, Check>> => ({
  T2: () => checkListeners(scene),
  T3: () => checkBus(scene),
  T4: () => checkCache(scene),
});

/** One line a promise; with `evidence`, each finding below it. */
export function formatJudged(
  judged: Judged,
  evidence: boolean,
  { bold, dim, good, bad }: Style,
): string {
  const { id, state, summary } = judged;
  const word = {
    holds: good('holds'),
    broken: bad('does not hold'),
    'not-built': dim('not built yet'),
  }[state];
  const line = columns([
    [bold(id), `${word}  ${promises[id]}${summary === '' ? '' : dim(`: ${summary}`)}`],
  ]);
  return evidence
    ? [line, ...judged.evidence.map((text) => `       ${dim(text)}`)].join('\n')
    : line;
}
