/** A person's own data, readable by anybody with the folder, and nothing in it that opens anything. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '@island/protocol/wire/fault.ts';
import { base64url, hex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { readAccount } from '../account/account.ts';
import { needKeys } from '../account/account-keys.ts';
import { oddIsland } from '../testing/odd-island.ts';
import { person, type TestPerson } from '../testing/person.ts';
import { type Exported, exportData } from './export.ts';

const now = Date.now;

const exported = ({ islander, storage }: TestPerson, folder: string): Promise<Exported> =>
  exportData({ ...islander, storage, now }, folder);

t.test(
  'everything that was said, and what the account is, for people and for programs',
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'islander-export-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    await using bob = await person(island, 'bob');
    island.twist.answer = (path, answer) =>
      path === '/v1/sessions'
        ? { sessions: [{ session: '0'.repeat(32), device: 1, begun: 1, used: 2, current: true }] }
        : answer;
    await bob.sends('alice', 'hello', 'two\nlines \u001b[2J');
    await alice.hears(2);
    await alice.sends('bob', 'hi');
    const target = join(folder, 'mine');
    t.match(await exported(alice, target), { conversations: 1, messages: 3, missing: undefined });
    t.same(readdirSync(target).sort(), [
      'README.txt',
      'account.json',
      'messages.json',
      'with bob.txt',
    ]);
    t.equal(statSync(target).mode & 0o777, 0o700);
    const texts = readdirSync(target).map((name) => {
      t.equal(statSync(join(target, name)).mode & 0o777, 0o600, name);
      return readFileSync(join(target, name), 'utf8');
    });
    const [, account = '', messages = '', conversation = ''] = texts;
    t.match(
      conversation,
      /^\d{4}-\d\d-\d\d \d\d:\d\d bob: hello\n.* bob: two\n {6}lines \ufffd\[2J\n.* you: hi\n$/,
    );
    t.match(JSON.parse(messages), [
      { type: 'received', from: 'bob', text: 'hello' },
      { type: 'received', text: 'two\nlines \u001b[2J' },
      { type: 'sent', to: 'bob', text: 'hi', state: 'accepted' },
    ]);
    t.match(JSON.parse(account), {
      name: 'alice',
      backupCodesLeft: 8,
      devices: [{ device: 1, thisOne: true }],
      sessions: [{ device: 1, thisOne: true }],
      contacts: [{ name: 'bob', listEpoch: 1 }],
    });
    await nothingSecret(t, alice, texts.join('\n'));
  },
);

async function nothingSecret(
  t: Pick<typeof import('tap').default, 'notOk'>,
  { storage, islander }: TestPerson,
  text: string,
) {
  const record = await readAccount(storage);
  const { ark, former } = await needKeys(storage);
  const secrets = [record?.aik, record?.dsk, record?.dik, ark, ...former];
  for (const secret of secrets) {
    if (!secret) continue;
    for (const spelt of [hex(secret), base64url(secret), Buffer.from(secret).toString('base64')])
      t.notOk(text.includes(spelt));
  }
  t.notOk(text.includes(await islander.session.token()));
  t.notOk(text.includes('0'.repeat(32)), 'nor what ends a session');
}

t.test('without an island there is what is here, and the reason for the rest', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'islander-export-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  island.twist.before = () => {
    throw new Fault('unavailable');
  };
  const target = join(folder, 'mine');
  t.match(await exported(alice, target), { missing: { code: 'unavailable' } });
  t.match(readFileSync(join(target, 'README.txt'), 'utf8'), /codes are missing/);
});

t.test('nothing that is there is written over', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'islander-export-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  writeFileSync(join(folder, 'README.txt'), 'mine');
  await t.rejects(exported(alice, folder), { code: 'export_folder' });
  await t.rejects(exported(alice, join(folder, 'README.txt')), { code: 'export_folder' });
  t.equal(readFileSync(join(folder, 'README.txt'), 'utf8'), 'mine');
});
