/** Files that go with a message: said, saved, taken back with their blobs, refused before anything is uploaded. */
import { randomBytes } from 'node:crypto';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeDescriptor } from '@island/protocol/crypto/attachment-descriptor.ts';
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import type { ShownMessage } from '../conversation/view.ts';
import { type Islander, openIslander } from '../islander.ts';
import { register } from '../joining/registration.ts';
import { memoryStorage } from '../storage/memory.ts';
import { realIsland } from '../testing/real-island.ts';
import { fit } from './enclosing.ts';

t.setTimeout(180_000);
const island = await realIsland();
t.teardown(() => island[Symbol.asyncDispose]());

async function member(name: string): Promise<Islander> {
  const joining = { storage: memoryStorage(), platform: island.platform(), now: Date.now };
  await register(joining, await island.link(), name, { password: 'a pass phrase' });
  const islander = await openIslander({ ...joining, on: () => undefined });
  t.teardown(() => islander[Symbol.asyncDispose]());
  islander.startSending();
  islander.startReceiving();
  return islander;
}
const alice = await member('alice');
const bob = await member('bob');

async function newest(who: Islander, other: string): Promise<ShownMessage | undefined> {
  const [shown] = await who.conversations.view(other, { last: 1 });
  return shown?.type === 'message' ? shown : undefined;
}
const attached = (message: ShownMessage | undefined) =>
  (message?.attachments ?? []).map(decodeDescriptor);

t.test('two files and a text, saved under their names or free ones like them', async (t) => {
  const folder = t.testdir();
  const plan = randomBytes(200_000);
  await writeFile(join(folder, 'plan.odt'), plan);
  await writeFile(join(folder, 'empty.txt'), '');
  const moved: string[] = [];
  const sizes = new Set<number>();
  await alice.enclose('bob', [join(folder, 'plan.odt'), join(folder, 'empty.txt')], {
    text: 'Here they are.',
    onProgress: ({ name, size, done, total }) => {
      sizes.add(size);
      if (done === total) moved.push(name);
    },
  });
  t.same([...sizes], [200_000, 0], 'as the person knows them, not as they are sealed');
  t.same([...new Set(moved)], ['plan.odt', 'empty.txt']);
  await eventually(async () => (await newest(bob, 'alice')) !== undefined);
  const message = await newest(bob, 'alice');
  t.equal(message?.text, 'Here they are.');
  const [first, second] = attached(message);
  t.match(first, { mime: 'application/vnd.oasis.opendocument.text', size: 200_000 });
  t.match(second, { mime: 'text/plain', size: 0 });
  if (!first) return;
  const to = join(folder, 'plan (2).odt');
  t.equal(await bob.save(first, folder), to);
  t.ok((await readFile(to)).equals(plan));
  t.equal(await bob.save(first, join(folder, 'mine')), join(folder, 'mine'));
  await t.rejects(bob.save(first, join(folder, 'mine')), { code: 'file_exists' });

  await t.test('what is taken back is gone from the island, too', async (t) => {
    const ours = await newest(alice, 'bob');
    await alice.conversations.takeBack('bob', ours?.at ?? '');
    await eventually(async () => (await newest(bob, 'alice'))?.deleted === true);
    t.same(attached(await newest(alice, 'bob')), []);
    await eventually(async () => {
      const gone = await bob
        .save(first, join(folder, `again ${randomBytes(4).toString('hex')}`))
        .then(
          () => false,
          (error) => error.code === 'blob_gone',
        );
      return gone;
    });
  });
});

t.test('what is enclosed first is said first, however long it takes', async (t) => {
  const folder = t.testdir();
  const large = join(folder, 'large');
  await writeFile(large, randomBytes(6_000_000));
  const small = join(folder, 'small');
  await writeFile(small, 'x');
  const said: string[] = [];
  const enclose = (file: string, text: string, signal?: AbortSignal) =>
    alice.enclose('bob', [file], { text, ...(signal && { signal }) }).then(() => said.push(text));
  const first = enclose(large, 'first');
  const leaving = new AbortController();
  const given = enclose(small, 'never', leaving.signal);
  const refused = enclose(join(folder, 'absent'), 'refused');
  const second = enclose(small, 'second');
  await t.rejects(refused, { code: 'file_unreadable' });
  t.same(said, [], 'what is refused waits for nobody');
  leaving.abort(new Error('left'));
  await t.rejects(given, { message: 'left' });
  await Promise.all([first, second]);
  t.same(said, ['first', 'second']);
  await eventually(async () => (await newest(bob, 'alice'))?.text === 'second');
  const shown = await bob.conversations.view('alice', { last: 2 });
  t.same(
    shown.map((each) => each.type === 'message' && each.text),
    said,
  );
});

t.test('what can be refused is refused before anything is uploaded', async (t) => {
  const folder = t.testdir({ small: 'x' });
  const small = join(folder, 'small');
  const large = join(folder, 'large');
  await writeFile(large, '');
  await truncate(large, 2 ** 30);
  const refused = (files: string[], code: string, who = 'bob', text = '') =>
    t.rejects(alice.enclose(who, files, { text }), { code });
  await refused(Array(5).fill(small), 'attachments_many');
  await refused([small, large], 'attachment_too_large');
  await refused([small, join(folder, 'absent')], 'file_unreadable');
  await refused([folder], 'file_unreadable');
  await refused([small], 'unknown_person', 'nobody');
  await refused([small], 'message_long', 'bob', 'x'.repeat(7_990));
  await refused([], 'message_empty');
});

t.test(
  'previews go as far as there is room for them, the largest first to stay behind',
  async (t) => {
    const given = (size: number) => ({
      name: 'a.jpg',
      mime: 'image/jpeg',
      preview: { width: 1, height: 1, thumbnail: new Uint8Array(size).fill(1) },
    });
    const fitted = (text: string, ...sizes: number[]) => {
      const all = sizes.map(given);
      fit(text, all);
      return all.map(({ preview }) => preview?.thumbnail.length ?? 0);
    };
    t.same(fitted('', 3_000, 3_072), [3_000, 3_072]);
    t.same(fitted('', 3_000, 3_072, 2_000), [3_000, 0, 2_000]);
    t.same(fitted('x'.repeat(7_500), 3_000, 100), [0, 100]);
    t.throws(() => fitted('x'.repeat(7_900), 100, 100), { code: 'message_long' });
  },
);
