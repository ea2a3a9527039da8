/** What is erased is not in the files of a home either. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { accountId } from '@island/protocol/wire/ids.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { actRow } from '../messages/acts.ts';
import { arrival } from '../messages/messages.ts';
import { fileStorage } from '../storage/file.ts';
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
