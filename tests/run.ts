/**
 * Runs the tests: `npm test`, or `npm test -- gateway` for the files whose path holds a word. One line a
 * file as it ends, what failed in full, and last of all `N passed, N failed`. docs/operations.md §12
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { glob, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Counts, formatCounts, openTapReader } from './tap-report.ts';

const root = join(import.meta.dirname, '..');
const tapProgram = join(root, 'node_modules/tap/dist/esm/run.mjs');
/** tap is built for its plugins inside the packages, so every installation of them begins anew. */
const built = join(root, 'node_modules/.tap-built');
/**
 * Files at a time; each may start engines or whole islands of its own. One more than there are processors: much of
 * their time they wait, for timers of the product, for locks, for each other.
 */
const jobs = availableParallelism() + 1;
/** Seconds for one file, on a machine that is busy with another. */
const patience = 300;

async function testFiles(filters: readonly string[]): Promise<string[]> {
  const exclude = (name: string): boolean => name === 'node_modules' || name.startsWith('.');
  const files: string[] = [];
  for await (const file of glob('*/**/*.test.ts', { cwd: root, exclude })) files.push(file);
  const wanted = files.filter(
    (file) => filters.length === 0 || filters.some((f) => file.includes(f)),
  );
  // Whole islands take longest: first, so that nothing waits for them at the end.
  return wanted.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

const rank = (file: string): number => (file.startsWith('tests/') ? 0 : 1);

/** Starts tap; what it ends with is in its output. Ctrl-C reaches it from the terminal by itself. */
function tap(args: readonly string[], onLine: (line: string) => void): Promise<void> {
  const child = spawn(process.execPath, [tapProgram, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const lines = createInterface({ input: child.stdout });
  lines.on('line', onLine);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const read = new Promise<void>((resolve) => lines.once('close', () => resolve()));
  return Promise.all([ended, read]).then(() => undefined);
}

async function main(filters: readonly string[]): Promise<Counts> {
  const files = await testFiles(filters);
  const none = { passed: 0, failed: 1, skipped: 0 };
  if (files.length === 0) {
    process.stdout.write(`No test file has ${filters.join(' or ')} in its path.\n`);
    return none;
  }
  if (!existsSync(built)) {
    await tap(['build'], () => undefined);
    await writeFile(built, '');
  }
  const reader = openTapReader(({ file, ok, seconds, failures }) => {
    process.stdout.write(`${ok ? '✓' : '✗'} ${file}  ${seconds.toFixed(1)} s\n`);
    for (const line of failures) process.stdout.write(`${line}\n`);
  });
  await tap([`--jobs=${jobs}`, `--timeout=${patience}`, '--reporter=tap', ...files], reader.line);
  return reader.end() ?? none;
}

const counts = await main(process.argv.slice(2));
process.stdout.write(`${formatCounts(counts)}\n`);
process.exitCode = counts.failed === 0 ? 0 : 1;
