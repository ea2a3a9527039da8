/** Attachments between clients and a real media service, over lines that break, lie and race. docs/protocol/attachments.md */
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  attachmentHeaderBytes,
  storedRange,
  storedSize,
} from '@island/protocol/crypto/attachment.ts';
import {
  decodeDescriptor,
  encodeDescriptor,
} from '@island/protocol/crypto/attachment-descriptor.ts';
import { tokensFor } from '@island/protocol/wire/blob-routes.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { deleteAttachment } from './deletion.ts';
import { downloadAttachment } from './download.ts';
import { bytesSource, fileSource, type Source } from './source.ts';
import { type TestLine, testLine } from './testing/line.ts';
import { uploadAttachment } from './upload.ts';
import { forgetUploads } from './upload-row.ts';

const at = await testLine();
t.teardown(() => at[Symbol.asyncDispose]());
t.afterEach(() => {
  delete at.line.cutUp;
  delete at.line.lose;
  delete at.line.alter;
  at.seen.length = 0;
  at.bytes.up = at.bytes.down = 0;
});
const part = 4_194_304;

const send = (
  source: Source,
  more: { signal?: AbortSignal; name?: string } = {},
  line: TestLine = at,
) =>
  uploadAttachment({
    transport: line.transport,
    storage: line.storage,
    tokens: line.take,
    source,
    name: more.name ?? 'report.pdf',
    mime: 'application/pdf',
    signal: more.signal,
  });

const fetchTo = (
  descriptor: Awaited<ReturnType<typeof send>>,
  to: string,
  more: { signal?: AbortSignal; onProgress?: (done: number, total: number) => void } = {},
) => downloadAttachment({ transport: at.transport, descriptor, to, ...more });

t.test('files of many sizes arrive as they were, and the descriptor is one', async (t) => {
  const dir = t.testdir();
  for (const size of [
    0,
    1,
    65_535,
    65_536,
    65_537,
    part - attachmentHeaderBytes - 16 * 16,
    part,
    3 * part + 7,
  ]) {
    const bytes = randomBytes(size);
    const file = join(dir, `in-${size}`);
    await writeFile(file, bytes);
    await using source = await fileSource(file);
    const seen: number[] = [];
    const descriptor = await uploadAttachment({
      transport: at.transport,
      storage: at.storage,
      tokens: at.take,
      source,
      name: `in-${size}`,
      mime: 'text/plain',
      onProgress: (done, total) => void seen.push(done / total),
    });
    t.equal(seen.at(-1), 1);
    t.same(decodeDescriptor(encodeDescriptor(descriptor)), descriptor);
    const to = join(dir, `out-${size}`);
    await fetchTo(descriptor, to);
    t.ok((await readFile(to)).equals(bytes), `${size} bytes`);
    t.equal((await stat(to)).mode & 0o777, 0o600);
  }
  t.same(await at.storage.list('uploads'), [], 'nothing is kept of uploads that are done');
  t.notOk((await readdir(dir)).some((name) => /\.(part|open)$/.test(name)));
});

t.test('M2: nothing names who uploads or fetches', async (t) => {
  const descriptor = await send(bytesSource(randomBytes(10)));
  await fetchTo(descriptor, join(t.testdir(), 'a'));
  for (const { headers } of at.seen)
    t.same([headers.cookie, headers.authorization], [undefined, undefined]);
});

t.test(
  'a line that breaks in every request: the upload goes on, and nothing is sent twice',
  async (t) => {
    const bytes = randomBytes(4 * part + 99);
    at.line.cutUp = ({ method, nth }) =>
      method === 'PUT' && nth % 2 === 0 ? 70_000 + nth * 130_000 : undefined;
    at.line.lose = ({ method, nth }) => method === 'POST' && nth === 0;
    const descriptor = await send(bytesSource(bytes));
    const to = join(t.testdir(), 'a');
    await fetchTo(descriptor, to);
    t.ok((await readFile(to)).equals(bytes));
    const total = storedSize(bytes.length);
    // What is lost of each broken request is less than one piece and what was on its way.
    t.ok(at.bytes.up < total * 1.2, `${at.bytes.up} of ${total}`);
  },
);

t.test('an answer that is lost: what is stored already is not sent again', async (t) => {
  const bytes = randomBytes(3 * part);
  at.line.lose = ({ method, nth }) => method === 'PUT' && nth === 1;
  const descriptor = await send(bytesSource(bytes));
  const to = join(t.testdir(), 'a');
  await fetchTo(descriptor, to);
  t.ok((await readFile(to)).equals(bytes));
});

t.test(
  'an upload that was given up goes on when the same file is sent again, and pays once',
  async (t) => {
    const bytes = randomBytes(5 * part);
    const stop = new AbortController();
    at.line.cutUp = ({ method, nth }) => {
      if (method === 'PUT' && nth === 2) stop.abort();
      return undefined;
    };
    await t.rejects(send(bytesSource(bytes), { signal: stop.signal }));
    const spent = at.media.ledger.spent.size;
    const before = at.bytes.up;
    delete at.line.cutUp;
    const descriptor = await send(bytesSource(bytes));
    t.equal(at.media.ledger.spent.size, spent);
    t.ok(at.bytes.up - before < storedSize(bytes.length) - 2 * part);
    const to = join(t.testdir(), 'a');
    await fetchTo(descriptor, to);
    t.ok((await readFile(to)).equals(bytes));
  },
);

t.test('pitfall: key reuse: a file that changed is another upload, with other keys', async (t) => {
  const bytes = randomBytes(5 * part);
  const stop = new AbortController();
  at.line.cutUp = ({ method, nth }) => {
    if (method === 'PUT' && nth === 2) stop.abort();
    return undefined;
  };
  await t.rejects(send(bytesSource(bytes), { signal: stop.signal }));
  delete at.line.cutUp;
  const changed = Buffer.from(bytes);
  changed[4 * part] = (changed[4 * part] ?? 0) ^ 1;
  const [one, other] = [await send(bytesSource(changed)), await send(bytesSource(bytes))];
  t.notSame(one.fileKey, other.fileKey);
  t.notSame(one.blob, other.blob);
  const again = await send(bytesSource(bytes));
  t.notSame(again.fileKey, other.fileKey, 'the same file sent twice has two keys');
});

t.test('pitfall: a file that changes while it is sent is never complete', async (t) => {
  const bytes = randomBytes(4 * part);
  const seen = new Set<number>();
  const changing: Source = {
    ...bytesSource(bytes),
    async read(start, end) {
      const some = Uint8Array.from(bytes.subarray(start, end));
      if (start > part && seen.has(start)) some[0] = (some[0] ?? 0) ^ 1;
      seen.add(start);
      return some;
    },
  };
  await t.rejects(send(changing), { code: 'file_changed' });
  t.same(await at.storage.list('uploads'), []);
});

t.test(
  'pitfall: nonce reuse: of a file that changes and changes back while it is sent nothing else is sealed',
  async (t) => {
    const [bytes, others] = [randomBytes(3 * part), randomBytes(3 * part)];
    const reads = new Map<number, number>();
    const changing: Source = {
      ...bytesSource(bytes),
      async read(start, end) {
        const nth = reads.get(start) ?? 0;
        reads.set(start, nth + 1);
        return (nth === 1 && start === 0 ? others : bytes).subarray(start, end);
      },
    };
    const before = at.bytes.up;
    await t.rejects(send(changing), { code: 'file_changed' });
    t.ok(at.bytes.up - before < part, 'nothing of the other content left');
    t.same(await at.storage.list('uploads'), [], 'and its keys are not used again');
    const to = join(t.testdir(), 'a');
    await fetchTo(await send(changing), to);
    t.ok((await readFile(to)).equals(bytes));
  },
);

t.test('pitfall: two uploaders of one file at once do not meet', async (t) => {
  const bytes = randomBytes(3 * part);
  const all = await Promise.all([1, 2, 3].map(() => send(bytesSource(bytes))));
  t.equal(new Set(all.map(({ blob }) => Buffer.from(blob).toString('hex'))).size, 3);
  for (const [i, descriptor] of all.entries()) {
    const to = join(t.testdir(), `${i}`);
    await fetchTo(descriptor, to);
    t.ok((await readFile(to)).equals(bytes));
  }
});

t.test('an upload that was begun too long ago is paid anew', async (t) => {
  const bytes = randomBytes(3 * part);
  const stop = new AbortController();
  at.line.cutUp = ({ method, nth }) => {
    if (method === 'PUT' && nth === 1) stop.abort();
    return undefined;
  };
  await t.rejects(send(bytesSource(bytes), { signal: stop.signal }));
  delete at.line.cutUp;
  at.media.clock.ahead += 2 * 86_400_000;
  await at.media.restart();
  const spent = at.media.ledger.spent.size;
  const descriptor = await send(bytesSource(bytes));
  t.equal(at.media.ledger.spent.size, spent + tokensFor(storedSize(bytes.length)));
  const to = join(t.testdir(), 'a');
  await fetchTo(descriptor, to);
  t.ok((await readFile(to)).equals(bytes));
});

t.test(
  'an upload that nobody goes on with is forgotten when the island has given it up',
  async (t) => {
    const stop = new AbortController();
    at.line.cutUp = ({ method }) => {
      if (method === 'PUT') stop.abort();
      return undefined;
    };
    await t.rejects(send(bytesSource(randomBytes(3 * part)), { signal: stop.signal }));
    const rows = async () => (await at.storage.list('uploads')).length;
    t.equal(await rows(), 1);
    await forgetUploads(at.storage, Date.now() + 86_400_000);
    t.equal(await rows(), 1, 'it may still go on');
    const later = Date.now() + 2 * 86_400_000;
    const [{ key } = { key: '' }] = await at.storage.list('uploads');
    {
      using _held = await at.storage.tryLock(`upload ${key}`);
      await forgetUploads(at.storage, later);
      t.equal(await rows(), 1, 'somebody is at it');
    }
    await forgetUploads(at.storage, later);
    t.equal(await rows(), 0);
  },
);

t.test('what a person is told of an upload never goes back, and ends with all of it', async (t) => {
  const bytes = randomBytes(5 * part);
  at.line.cutUp = ({ method, nth }) => (method === 'PUT' && nth % 2 === 0 ? 3_000_000 : undefined);
  const seen: number[] = [];
  await uploadAttachment({
    transport: at.transport,
    storage: at.storage,
    tokens: at.take,
    source: bytesSource(bytes),
    name: 'a',
    mime: 'text/plain',
    onProgress: (done) => void seen.push(done),
  });
  t.same(
    seen,
    [...seen].sort((a, b) => a - b),
  );
  t.equal(new Set(seen).size, seen.length);
  t.same([seen[0], seen.at(-1)], [0, storedSize(bytes.length)]);
});

t.test('an island that takes no part as large as ours gets smaller ones', async (t) => {
  const bytes = randomBytes(2 * part);
  const most = 300_000;
  const puts: number[] = [];
  const stricter: TestLine['transport'] = {
    ...at.transport,
    async blob(request) {
      const { length = 0 } = request.part ?? {};
      if (length > 0) puts.push(length);
      if (length <= most) return at.transport.blob(request);
      const refusal = Buffer.from('{"code":"too_large","text":""}');
      const body = (async function* () {
        yield refusal;
      })();
      return { status: 413, retryAfter: undefined, body };
    },
  };
  const descriptor = await send(bytesSource(bytes), {}, { ...at, transport: stricter });
  const to = join(t.testdir(), 'a');
  await fetchTo(descriptor, to);
  t.ok((await readFile(to)).equals(bytes));
  t.equal(puts.filter((length) => length > most).length, 4, 'it is tried once each');
});

t.test('a file above the limit is refused before anything is paid', async (t) => {
  const spent = at.media.ledger.spent.size;
  const large: Source = { ...bytesSource(new Uint8Array(0)), size: limits.blobBytes };
  await t.rejects(send(large), { code: 'attachment_too_large' });
  t.equal(at.media.ledger.spent.size, spent);
});

t.test('a download that breaks off again and again goes on where it was', async (t) => {
  const bytes = randomBytes(6 * part);
  const descriptor = await send(bytesSource(bytes));
  at.bytes.down = 0;
  at.line.alter = ({ method }, chunk, place) =>
    method === 'GET' && place > part + 12_345 ? 'cut' : chunk;
  const to = join(t.testdir(), 'a');
  await fetchTo(descriptor, to);
  t.ok((await readFile(to)).equals(bytes));
  t.ok(at.seen.filter(({ method }) => method === 'GET').length > 3);
  t.ok(at.bytes.down < storedSize(bytes.length) * 1.5);
});

t.test('a download that was given up goes on in the next call', async (t) => {
  const bytes = randomBytes(6 * part);
  const descriptor = await send(bytesSource(bytes));
  const dir = t.testdir();
  const to = join(dir, 'a');
  const stop = new AbortController();
  const onProgress = (done: number) => {
    if (done > 3 * part) stop.abort();
  };
  await t.rejects(fetchTo(descriptor, to, { signal: stop.signal, onProgress }));
  t.same(await readdir(dir), ['a.part']);
  at.bytes.down = 0;
  await fetchTo(descriptor, to);
  t.ok((await readFile(to)).equals(bytes));
  t.ok(at.bytes.down < storedSize(bytes.length) - 2 * part);
  t.same(await readdir(dir), ['a']);
});

t.test('what was kept and is damaged, or is of something else, is fetched anew', async (t) => {
  const bytes = randomBytes(2 * part);
  const descriptor = await send(bytesSource(bytes));
  const to = join(t.testdir(), 'a');
  await writeFile(`${to}.part`, randomBytes(part));
  await fetchTo(descriptor, to);
  t.ok((await readFile(to)).equals(bytes));
});

t.test(
  'pitfalls: truncation, chunk swap, a flipped bit, another blob: refused, and nothing is left',
  async (t) => {
    const bytes = randomBytes(2 * part);
    const descriptor = await send(bytesSource(bytes));
    const stored: Buffer[] = [];
    at.line.alter = ({ method }, chunk) => {
      if (method === 'GET') stored.push(chunk);
      return chunk;
    };
    const dir = t.testdir();
    await fetchTo(descriptor, join(dir, 'whole'));
    const whole = Buffer.concat(stored);
    t.ok(createHash('sha256').update(whole).digest().equals(descriptor.digest));
    const swapped = Buffer.from(whole);
    const [one, two] = [storedRange(bytes.length, 3), storedRange(bytes.length, 4)];
    whole.copy(swapped, one.start, two.start, two.end);
    whole.copy(swapped, two.start, one.start, one.end);
    const flipped = Buffer.from(whole);
    flipped[whole.length - 1] = (flipped[whole.length - 1] ?? 0) ^ 1;
    const headed = Buffer.from(whole);
    headed[10] = (headed[10] ?? 0) ^ 1;
    for (const [what, lie] of Object.entries({
      swapped,
      flipped,
      headed,
      random: randomBytes(whole.length),
    })) {
      at.line.alter = ({ method }, chunk, place) =>
        method === 'GET' ? Buffer.from(lie.subarray(place, place + chunk.length)) : chunk;
      const to = join(dir, what);
      await t.rejects(fetchTo(descriptor, to), { code: 'attachment_broken' }, what);
    }
    t.same(await readdir(dir), ['whole']);
    delete at.line.alter;
    const short = { ...descriptor, size: bytes.length - 65_536 * 2 };
    await t.rejects(fetchTo(short, join(dir, 'short')), 'a size that is not the one');
    t.same(await readdir(dir), ['whole']);
  },
);

t.test('a file that is there is not overwritten, and a link is not followed', async (t) => {
  const descriptor = await send(bytesSource(randomBytes(10)));
  const dir = t.testdir({ a: 'mine', target: 'theirs' });
  await t.rejects(fetchTo(descriptor, join(dir, 'a')), { code: 'file_exists' });
  t.equal(await readFile(join(dir, 'a'), 'utf8'), 'mine');
  await symlink(join(dir, 'target'), join(dir, 'b.part'));
  await t.rejects(fetchTo(descriptor, join(dir, 'b')));
  await symlink(join(dir, 'nowhere'), join(dir, 'c'));
  await t.rejects(fetchTo(descriptor, join(dir, 'c')), { code: 'file_exists' });
  for (const [to, reason] of [
    [join(dir, 'nowhere', 'd'), /it does not exist/],
    [join(dir, 'a', 'd'), /a part of its path is no folder/],
    [join(dir, 'x'.repeat(254)), /its name is too long/],
  ] as const)
    await t.rejects(fetchTo(descriptor, to), { code: 'file_unwritable', message: reason });
  await t.rejects(fileSource(join(dir, 'nowhere')), { message: /it does not exist/ });
  await t.rejects(fileSource(dir), { message: /it is a folder/ });
  t.equal(await readFile(join(dir, 'target'), 'utf8'), 'theirs');
});

t.test('deleted is gone for everybody; to delete it again succeeds', async (t) => {
  const descriptor = await send(bytesSource(randomBytes(10)));
  await deleteAttachment({ transport: at.transport, descriptor });
  await deleteAttachment({ transport: at.transport, descriptor });
  const to = join(t.testdir(), 'a');
  await t.rejects(fetchTo(descriptor, to), { code: 'blob_gone' });
});
