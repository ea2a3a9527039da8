/**
 * `npm run bench`: every scenario beside its yardstick in the same run. `--only NAME` (part of a
 * name), `--json` prints `{"scenarios":[{"name","ours","yardstick","yardstickName","ratio","target","unit"}]}`.
 * Exit 0 whether or not a target is met: this measures, it does not judge.
 */
import { parseArgs } from 'node:util';
import type { Scenario } from './scenario.ts';

const usage = 'npm run bench -- [--only NAME] [--json]\n';

function wrongUsage(text: string): never {
  process.stderr.write(`bench: ${text}\n${usage}`);
  process.exit(2);
}

function flags() {
  try {
    return parseArgs({
      options: {
        json: { type: 'boolean', default: false },
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
const files = ['./ratchet.ts', './delivery.ts', './sign-in.ts', './start.ts'] as const;

interface Row {
  name: string;
  ours: number;
  yardstick: number;
  yardstickName: string;
  ratio: number;
  target: number;
  unit: string;
}

const significant = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);

async function measure(scenario: Scenario): Promise<Row> {
  const { name, unit, target, better, yardstickName } = scenario;
  const { ours, yardstick } = await scenario.measure();
  // A ratio above one always says "ours is better by that much".
  const ratio = better === 'higher' ? ours / yardstick : yardstick / ours;
  return { name, ours, yardstick, yardstickName, ratio, target, unit };
}

function table(rows: readonly Row[]): string {
  const head = ['scenario', 'ours', 'yardstick', 'ratio', 'target', 'unit', 'against'];
  const cells = rows.map((row) => [
    row.name,
    significant(row.ours),
    significant(row.yardstick),
    `${row.ratio.toFixed(2)}×`,
    `≥ ${row.target}×${row.ratio >= row.target ? '' : '  not reached'}`,
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
  return [line(head), widths.map((w) => '─'.repeat(w)).join('  '), ...cells.map(line)].join('\n');
}

if (values.help) {
  process.stdout.write(usage);
} else {
  const rows: Row[] = [];
  for (const file of files) {
    const { scenarios }: { scenarios: readonly Scenario[] } = await import(file);
    for (const scenario of scenarios) {
      if (values.only !== undefined && !scenario.name.includes(values.only)) continue;
      process.stderr.write(`measuring ${scenario.name} against ${scenario.yardstickName} …\n`);
      rows.push(await measure(scenario));
    }
  }
  if (rows.length === 0) wrongUsage(`No scenario has ${values.only} in its name.`);
  process.stdout.write(
    values.json ? `${JSON.stringify({ scenarios: rows })}\n` : `${table(rows)}\n`,
  );
}
