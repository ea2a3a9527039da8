/** M5: what lies in the folder of media is sealed, and opens nowhere but where it was sealed. docs/protocol/at-rest.md §3 */
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '@island/protocol/wire/limits.ts';
import { hex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { recordBytes } from '../kit/at-rest-record.ts';
import { type TestBlob, testMedia } from './testing/media.ts';

const piece = 65_536;
const media = await testMedia();
t.teardown(() => media[Symbol.asyncDispose]());
const fileOf = ({ id }: TestBlob) => join(media.data, 'blobs', hex(id));
const refused = async (blob: TestBlob) => {
  const reply = await media.get(blob);
  await reply.bytes();
};

t.test('M5: no byte of what came, no key and no token is in the folder', async (t) => {
  const bytes = randomBytes(3 * piece);
  const blob = await media.upload(bytes);
  const names = await readdir(media.data, { recursive: true, withFileTypes: true });
  const all = Buffer.concat(
    await Promise.all(
      names
        .filter((each) => each.isFile())
        .map((each) => readFile(join(each.parentPath, each.name))),
    ),
  );
  for (let at = 0; at < bytes.length; at += 4096)
    t.notOk(all.includes(bytes.subarray(at, at + 16)), `${at}`);
  t.notOk(all.includes(Buffer.from(blob.key)));
  for (const token of media.ledger.spent.keys())
    t.notOk(all.includes(Buffer.from(token, 'base64url').subarray(5, 37)));
});

t.test('M5: pieces that change places, blobs or a bit are refused', async (t) => {
  const size = 3 * piece;
  const [one, other] = [
    await media.upload(randomBytes(size)),
    await media.upload(randomBytes(size)),
  ];
  const before = await readFile(fileOf(one));
  const step = piece + recordBytes;
  const swapped = Buffer.from(before);
  before.copy(swapped, 0, step, 2 * step);
  before.copy(swapped, step, 0, step);
  const flipped = Buffer.from(before);
  flipped[before.length - 1] = (flipped[before.length - 1] ?? 0) ^ 1;
  for (const bytes of [swapped, flipped, await readFile(fileOf(other))]) {
    await writeFile(fileOf(one), bytes);
    await t.rejects(refused(one));
  }
  await writeFile(fileOf(one), before);
  await t.resolves(refused(one));
});

t.test(
  'M5: the key of a day goes when its attachments are over, and what a copy still has with it',
  async (t) => {
    const blob = await media.upload(randomBytes(piece));
    const copy = `${fileOf(blob)}.copy`;
    await writeFile(copy, await readFile(fileOf(blob)));
    await rename(copy, join(media.data, 'copy'));
    media.clock.ahead = (limits.blobDays + 1) * 86_400_000;
    await media.restart();
    t.same(await readdir(join(media.data, 'blobs')), []);
    const { default: sqlite3 } = await import('sqlite3');
    const rows = await new Promise<{ name: string }[]>((resolve, reject) => {
      const database = new sqlite3.Database(join(media.data, 'media.sqlite'));
      database.all<{ name: string }>(
        "SELECT name FROM vault_keys WHERE name = 'blobs'",
        (error, all) => (error === null ? resolve(all) : reject(error)),
      );
      database.close();
    });
    t.same(rows, []);
  },
);
