/**
 * The end of an account, with the commands that people type: what is left of it on the island, what those who knew it
 * see, and what its own devices see. docs/protocol/accounts.md §10, transparency.md §6.6
 */

import { searchFiles, spellings } from '@island/appliance/verify/traces.ts';
import { readAccount } from '@island/client/account/account.ts';
import { fileStorage } from '@island/client/storage/file.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { bootIsland, until } from './island.ts';
import { passwordOf, people, runIslander, talk, untilLine } from './islander.ts';

t.setTimeout(120_000);

const island = await bootIsland();
t.teardown(() => island[Symbol.asyncDispose]());
const who = await people(island, 'alicewonder', 'bobsleigh', 'carolinger');
t.teardown(() => who[Symbol.asyncDispose]());
const [alice, bob, carol] = ['alicewonder', 'bobsleigh', 'carolinger'].map(who.homeOf) as [
  string,
  string,
  string,
];

async function accountOf(home: string): Promise<string> {
  await using storage = fileStorage(home);
  return (await readAccount(storage))?.account ?? '';
}

/** What the data folder of the island says of somebody, in any spelling. */
const traces = async (name: string, account: string) =>
  (
    await searchFiles(
      [island.data],
      [...spellings('the name', name), ...spellings('the account', fromHex(account))],
    )
  ).hits;

t.test(
  'D1: who ends their account says so by name and password, and nothing of them stays',
  async (t) => {
    t.equal((await runIslander(alice, ['send', 'bobsleigh', 'Hello'])).code, 0);
    t.equal((await runIslander(bob, ['listen', '--count', '1'])).code, 0);
    t.equal((await runIslander(bob, ['send', 'alicewonder', 'Hello yourself'])).code, 0);
    const account = await accountOf(alice);
    t.not((await traces('alicewonder', account)).length, 0, 'they are looked for rightly');

    const wrongName = await runIslander(alice, ['account', 'end'], 'bobsleigh\n');
    t.equal(wrongName.code, 1);
    t.match(wrongName.stderr, /That is not the name of this account/);
    const wrong = await runIslander(alice, ['account', 'end'], 'alicewonder\nnot the password\n');
    t.equal(wrong.code, 1);
    t.match(wrong.stderr, /The name or the password is not right/);
    t.equal((await runIslander(alice, ['whoami'])).code, 0, 'nothing was ended');

    const ended = await runIslander(
      alice,
      ['account', 'end', '--keep-history'],
      `alicewonder\n${passwordOf('alicewonder')}\n`,
    );
    t.equal(ended.code, 0, ended.stderr);
    t.match(ended.stderr, /This ends the account of alicewonder, for good\./);
    t.match(
      ended.stdout,
      /has ended\. The log of keys shows that to everybody\. Keys and messages stay/,
    );
    await until(async () => (await traces('alicewonder', account)).length === 0, 30_000);
    t.same(await traces('alicewonder', account), []);

    const again = await runIslander(alice, ['listen']);
    t.equal(again.code, 1);
    const back = await runIslander(alice, ['login'], `${passwordOf('alicewonder')}\n`);
    t.equal(back.code, 1);
    t.match(back.stderr, /The account of alicewonder was ended/);
    const link = (await island.run('invite')).stdout.trim();
    const other = await runIslander(
      who.homeOf('other'),
      ['register', link, 'alicewonder'],
      'a long password here\na long password here\n',
    );
    t.equal(other.code, 1);
    t.match(other.stderr, /Somebody here already has that name/);
  },
);

t.test('K2: who knew them is told so, sends nothing more, and keeps what there is', async (t) => {
  const sending = await runIslander(bob, ['send', 'alicewonder', 'Are you there?']);
  t.equal(sending.code, 1);
  t.match(`${sending.stdout}${sending.stderr}`, /alicewonder has ended their account/);
  const next = await runIslander(bob, ['send', '--json', 'alicewonder', 'Hello?']);
  t.equal(next.code, 1);
  t.match(next.stdout, /"code":"person_ended"/);
  const state = await runIslander(bob, ['directory']);
  t.notMatch(`${state.stdout}${state.stderr}`, /contradicts/);
  const chats = await runIslander(bob, ['chats']);
  t.match(chats.stdout, /alicewonder/);
  t.equal((await runIslander(carol, ['send', 'bobsleigh', 'all is well'])).code, 0);
  const met = await runIslander(carol, ['send', '--json', 'alicewonder', 'who are you?']);
  t.match(met.stdout, /"code":"person_ended"/, 'who never knew them learns it, too');
});

t.test('K2: an account that its owner did not end is told loudly', async (t) => {
  const account = await accountOf(carol);
  const online = talk(carol, 'listen');
  await untilLine(online, ({ state }) => state === 'online');
  const asked = await island.run('account', 'end', 'carolinger');
  t.equal(asked.code, 1);
  t.match(asked.stderr, /for good/);
  const ended = await island.run('account', 'end', 'carolinger', '--yes');
  t.match(ended, { code: 0, stdout: /The account of carolinger has ended/ });
  t.equal(await online.ended, 1);
  t.match(online.lines.at(-1), { type: 'error', code: 'account_ended' });
  await until(async () => (await traces('carolinger', account)).length === 0, 30_000);
  t.same(await traces('carolinger', account), []);
  const twice = await island.run('account', 'end', 'carolinger', '--yes');
  t.match(twice, { code: 1, stderr: /Nobody on this island has the name carolinger/ });
});
