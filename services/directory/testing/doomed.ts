/**
 * A program that is a directory's log in a folder until it kills itself at a given step. Arguments: a plan as JSON, and
 * the number or the name of the step, 0 for none. Says what others hear of it as lines of `what ‖ " " ‖ JSON`; waits for a line where
 * somebody has to trust the log first. Its last line is `killed` with the step, or `over` with how many there were.
 */
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { registerHooks } from 'node:module';
import type { LifeEnds } from './log-life.ts';

// Loading it takes three times as long as a life, and no life asks by way of it.
const unused =
  'data:text/javascript,export class DrizzleQueryError extends Error {} export const drizzle = () => undefined';
registerHooks({
  resolve: (specifier, context, next) =>
    specifier.startsWith('drizzle-orm')
      ? { url: unused, format: 'module', shortCircuit: true }
      : next(specifier, context),
});

const [plan = '', at = '0'] = process.argv.slice(2);
const tell = (what: string, value: unknown): void =>
  void writeSync(1, `${what} ${JSON.stringify(value)}\n`);
let steps = 0;

const ends: LifeEnds = {
  step(name) {
    steps += 1;
    if (at !== name && Number(at) !== steps) return;
    tell('killed', name);
    process.kill(process.pid, 'SIGKILL');
  },
  async say(what, text) {
    tell(what, text);
    if (what !== 'log') return;
    await once(process.stdin, 'data');
    process.stdin.pause();
  },
};
subscribe('http.client.request.created', () => ends.step('before a question'));
subscribe('http.client.response.finish', () => ends.step('after an answer'));

const { openLife } = await import('./log-life.ts');
const life = await openLife(JSON.parse(plan), ends);
await life.live();
tell('over', steps);
process.exit();
