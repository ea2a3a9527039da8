/**
 * The log: events with a closed list of fields, one JSON line each, to stderr. Whatever is not on
 * the list is dropped, so that no content and no identifier of a person can slip in by a new call.
 * `error` means a bug. docs/operations.md §7
 */
import { isFaultCode } from '@island/protocol/wire/fault.ts';
import { destination, pino } from 'pino';

/** Every field a line may carry. Names of our own things, codes, numbers: nothing that a person wrote. */
export const logFields = [
  'attempt',
  'bytes',
  'call',
  'code',
  'count',
  'event',
  'failure',
  'library',
  'method',
  'ms',
  'peer',
  'port',
  'process',
  'reason',
  'route',
  'seconds',
  'serial',
  'service',
  'signal',
  'stack',
  'status',
  'subject',
  'until',
  'version',
] as const;

export type LogField = (typeof logFields)[number];
export type LogValue = string | number | boolean | undefined;
export type LogFields = Readonly<Partial<Record<LogField, LogValue>>>;

export interface Log {
  /** Something that an operator may want to know happened. */
  info(event: string, fields?: LogFields): void;
  /** Something outside this program is not as it should be; the program carries on. */
  warn(event: string, fields?: LogFields): void;
  /** A bug. Carries the error's name, code and stack, never its message. */
  error(event: string, error: unknown, fields?: LogFields): void;
  /** The same log with the fields on every line. */
  with(fields: LogFields): Log;
}

const allowed: ReadonlySet<string> = new Set(logFields);
const longest = 200;

function pick(fields: LogFields): Record<string, string | number | boolean> {
  const kept: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (!allowed.has(name)) continue;
    if (typeof value === 'string') kept[name] = name === 'stack' ? value : value.slice(0, longest);
    else if (typeof value === 'number' || typeof value === 'boolean') kept[name] = value;
  }
  return kept;
}

const word = (value: unknown): string | undefined =>
  typeof value === 'string' && /^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(value) ? value : undefined;

/** What may be said of an error without its message: its class and its code. */
export function failure(error: unknown): LogFields {
  if (!(error instanceof Error)) return { failure: typeof error };
  const { cause } = error;
  const holder = 'code' in error || !(cause instanceof Error) ? error : cause;
  const code = 'code' in holder ? holder.code : undefined;
  return { failure: word(error.name), code: isFaultCode(code) ? code : word(code) };
}

/** Where an error was thrown: the frames, without the message above them. */
function frames(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.stack === undefined) return undefined;
  const lines = error.stack.split('\n').filter((line) => /^ {4}at /.test(line));
  return lines
    .slice(0, 12)
    .map((line) => line.trim())
    .join(' | ');
}

/** @param write where the lines go, for tests; stderr otherwise. */
export function openLog(fields: LogFields = {}, write?: (line: string) => void): Log {
  const target = write === undefined ? destination({ dest: 2, sync: true }) : { write };
  const lines = pino(
    {
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'what',
    },
    target,
  );
  const open = (base: LogFields): Log => ({
    info: (event, more) => lines.info(pick({ ...base, ...more }), event),
    warn: (event, more) => lines.warn(pick({ ...base, ...more }), event),
    error: (event, error, more) =>
      lines.error(pick({ ...base, ...failure(error), stack: frames(error), ...more }), event),
    with: (more) => open({ ...base, ...more }),
  });
  return open(fields);
}
