/** The door of media: what is stored, for whom it opens, and what it refuses. docs/protocol/attachments.md §5 */
import { randomBytes } from 'node:crypto';
import { readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { eventually } from '../kit/testing/outcome.ts';
import { testMedia, tokens } from './testing/media.ts';

const media = await testMedia();
t.teardown(() => media[Symbol.asyncDispose]());
const code = async (reply: { json(): Promise<Record<string, unknown>> }) =>
  (await reply.json())['code'];
const piece = 65_536;
const part = 4_194_304;

t.test('what was put comes back, whole and by ranges', async (t) => {
  for (const size of [1, 44, piece - 1, piece, piece + 1, part, part + 1, 3 * part + 777]) {
    const bytes = randomBytes(size);
    const blob = await media.upload(bytes);
    const whole = await media.get(blob);
    t.equal(whole.status, 200);
    t.equal(whole.headers['content-length'], String(size));
    t.ok((await whole.bytes()).equals(bytes), `${size} bytes`);
    for (const [from, to] of [
      [0, 0],
      [0, size - 1],
      [size >> 1, size - 1],
      [size - 1, size + 5],
      [Math.min(size - 1, piece - 3), Math.min(size - 1, piece + 3)],
    ] as const) {
      const reply = await media.get(blob, `bytes=${from}-${to}`);
      t.equal(reply.status, 206);
      t.ok((await reply.bytes()).equals(bytes.subarray(from, to + 1)), `${from}-${to} of ${size}`);
    }
    const rest = await media.get(blob, `bytes=${size - 1}-`);
    t.ok((await rest.bytes()).equals(bytes.subarray(size - 1)));
    const behind = await media.get(blob, `bytes=${size}-`);
    t.equal(behind.status, 416);
    await behind.bytes();
  }
});

t.test(
  'the same request, paid with the same tokens, is the same blob, and pays once',
  async (t) => {
    const size = 2 * part;
    const [key, paid] = [randomBytes(16), tokens(size)];
    const first = await media.begun(size, { key, tokens: paid });
    await (await media.put(first, 0, randomBytes(part))).bytes();
    const spent = media.ledger.spent.size;
    const second = await media.begun(size, { key, tokens: paid });
    t.same(second.id, first.id);
    t.equal(second.offset, part);
    t.equal(media.ledger.spent.size, spent);
    const both = await Promise.all(
      Array.from({ length: 4 }, () => media.begun(size, { key, tokens: paid })),
    );
    t.ok(both.every(({ id }) => base64url(id) === base64url(first.id)));
  },
);

t.test(
  'pitfall: tokens pay for one blob, in whatever order and company they are shown again',
  async (t) => {
    const size = 2 * limits.blobBytesPerToken;
    const key = randomBytes(16);
    const paid = tokens(size);
    await media.begun(size, { key, tokens: paid });
    const [one, two] = [paid.subarray(0, 101), paid.subarray(101)];
    const other = tokens(1);
    for (const again of [
      Buffer.concat([two, one]),
      Buffer.concat([two, other]),
      Buffer.concat([other, one]),
    ]) {
      t.equal(await code(await media.begin(size, { key, tokens: again })), 'token_spent');
    }
    t.equal(await code(await media.begin(size, { tokens: paid })), 'token_spent');
    t.equal(await code(await media.begin(size - 1, { key, tokens: paid })), 'token_spent');
  },
);

t.test('a blob costs one token for each 8 MiB that it begins, no more and no less', async (t) => {
  const answer = await (
    await media.begin(limits.blobBytesPerToken + 1, { tokens: tokens(1) })
  ).json();
  t.match(answer, { code: 'token_needed', details: { needed: 2 } });
  t.equal(
    await code(await media.begin(1, { tokens: tokens(limits.blobBytesPerToken + 1) })),
    'token_needed',
  );
});

t.test(
  'nothing larger than the limit is begun, and nothing larger than declared taken in',
  async (t) => {
    const spent = media.ledger.spent.size;
    const large = await media.begin(limits.blobBytes + 1, { tokens: tokens(limits.blobBytes) });
    t.equal(await code(large), 'too_large');
    t.equal(media.ledger.spent.size, spent);
    const whole = await media.begun(limits.blobBytes);
    t.equal(whole.offset, 0);
    t.equal((await media.remove(whole)).status, 200);

    const blob = await media.begun(piece + 10);
    t.equal(await code(await media.put(blob, 0, randomBytes(piece + 11))), 'too_large');
    t.equal(await code(await media.put(blob, 0, randomBytes(2 * part))), 'too_large');
    await (await media.put(blob, 0, randomBytes(piece + 10))).bytes();
    t.equal(await code(await media.put(blob, piece + 10, randomBytes(1))), 'too_large');
  },
);

t.test('pitfall: resume at a wrong offset: refused, with the right one', async (t) => {
  const blob = await media.begun(3 * part);
  await (await media.put(blob, 0, randomBytes(part))).bytes();
  for (const offset of [0, piece, part - 1, part + piece, 2 * part, 3 * part]) {
    const reply = await media.put(blob, offset, randomBytes(piece));
    t.equal(reply.status, 409);
    t.match(await reply.json(), { code: 'upload_offset', details: { offset: part } });
  }
  for (const length of [1, piece - 1, piece + 1]) {
    t.equal(await code(await media.put(blob, part, randomBytes(length))), 'malformed', `${length}`);
  }
  t.equal(await media.stored(blob), part);
});

t.test('pitfall: two uploaders at one blob: each byte is stored once, in its place', async (t) => {
  const bytes = randomBytes(8 * part);
  const blob = await media.begun(bytes.length);
  const race = async () => {
    for (let at = 0; at < bytes.length; ) {
      const reply = await media.put(blob, at, bytes.subarray(at, at + part));
      const answer = await reply.json();
      const details = answer['details'] as { offset: number } | undefined;
      at = Number(answer['offset'] ?? details?.offset);
      t.ok(at > 0, JSON.stringify(answer));
    }
  };
  await Promise.all([race(), race(), race()]);
  t.ok((await (await media.get(blob)).bytes()).equals(bytes));
});

t.test('an upload that breaks off keeps its whole pieces', async (t) => {
  const bytes = randomBytes(part);
  const blob = await media.begun(part);
  const stop = new AbortController();
  const body = async function* () {
    yield bytes.subarray(0, 9 * piece + 500);
    await new Promise((_, reject) => stop.signal.addEventListener('abort', reject));
  };
  const asked = media.door.ask({
    method: 'PUT',
    path: `${blob.path}?offset=0`,
    headers: { 'blob-key': base64url(blob.key), 'content-length': String(part) },
    body: body(),
    signal: stop.signal,
  });
  const failed = t.rejects(asked);
  const file = join(media.data, 'blobs', Buffer.from(blob.id).toString('hex'));
  await eventually(async () => (await stat(file).catch(() => ({ size: 0 }))).size >= 4 * piece);
  stop.abort();
  await failed;
  await eventually(async () => (await media.stored(blob)) === 9 * piece);
  await (await media.put(blob, 9 * piece, bytes.subarray(9 * piece))).bytes();
  t.ok((await (await media.get(blob)).bytes()).equals(bytes));
});

t.test('pitfall: a blob that is not complete is nobody’s to read', async (t) => {
  const blob = await media.begun(2 * piece);
  await (await media.put(blob, 0, randomBytes(piece))).bytes();
  t.equal(await code(await media.get(blob)), 'blob_gone');
  const head = await media.door.ask({ method: 'HEAD', path: blob.path });
  t.equal(head.status, 410);
});

t.test('only who has the key continues an upload, asks how far it is, and deletes', async (t) => {
  const blob = await media.begun(2 * piece);
  const thief = { ...blob, key: randomBytes(16) };
  t.equal(await code(await media.put(thief, 0, randomBytes(piece))), 'forbidden');
  t.equal(await code(await media.remove(thief)), 'forbidden');
  const head = await media.door.ask({
    method: 'HEAD',
    path: blob.path,
    headers: { 'blob-key': base64url(thief.key) },
  });
  t.equal(head.status, 403);
  t.equal(
    await code(
      await media.door.ask({
        method: 'PUT',
        path: `${blob.path}?offset=0`,
        body: randomBytes(piece),
      }),
    ),
    'malformed',
  );
});

t.test('deleted is deleted: for readers, for the one who began it, and on the disk', async (t) => {
  const size = part;
  const [key, paid] = [randomBytes(16), tokens(size)];
  const blob = await media.begun(size, { key, tokens: paid });
  await (await media.put(blob, 0, randomBytes(size))).bytes();
  t.equal((await media.remove(blob)).status, 200);
  t.equal(await code(await media.get(blob)), 'blob_gone');
  t.equal(await code(await media.remove(blob)), 'blob_gone');
  t.equal(await code(await media.put(blob, 0, randomBytes(size))), 'blob_gone');
  t.equal(await code(await media.begin(size, { key, tokens: paid })), 'blob_gone');
  const names = await readdir(join(media.data, 'blobs'));
  t.notOk(names.includes(Buffer.from(blob.id).toString('hex')));
});

t.test('pitfall: delete race with a download: what began ends whole', async (t) => {
  const bytes = randomBytes(24 * part);
  const blob = await media.upload(bytes);
  const reply = await media.get(blob);
  t.equal((await media.remove(blob)).status, 200);
  t.ok((await reply.bytes()).equals(bytes));
  t.equal(await code(await media.get(blob)), 'blob_gone');
});

t.test('a reader that goes away costs no file handle', async () => {
  const blob = await media.upload(randomBytes(24 * part));
  const open = async () => {
    const links = await readdir('/proc/self/fd');
    const targets = await Promise.all(
      links.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
    );
    return targets.filter((target) => target.includes('/blobs/')).length;
  };
  for (let i = 0; i < 5; i++) (await media.get(blob)).body.destroy();
  await eventually(async () => (await open()) === 0);
});

t.test('M2: a request that says who it is is refused', async (t) => {
  const blob = await media.upload(randomBytes(10));
  for (const headers of [{ authorization: 'Bearer x' }, { cookie: 'a=b' }]) {
    for (const [method, path] of [
      ['GET', blob.path],
      ['HEAD', blob.path],
      ['PUT', `${blob.path}?offset=0`],
      ['POST', '/v1/blobs'],
      ['POST', `${blob.path}/delete`],
    ] as const) {
      const json = Buffer.from(
        JSON.stringify(
          path === '/v1/blobs'
            ? { size: 1, tokens: base64url(tokens(1)), deleteHash: base64url(randomBytes(32)) }
            : { key: base64url(blob.key) },
        ),
      );
      const body = method === 'POST' ? json : method === 'PUT' ? randomBytes(10) : undefined;
      const reply = await media.door.ask({ method, path, headers, ...(body && { body }) });
      t.equal(reply.status, 400, `${method} ${path}`);
      if (method !== 'HEAD') t.equal(await code(reply), 'malformed');
    }
  }
  t.equal((await media.get(blob)).status, 200);
});

t.test('a payment that is refused begins nothing', async (t) => {
  media.ledger.fail = new Fault('token_invalid');
  t.equal(await code(await media.begin(10)), 'token_invalid');
  delete media.ledger.fail;
});

t.test('one address does not take the turns of another', async (t) => {
  const path = `/v1/blobs/${base64url(randomBytes(16))}`;
  let limited = 0;
  for (let i = 0; i < limits.blobRequestsBurst * 4 && limited === 0; i += 50) {
    const replies = await Promise.all(
      Array.from({ length: 50 }, () =>
        media.door.ask({ method: 'GET', path, address: '198.51.100.7' }),
      ),
    );
    for (const reply of replies) {
      if (reply.status === 429) limited += 1;
      await reply.bytes();
    }
  }
  t.ok(limited > 0);
  t.equal(
    await code(await media.door.ask({ method: 'GET', path, address: '198.51.100.8' })),
    'blob_gone',
  );
});

t.test('M2: neither log nor database names an address or a time of day', async (t) => {
  const lines = media.log.lines.join('\n');
  t.notMatch(lines, /192\.0\.2\.1|198\.51\.100/);
  t.notOk(
    media.log.lines.some((line) => line.includes('"error"')),
    lines,
  );
});
