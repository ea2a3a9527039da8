/** One behaviour for both storages, and what only a file can show: two processes, kill -9, modes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import t from 'tap';
import { Problem } from '../problem.ts';
import { fileStorage } from './file.ts';
import { memoryStorage } from './memory.ts';
import { Conflict, type Storage, untilCommitted } from './storage.ts';

const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);
const put = (key: string, value: string) => ({ namespace: 'n', key, bytes: utf8Bytes(value) });

interface Test {
  teardown(clean: () => void): void;
}

function folder(test: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'islander-'));
  test.teardown(() => rmSync(path, { recursive: true }));
  return path;
}

const kinds: [string, (test: Test) => Storage][] = [
  ['memory', () => memoryStorage()],
  ['file', (test) => fileStorage(join(folder(test), 'home'))],
];

for (const [kind, open] of kinds) {
  t.test(`${kind}: what was committed is read back, nothing else`, async (t) => {
    await using storage = open(t);
    t.equal(await storage.read('n', 'a'), undefined);
    await storage.commit({ put: [put('b', '2'), put('a', '1')] });
    t.equal(text((await storage.read('n', 'a'))?.bytes), '1');
    t.equal(await storage.read('other', 'a'), undefined);
    t.same(
      (await storage.list('n')).map((row) => row.key),
      ['a', 'b'],
    );
    t.same(
      (await storage.list('n', { reverse: true, limit: 1 })).map((row) => row.key),
      ['b'],
    );
    t.same(
      (await storage.list('n', { after: 'a' })).map((row) => row.key),
      ['b'],
    );
    t.same(
      (await storage.list('n', { after: 'b', reverse: true })).map((row) => row.key),
      ['a'],
    );
    await storage.commit({ remove: [{ namespace: 'n', key: 'a' }] });
    t.equal(await storage.read('n', 'a'), undefined);
  });

  t.test(`${kind}: a batch whose expectation fails writes nothing`, async (t) => {
    await using storage = open(t);
    const { version } = await storage.commit({ put: [put('a', '1')] });
    await storage.commit({ put: [put('a', '2')], expect: [{ namespace: 'n', key: 'a', version }] });
    await t.rejects(
      storage.commit({
        put: [put('a', '3'), put('c', '3')],
        append: [{ namespace: 'log', bytes: utf8Bytes('x') }],
        expect: [{ namespace: 'n', key: 'a', version }],
      }),
      Conflict,
    );
    t.equal(text((await storage.read('n', 'a'))?.bytes), '2');
    t.equal(await storage.read('n', 'c'), undefined);
    t.same(await storage.list('log'), []);
    const absent = { namespace: 'n', key: 'new', version: 0 };
    await storage.commit({ put: [put('new', '1')], expect: [absent] });
    await t.rejects(storage.commit({ put: [put('new', '2')], expect: [absent] }), Conflict);
  });

  t.test(`${kind}: a version is never used again after a removal`, async (t) => {
    await using storage = open(t);
    const first = await storage.commit({ put: [put('a', '1')] });
    await storage.commit({ remove: [{ namespace: 'n', key: 'a' }] });
    const second = await storage.commit({ put: [put('a', '1')] });
    t.ok(second.version > first.version);
    t.equal((await storage.read('n', 'a'))?.version, second.version);
  });

  t.test(
    `${kind}: appended rows keep their order and their keys are never given twice`,
    async (t) => {
      await using storage = open(t);
      const log = (value: string) => ({ namespace: 'log', bytes: utf8Bytes(value) });
      const beside = [{ namespace: 'queue', bytes: utf8Bytes('q') }];
      const { keys } = await storage.commit({ append: [{ ...log('1'), beside }, log('2')] });
      t.equal(text((await storage.read('queue', keys[0] ?? ''))?.bytes), 'q', 'one key for both');
      await storage.commit({ remove: keys.map((key) => ({ namespace: 'log', key })) });
      const later = await storage.commit({ append: [log('3')] });
      t.ok((later.keys[0] ?? '') > (keys[1] ?? ''));
      const other = await storage.commit({
        append: [{ namespace: 'other log', bytes: utf8Bytes('4'), beside }],
      });
      t.ok((other.keys[0] ?? '') > (later.keys[0] ?? ''), 'also for another namespace');
      t.same(
        (await storage.list('log')).map((row) => text(row.bytes)),
        ['3'],
      );
    },
  );

  t.test(`${kind}: one holder at a time is in a locked section`, async (t) => {
    await using storage = open(t);
    const lock = await storage.lock('inbox');
    t.equal(await storage.tryLock('inbox'), undefined);
    const other = await storage.tryLock('outbox');
    t.ok(other);
    other?.[Symbol.dispose]();
    const waiting = storage.lock('inbox');
    lock[Symbol.dispose]();
    const second = await waiting;
    const aborted = new AbortController();
    const refused = storage.lock('inbox', aborted.signal);
    aborted.abort(new Error('enough'));
    await t.rejects(refused, Error);
    second[Symbol.dispose]();
    second[Symbol.dispose]();
    t.ok(await storage.tryLock('inbox'));
  });

  t.test(`${kind}: names that differ in a sign only are different locks`, async (t) => {
    await using storage = open(t);
    using dotted = await storage.tryLock('outbox a.b');
    using dashed = await storage.tryLock('outbox a-b');
    using underlined = await storage.tryLock('outbox a_b');
    t.ok(dotted && dashed && underlined);
  });

  t.test(`${kind}: a watcher hears of commits until it is disposed of`, async (t) => {
    await using storage = open(t);
    const heard = Promise.withResolvers<void>();
    let calls = 0;
    const watch = storage.watch(() => {
      calls += 1;
      heard.resolve();
    });
    await storage.commit({ put: [put('a', '1')] });
    await heard.promise;
    watch[Symbol.dispose]();
    const before = calls;
    await storage.commit({ put: [put('a', '2')] });
    await new Promise((resolve) => setImmediate(resolve));
    t.equal(calls, before);
  });

  t.test(`${kind}: two who count in one row lose nothing`, async (t) => {
    await using storage = open(t);
    const count = () =>
      untilCommitted(async () => {
        const row = await storage.read('n', 'count');
        const next = String(Number(text(row?.bytes) ?? '0') + 1);
        const expect = [{ namespace: 'n', key: 'count', version: row?.version ?? 0 }];
        await storage.commit({ put: [put('count', next)], expect });
      });
    await Promise.all(Array.from({ length: 50 }, count));
    t.equal(text((await storage.read('n', 'count'))?.bytes), '50');
  });
}

function child(script: string, ...args: string[]): ChildProcess {
  const prelude = `import { fileStorage } from ${JSON.stringify(import.meta.resolve('./file.ts'))};
    import { untilCommitted } from ${JSON.stringify(import.meta.resolve('./storage.ts'))};
    const bytes = (value) => new TextEncoder().encode(value);
    const text = (row) => row && new TextDecoder().decode(row.bytes);
    const [home, ...args] = process.argv.slice(1);
    const storage = fileStorage(home);\n`;
  return spawn(process.execPath, ['--input-type=module', '-e', prelude + script, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
}

t.test(
  'M1 pitfall: counter reuse (two processes): no step from one state is committed twice',
  async (t) => {
    const home = join(folder(t), 'home');
    const script = `for (let i = 0; i < 200; i++) await untilCommitted(async () => {
      const row = await storage.read('n', 'count');
      const next = Number(text(row) ?? '0') + 1;
      await storage.commit({
        put: [{ namespace: 'n', key: 'count', bytes: bytes(String(next)) }],
        append: [{ namespace: 'log', bytes: bytes(String(next)) }],
        expect: [{ namespace: 'n', key: 'count', version: row?.version ?? 0 }],
      });
    });`;
    const children = [child(script, home), child(script, home)];
    const codes = await Promise.all(children.map(async (each) => (await once(each, 'exit'))[0]));
    t.same(codes, [0, 0]);
    await using storage = fileStorage(home);
    const log = (await storage.list('log')).map((row) => Number(text(row.bytes)));
    t.same(
      log,
      Array.from({ length: 400 }, (_, i) => i + 1),
    );
  },
);

t.test(
  'M1 pitfall: counter reuse (crash): kill -9 leaves whole batches and what was reported',
  async (t) => {
    const home = join(folder(t), 'home');
    const script = `for (let i = 1; ; i++) {
      await storage.commit({ put: ['a', 'b', 'c'].map((key) => ({ namespace: 'n', key, bytes: bytes(String(i)) })) });
      process.stdout.write(i + '\\n');
    }`;
    let reported = 0;
    for (const stopAfter of [20, 60, 90]) {
      const writer = child(script, home);
      const exited = once(writer, 'exit');
      for await (const line of createInterface({ input: writer.stdout ?? process.stdin })) {
        reported = Number(line);
        if (reported === stopAfter) writer.kill('SIGKILL');
      }
      await exited;
      await using storage = fileStorage(home);
      const rows = (await storage.list('n')).map((row) => Number(text(row.bytes)));
      t.equal(new Set(rows).size, 1, 'all rows of one batch');
      t.ok((rows[0] ?? 0) >= reported, `${rows[0]} on disk, ${reported} reported`);
    }
  },
);

t.test('M1 pitfall: removed secrets lie in no file: also not in the WAL', async (t) => {
  const home = join(folder(t), 'home');
  const all = () =>
    ['store.db', 'store.db-wal']
      .map((name) => join(home, name))
      .filter((path) => existsSync(path))
      .map((path) => readFileSync(path, 'latin1'))
      .join();
  const script = `for (let i = 0; i < 20; i++)
      await storage.commit({ put: [{ namespace: 'n', key: 'ratchet', bytes: bytes('secret state ' + i + ' '.repeat(5000)) }] });
    await storage.commit({ remove: [{ namespace: 'n', key: 'ratchet' }] });
    process.kill(process.pid, 'SIGKILL');`;
  await once(child(script, home), 'exit');
  t.match(all(), 'secret state', 'what a process that was killed leaves');
  await using storage = fileStorage(home);
  t.notMatch(all(), 'secret state', 'is gone with the next opening');
  await storage.commit({ put: [put('code', 'secret code')] });
  await storage.commit({ remove: [{ namespace: 'n', key: 'code' }] });
  while (all().includes('secret')) await wait(50);
  t.notMatch(all(), 'secret', 'and soon in a program that goes on');
});

t.test('a lock ends with the process that held it, also by kill -9', async (t) => {
  const home = join(folder(t), 'home');
  await using storage = fileStorage(home);
  const holder = child(
    `await storage.lock('inbox'); console.log('held'); process.stdin.resume();`,
    home,
  );
  await once(holder.stdout ?? holder, 'data');
  t.equal(await storage.tryLock('inbox'), undefined);
  const waiting = storage.lock('inbox');
  holder.kill('SIGKILL');
  (await waiting)[Symbol.dispose]();
});

t.test('a watcher hears of commits of another process', async (t) => {
  const home = join(folder(t), 'home');
  await using storage = fileStorage(home);
  const heard = Promise.withResolvers<void>();
  storage.watch(() => heard.resolve());
  child(`await storage.commit({ put: [{ namespace: 'n', key: 'a', bytes: bytes('1') }] });`, home);
  await heard.promise;
  t.equal(text((await storage.read('n', 'a'))?.bytes), '1');
});

t.test('the folder and its files are the owner’s alone, whatever the umask', async (t) => {
  const home = join(folder(t), 'home');
  const before = process.umask(0);
  t.teardown(() => process.umask(before));
  await using storage = fileStorage(home);
  await storage.commit({ put: [put('a', '1')] });
  using _lock = await storage.lock('inbox');
  for (const [path, mode] of [
    ['.', 0o700],
    ['locks', 0o700],
    ['locks/inbox.lock', 0o600],
    ['store.db', 0o600],
    ['store.db-wal', 0o600],
  ] as const) {
    t.equal(statSync(join(home, path)).mode & 0o777, mode, path);
  }
});

t.test('what is not a usable home is refused in a sentence', async (t) => {
  const dir = folder(t);
  writeFileSync(join(dir, 'file'), '');
  t.throws(
    () => fileStorage(join(dir, 'file')),
    new Problem('home_unusable', { home: join(dir, 'file'), reason: 'it is a file' }),
  );
  mkdirSync(join(dir, 'damaged'));
  writeFileSync(
    join(dir, 'damaged', 'store.db'),
    'not a database, and long enough to be looked at '.repeat(40),
  );
  t.throws(() => fileStorage(join(dir, 'damaged')), { code: 'home_damaged' });
  if (process.getuid?.() !== 0) {
    mkdirSync(join(dir, 'locked'));
    chmodSync(join(dir, 'locked'), 0o500);
    t.throws(() => fileStorage(join(dir, 'locked', 'home')), { code: 'home_unusable' });
  }
});
