/** TAP of a whole run, read line by line: what became of each file, what failed in it, and the count. */

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export interface FileResult {
  file: string;
  ok: boolean;
  seconds: number;
  /** What failed, for people; empty when nothing did. */
  failures: string[];
}

/** tap's own last word: `# { total: 7, pass: 3, fail: 3, skip: 1 }`. */
export function parseSummary(line: string): Counts | undefined {
  if (!/^# \{ total: \d+/.test(line)) return undefined;
  const count = (name: string): number =>
    Number(new RegExp(`\\b${name}: (\\d+)`).exec(line)?.[1] ?? 0);
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip') + count('todo') };
}

export const formatCounts = ({ passed, failed, skipped }: Counts): string =>
  `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;

/** From one file's TAP: each failed assertion with its diagnosis, not the groups around it. */
export function failuresOf(lines: readonly string[]): string[] {
  const kept: string[] = [];
  const groups: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? '';
    const indent = line.length - line.trimStart().length;
    const depth = indent / 4;
    const group = /^\s*# Subtest: (.*)$/.exec(line)?.[1];
    if (group !== undefined) groups.splice(depth, Infinity, group);
    const failed = /^\s*not ok \d+ - (.*)$/.exec(line)?.[1];
    if (failed === undefined) continue;
    // The line that ends a group repeats what was said inside it.
    const own = groups[depth];
    if (own !== undefined && failed.startsWith(own) && groups.length > depth && depth > 0) continue;
    kept.push(`    ✗ ${[...groups.slice(1, depth), failed].join(' › ')}`);
    if (lines[i + 1]?.trim() !== '---') continue;
    for (i += 2; i < lines.length && lines[i]?.trim() !== '...'; i++) {
      kept.push(`      ${(lines[i] ?? '').slice(indent)}`);
    }
  }
  return kept;
}

export interface TapReader {
  line(text: string): void;
  /** Tells the last file; the counts, unless tap broke off. */
  end(): Counts | undefined;
}

const fileLine = /^(not )?ok \d+ - (\S+\.test\.ts)(?:.* # time=([\d.]+)ms)?/;

/** Calls `tell` for each file as its lines are complete: its diagnosis follows its result. */
export function openTapReader(tell: (result: FileResult) => void): TapReader {
  let lines: string[] = [];
  let open: { file: string; ok: boolean; seconds: number } | undefined;
  let counts: Counts | undefined;
  const close = (): void => {
    if (open === undefined) return;
    const found = open.ok ? [] : failuresOf(lines);
    // A file that ended by itself (exit code, signal, time limit) has no failed assertion.
    const inside = found.filter((text) => !text.startsWith(`    ✗ ${open?.file}`));
    const failures = inside.some((text) => text.startsWith('    ✗'))
      ? withoutFile(found, open.file)
      : found;
    tell({ ...open, failures });
    [lines, open] = [[], undefined];
  };
  return {
    line(text) {
      counts = parseSummary(text) ?? counts;
      if (/^# Subtest: /.test(text)) close();
      const [, bad, file, time = '0'] = fileLine.exec(text) ?? [];
      if (file !== undefined) {
        close();
        open = { file, ok: bad === undefined, seconds: Number(time) / 1000 };
      }
      lines.push(text);
    },
    end() {
      close();
      return counts;
    },
  };
}

/** Leaves out what is said of the file as a whole. */
function withoutFile(failures: readonly string[], file: string): string[] {
  const at = failures.findIndex((text) => text.startsWith(`    ✗ ${file}`));
  return at < 0 ? [...failures] : failures.slice(0, at);
}
