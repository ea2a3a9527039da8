/** What media keeps when it is killed, when its disk is full and when its files are not as it left them. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url, hex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { eventually } from '../kit/testing/outcome.ts';
import { type Elsewhere, testMedia } from './testing/media.ts';

const piece = 65_536;
const part = 4_194_304;
const code = async (reply: { json(): Promise<Record<string, unknown>> }) =>
  (await reply.json())['code'];

/** Media in another process, which can be killed. */
function otherProcess() {
  let child: ChildProcess | undefined;
  const elsewhere = async ({ socket, port, data, master }: Elsewhere): Promise<AsyncDisposable> => {
    const program = join(import.meta.dirname, 'testing/doomed.ts');
    const born = spawn(process.execPath, [program, socket, String(port), data, hex(master)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child = born;
    const ended = once(born, 'exit');
    await once(born.stdout, 'data');
    return {
      async [Symbol.asyncDispose]() {
        born.kill('SIGKILL');
        await ended;
      },
    };
  };
  return { elsewhere, kill: () => child?.kill('SIGKILL') };
}

t.test('kill -9 between any two pieces: the upload goes on where the disk says', async (t) => {
  const { elsewhere, kill } = otherProcess();
  await using media = await testMedia({ elsewhere });
  const bytes = randomBytes(6 * part + 12_345);
  const blob = await media.begun(bytes.length);
  let killed = 0;
  for (let at = 0; at < bytes.length; ) {
    const body = bytes.subarray(at, at + part);
    const sent = media.put(blob, at, body).catch(() => undefined);
    // Somewhere within the part: before, between and behind its pieces.
    const until = performance.now() + randomInt(8);
    if (killed < 8) {
      while (performance.now() < until) await new Promise((resolve) => setImmediate(resolve));
      kill();
      killed += 1;
      const reply = await sent;
      const answered = reply?.status === 200 ? at + body.length : at;
      await reply?.bytes().catch(() => undefined);
      await media.restart();
      at = await media.stored(blob);
      t.ok(at >= answered, 'what was answered is there');
      t.ok(at === bytes.length || at % piece === 0);
    } else {
      t.equal((await (await sent)?.json())?.['offset'], at + body.length);
      at += body.length;
    }
  }
  t.ok((await (await media.get(blob)).bytes()).equals(bytes));
});

t.test('kill -9 in the middle of a long part: what was kept while it came is there', async (t) => {
  const { elsewhere, kill } = otherProcess();
  await using media = await testMedia({ elsewhere });
  const bytes = randomBytes(limits.blobChunkBytes);
  const blob = await media.begun(bytes.length);
  const body = async function* () {
    for (let at = 0; at < 5 * part; at += piece) yield bytes.subarray(at, at + piece);
    await new Promise(() => undefined);
  };
  const lost = media.door.ask({
    method: 'PUT',
    path: `${blob.path}?offset=0`,
    headers: { 'blob-key': base64url(blob.key), 'content-length': String(bytes.length) },
    body: body(),
  });
  const failed = t.rejects(lost);
  await eventually(async () => (await media.stored(blob)) >= 2 * part);
  const seen = await media.stored(blob);
  kill();
  await failed;
  await media.restart();
  const kept = await media.stored(blob);
  t.ok(kept >= seen && kept % piece === 0, `${kept} of ${seen}`);
  await (await media.put(blob, kept, bytes.subarray(kept))).bytes();
  t.ok((await (await media.get(blob)).bytes()).equals(bytes));
});

const trial = mkdtempSync(join(tmpdir(), 'pi-disk-'));
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=40m,mode=0700', 'tmpfs', trial]);
t.teardown(() => {
  spawnSync('umount', [trial]);
  rmSync(trial, { recursive: true, force: true });
});
const skip = mounted.status === 0 ? false : 'no tmpfs can be mounted here';

t.test(
  'a full disk: refused before it is paid, and in the middle; what was stored stays',
  { skip },
  async (t) => {
    await using media = await testMedia({ data: trial, spare: 0 });
    const full = await media.begin(64 * part);
    t.equal(full.status, 507);
    t.equal(await code(full), 'storage_full');
    t.equal(media.ledger.spent.size, 0);

    const bytes = randomBytes(4 * part);
    const blob = await media.begun(bytes.length);
    t.equal(
      await code(await media.begin(8 * part)),
      'storage_full',
      'what others were promised is not there',
    );
    await (await media.put(blob, 0, bytes.subarray(0, part))).bytes();
    // Somebody else on the same disk.
    spawnSync('dd', ['if=/dev/zero', `of=${join(trial, 'filler')}`, 'bs=64k'], { stdio: 'ignore' });
    const refused = await media.put(blob, part, bytes.subarray(part, 2 * part));
    t.equal(await code(refused), 'storage_full');
    t.equal((await media.door.ask({ method: 'HEAD', path: blob.path })).status, 410);
    rmSync(join(trial, 'filler'));
    for (let at = await media.stored(blob); at < bytes.length; at = await media.stored(blob)) {
      await (await media.put(blob, at, bytes.subarray(at, at + part))).bytes();
    }
    t.ok((await (await media.get(blob)).bytes()).equals(bytes));
  },
);

t.test(
  'what ages goes: uploads after a day, attachments after their time, names of the deleted later',
  async (t) => {
    await using media = await testMedia();
    const whole = await media.upload(randomBytes(part));
    const half = await media.begun(2 * part);
    await (await media.put(half, 0, randomBytes(part))).bytes();
    const names = async () => (await readdir(join(media.data, 'blobs'))).sort();
    const later = async (days: number) => {
      media.clock.ahead = days * 86_400_000;
      await media.restart();
    };
    await later(limits.uploadDays);
    t.same(await names(), [hex(whole.id), hex(half.id)].sort());
    await later(limits.uploadDays + 1);
    t.same(await names(), [hex(whole.id)]);
    t.equal(await code(await media.put(half, part, randomBytes(part))), 'blob_gone');
    await later(limits.blobDays);
    t.equal((await (await media.get(whole)).bytes()).length, part, 'kept on its last day');
    await later(limits.blobDays + 1);
    t.same(await names(), []);
    t.equal(await code(await media.get(whole)), 'blob_gone');
  },
);

t.test(
  'leftovers of a crash: files without a blob go, and so do blobs whose file is not whole',
  async (t) => {
    await using media = await testMedia();
    const kept = await media.upload(randomBytes(part));
    const lost = await media.upload(randomBytes(part));
    const cut = await media.upload(randomBytes(part));
    const folder = join(media.data, 'blobs');
    await writeFile(join(folder, hex(randomBytes(16))), 'left over');
    rmSync(join(folder, hex(lost.id)));
    await truncate(join(folder, hex(cut.id)), part - 1);
    await media.restart();
    t.same(await readdir(folder), [hex(kept.id)]);
    t.equal((await (await media.get(kept)).bytes()).length, part);
    for (const blob of [lost, cut]) t.equal(await code(await media.get(blob)), 'blob_gone');
    t.ok(media.log.lines.some((line) => line.includes('blobs_lost')));
  },
);

t.test('a file that grows shorter under a reader ends the answer in the middle', async (t) => {
  await using media = await testMedia();
  const blob = await media.upload(randomBytes(24 * part));
  await truncate(join(media.data, 'blobs', hex(blob.id)), 20 * part);
  const reply = await media.get(blob);
  await t.rejects(reply.bytes());
});

t.test('the folder of attachments is its owner’s alone', async (t) => {
  await using media = await testMedia();
  const blob = await media.upload(randomBytes(10));
  const modes = execFileSync('stat', [
    '-c',
    '%a',
    join(media.data, 'blobs'),
    join(media.data, 'blobs', hex(blob.id)),
    join(media.data, 'media.sqlite'),
  ]);
  t.equal(modes.toString(), '700\n600\n600\n');
});
