/** What is erased is not in the files of a home either. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { encodeDescriptor } from '@island/protocol/crypto/attachment-descriptor.ts';
import { accountId } from '@island/protocol/wire/ids.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { actRow, actsAfter } from '../messages/acts.ts';
import { arrival, departure } from '../messages/messages.ts';
import { settleAll, World } from '../repair/testing/world.ts';
import { enqueue, outboxBeside } from '../sending/outbox.ts';
import { fileStorage } from '../storage/file.ts';
import { memoryStorage } from '../storage/memory.ts';
import { catchUp } from './catch-up.ts';
import { keepDraft } from './drafts.ts';
import { expireDue } from './expiry.ts';
import { markRead } from './reading.ts';

const bob = accountId('b0'.repeat(16));
const id = (n: number): string => n.toString(16).padStart(32, '0');
const at = 1_700_000_000_000;

t.test(
  'taken back, disappeared, changed, or a draft given up: no file has it any more',
  async (t) => {
    const home = t.testdir();
    const storage = fileStorage(home);
    const said = (n: number, text: string, timer?: number) =>
      arrival(
        {
          ...{ type: 'message', id: id(n), from: 'bob', peer: bob, text },
          ...{ sentAt: at, receivedAt: at, ...(timer !== undefined && { timer }) },
        },
        { direction: 'in', peer: bob, id: id(n) },
      );
    const act = (n: number, body: Parameters<typeof actRow>[0]['body']) =>
      actRow(
        { id: id(n), direction: 'in', peer: bob, name: 'bob', sentAt: at, receivedAt: at, body },
        { archive: true },
      );
    const one = fromHex(id(1));
    await storage.commit({
      append: [said(1, 'regretted'), said(2, 'ephemeral', 1), said(3, 'kept')],
    });
    await storage.commit({
      append: [act(4, { kind: 'edit', id: one, revision: 1, text: 'regrettable' })],
    });
    await keepDraft(storage, 'bob', 'unthinkable');
    await catchUp(storage, () => at);
    await markRead(storage, () => at, 'bob');
    await storage.commit({ append: [act(5, { kind: 'delete', id: one })] });
    await catchUp(storage, () => at);
    await expireDue(storage, at + 1_000);
    await keepDraft(storage, 'bob', '');
    await storage[Symbol.asyncDispose]();
    const files = readdirSync(home).map((name) => join(home, name));
    const all = files.filter((file) => statSync(file).isFile()).map((file) => readFileSync(file));
    const bytes = Buffer.concat(all).toString('latin1');
    t.match(bytes, 'kept');
    for (const gone of ['regret', 'ephemeral', 'unthinkable']) t.notOk(bytes.includes(gone), gone);
  },
);

t.test(
  'taken back or over before our other devices heard of it: no text waits for them, and none leaves',
  async (t) => {
    const world = new World();
    const [one, two] = await world.person('alice', 2);
    const [other] = await world.person('bob');
    if (!one || !two || !other) throw new Error('nobody');
    const sent = { type: 'sent', to: 'bob', sentAt: world.now, state: 'queued' } as const;
    await enqueue(one.storage, [
      { ...sent, id: id(1), text: 'regretted' },
      { ...sent, id: id(2), text: 'ephemeral', timer: 5 },
      { ...sent, id: id(3), text: 'kept' },
    ]);
    await one.flush();
    t.equal((await one.storage.list('outbox')).length, 3, 'the other device is not told yet');
    const gone = {
      id: id(4),
      direction: 'out',
      peer: other.account.account,
      name: 'bob',
      sentAt: world.now,
      receivedAt: world.now,
      body: { kind: 'delete', id: fromHex(id(1)) },
    } as const;
    await one.storage.commit({ append: [actRow(gone, { outbox: outboxBeside('bob') })] });
    await catchUp(one.storage, () => world.now);
    world.now += 60_000;
    await expireDue(one.storage, world.now);
    for (const { bytes } of await one.storage.list('outbox')) {
      const row = Buffer.from(bytes).toString();
      const inside = Buffer.from(JSON.parse(row).plaintext ?? '', 'base64url').toString('latin1');
      for (const text of ['regretted', 'ephemeral']) t.notOk(`${row}${inside}`.includes(text));
    }
    await settleAll(world, [one, two, other]);
    t.same(
      (await two.messages()).map((each) => each.type === 'sent' && each.text),
      ['kept'],
      'but what stands is known there',
    );
    t.match(await actsAfter(two.storage), [{ id: id(4), body: { kind: 'delete' } }]);
    t.same(await one.storage.list('outbox'), []);
  },
);

t.test(
  'what a message came with is owed a deletion when its time is over for who has read it',
  async (t) => {
    await using storage = memoryStorage();
    const descriptor = (n: number) =>
      encodeDescriptor({
        ...{
          blob: fromHex(id(n)),
          fileKey: new Uint8Array(32),
          size: 1,
          digest: new Uint8Array(32),
        },
        ...{
          commit: new Uint8Array(32),
          deleteKey: fromHex(id(n)),
          expiresDay: 1,
          name: 'a',
          mime: 'a/b',
          preview: undefined,
        },
      });
    const common = { text: '', timer: 1, sentAt: at };
    const theirs = {
      ...common,
      type: 'message',
      id: id(1),
      from: 'bob',
      peer: bob,
      receivedAt: at,
    } as const;
    const ours = { ...common, type: 'sent', to: 'bob', peer: bob } as const;
    const unused = { namespace: 'unused', bytes: new Uint8Array(0) };
    await storage.commit({
      append: [
        arrival({ ...theirs, attachments: [descriptor(1)] }),
        departure({ ...ours, id: id(2), state: 'accepted', attachments: [descriptor(2)] }, unused),
        departure({ ...ours, id: id(3), state: 'failed', attachments: [descriptor(3)] }, unused),
      ],
    });
    await catchUp(storage, () => at);
    await expireDue(storage, at + 2_000);
    const owed = async () => (await storage.list('blob-deletions')).map(({ key }) => key);
    t.same(await owed(), [id(3)], 'ours may not have been read yet; what never went nobody has');
    await markRead(storage, () => at + 2_000, 'bob');
    await expireDue(storage, at + 4_000);
    t.same(await owed(), [id(1), id(3)]);
  },
);
