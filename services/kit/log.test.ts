/** Nothing gets into the log that is not on the list. */
import { Fault } from '@island/protocol/wire/fault.ts';
import t from 'tap';
import { failure, type LogFields, openLog } from './log.ts';

function lines(): { log: ReturnType<typeof openLog>; read(): Record<string, unknown>[] } {
  const written: string[] = [];
  const log = openLog({ process: 'core' }, (line) => written.push(line));
  return { log, read: () => written.map((line) => JSON.parse(line)) };
}

t.test('a line has its event, its time, its level, and fields of the list only', (t) => {
  const { log, read } = lines();
  const fields = {
    count: 3,
    name: 'ann',
    message: 'hello',
    device: 'x',
    password: 'y',
    body: { a: 1 },
  };
  log.with({ service: 'delivery' }).info('mail_stored', fields as LogFields);
  const [line] = read();
  t.match(line, {
    level: 'info',
    what: 'mail_stored',
    process: 'core',
    service: 'delivery',
    count: 3,
  });
  t.match(line?.['time'], /^\d{4}-\d\d-\d\dT/);
  t.strictSame(Object.keys(line ?? {}).sort(), [
    'count',
    'level',
    'process',
    'service',
    'time',
    'what',
  ]);
  t.end();
});

t.test('objects, bytes and long texts do not pass, even under a listed name', (t) => {
  const { log, read } = lines();
  const fields = {
    reason: { text: 'secret' },
    code: new Uint8Array([1]),
    route: 'x'.repeat(5000),
    bytes: 7n,
    ms: undefined,
  };
  log.warn('odd', fields as unknown as LogFields);
  const [line] = read();
  t.equal(String(line?.['route']).length, 200);
  t.strictSame(Object.keys(line ?? {}).sort(), ['level', 'process', 'route', 'time', 'what']);
  t.end();
});

t.test('an error is its class, its code and where it was thrown, never its message', (t) => {
  const { log, read } = lines();
  const error = Object.assign(new TypeError('the text\n    at of a message'), {
    code: 'SQLITE_BUSY',
  });
  log.error('bug', error);
  log.error('bug', 'a thrown text');
  log.error(
    'bug',
    Object.assign(new Error('x'), { name: 'has the text of a message', code: 'and here again' }),
  );
  const text = JSON.stringify(read());
  t.notMatch(text, /the text|thrown text|here again/);
  t.match(read()[0], {
    level: 'error',
    failure: 'TypeError',
    code: 'SQLITE_BUSY',
    stack: /log\.test\.ts/,
  });
  t.match(read()[1], { failure: 'string' });
  t.end();
});

t.test('of a fault its code is told, of a wrapped error the code of its cause', (t) => {
  t.strictSame(failure(new Fault('mailbox_full', { seconds: 1 })), {
    failure: 'Fault',
    code: 'mailbox_full',
  });
  const cause = Object.assign(new Error('inner'), { code: 'SQLITE_FULL' });
  t.strictSame(failure(new Error('query with values', { cause })), {
    failure: 'Error',
    code: 'SQLITE_FULL',
  });
  t.end();
});
