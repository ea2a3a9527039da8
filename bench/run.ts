/**
 * `npm run bench`: every scenario beside its yardstick in the same run. `--only NAME` (part of a
 * name), `--quick` runs fewer rounds where a scenario has a choice, `--nightly` as many as there is time for,
 * `--json` prints
 * `{"scenarios":[{"name","ours","yardstick","yardstickName","ratio","target"?,"unit","notes"?}]}`.
 * Exit 0 whether or not a target is met: this measures, it does not judge.
 */
import { parseArgs } from 'node:util';
import { type Effort, type Scenario, Skipped } from './scenario.ts';

const usage = 'npm run bench -- [--only NAME] [--quick | --nightly] [--json]\n';

function wrongUsage(text: string): never {
  process.stderr.write(`bench: ${text}\n${usage}`);
  process.exit(2);
}

function flags() {
  try {
    return parseArgs({
      options: {
        json: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        nightly: { type: 'boolean', default: false },
        only: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return wrongUsage(error instanceof Error ? error.message : 'That is not an option.');
  }
}

const values = flags();

/** Files that export `scenarios`, in the order of their running. */
const files = [
  './ratchet.ts',
  './channel-ratchet.ts',
  './channels.ts',
  './rooms.ts',
  './channel-members.ts',
  './channel-history.ts',
  './fan-out.ts',
  './delivery.ts',
  './direct-messages.ts',
  './attachments.ts',
  './sign-in.ts',
  './start.ts',
  './transparency.ts',
] as const;

interface Row {
  name: string;
  ours: number;
  yardstick: number;
  yardstickName: string;
  ratio: number;
  target?: number;
  unit: string;
  notes?: readonly string[];
}

const significant = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);

async function measure(scenario: Scenario, effort: Effort): Promise<Row> {
  const { name, unit, target, better, yardstickName } = scenario;
  const { ours, yardstick, notes } = await scenario.measure(effort);
  // A ratio above one always says "ours is better by that much".
  const ratio = better === 'higher' ? ours / yardstick : yardstick / ours;
  const row: Row = { name, ours, yardstick, yardstickName, ratio, unit };
  return { ...row, ...(target !== undefined && { target }), ...(notes && { notes }) };
}

const aim = ({ ratio, target }: Row): string =>
  target === undefined ? 'none' : `≥ ${target}×${ratio >= target ? '' : '  not reached'}`;

function table(rows: readonly Row[]): string {
  const head = ['scenario', 'ours', 'yardstick', 'ratio', 'target', 'unit', 'against'];
  const cells = rows.map((row) => [
    row.name,
    significant(row.ours),
    significant(row.yardstick),
    `${row.ratio.toFixed(2)}×`,
    aim(row),
    row.unit,
    row.yardstickName,
  ]);
  const widths = head.map((title, i) =>
    Math.max(title.length, ...cells.map((c) => c[i]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) =>
        i === 0 || i > 3 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0),
      )
      .join('  ');
  const notes = [...new Set(rows.flatMap((row) => row.notes ?? []))];
  const rule = widths.map((w) => '─'.repeat(w)).join('  ');
  const below = notes.length > 0 ? ['', ...notes] : [];
  return [line(head), rule, ...cells.map(line), ...below].join('\n');
}

if (values.help) {
  process.stdout.write(usage);
} else {
  const rows: Row[] = [];
  let skipped = 0;
  for (const file of files) {
    const { scenarios }: { scenarios: readonly Scenario[] } = await import(file);
    for (const scenario of scenarios) {
      if (values.only !== undefined && !scenario.name.includes(values.only)) continue;
      process.stderr.write(`measuring ${scenario.name} against ${scenario.yardstickName} …\n`);
      try {
        rows.push(await measure(scenario, values));
      } catch (error) {
        if (!(error instanceof Skipped)) throw error;
        skipped++;
        process.stderr.write(`skipped ${scenario.name}: ${error.message}\n`);
      }
    }
  }
  if (rows.length + skipped === 0) wrongUsage(`No scenario has ${values.only} in its name.`);
  process.stdout.write(
    values.json ? `${JSON.stringify({ scenarios: rows })}\n` : `${table(rows)}\n`,
  );
}
