/**
 * A lost device: the password and any one of the eight codes bring everything back into a fresh home, with
 * the commands that somebody types who has nothing else. docs/protocol/keys.md §7
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freshHome, openDevice } from '@island/appliance/verify/device.ts';
import { needKeys } from '@island/client/account/account-keys.ts';
import { testCode } from '@island/client/account/own-codes.ts';
import { openIslander } from '@island/client/islander.ts';
import { recover } from '@island/client/joining/recovery.ts';
import { history } from '@island/client/messages/history.ts';
import { nodePlatform } from '@island/client/platform-node.ts';
import { fileStorage } from '@island/client/storage/file.ts';
import t from 'tap';
import { say } from './attacker/victims.ts';
import { openDoor } from './door.ts';
import { bootIsland } from './island.ts';
import { numbered, people, runIslander } from './islander.ts';
import { members, rotateKeys } from './members.ts';

t.setTimeout(240_000);

/** Every message as `islander export` writes it, by its id: what was said, by whom, when, and what became of it. */
async function exported(home: string, to: string): Promise<Map<string, object>> {
  const ran = await runIslander(home, ['export', to]);
  if (ran.code !== 0) throw new Error(ran.stderr);
  const messages: { id: string }[] = JSON.parse(await readFile(join(to, 'messages.json'), 'utf8'));
  return new Map(messages.map((message) => [message.id, message]));
}

/** What becomes of each code, tried from a home without using it up. */
async function statesOf(home: string, codes: readonly string[]): Promise<string[]> {
  await using storage = fileStorage(home);
  await using islander = await openIslander({
    storage,
    platform: nodePlatform,
    on: () => undefined,
  });
  const keeping = { storage, session: islander.session, now: Date.now };
  const states: string[] = [];
  for (const code of codes) states.push((await testCode(keeping, nodePlatform, code)).state);
  return states;
}

t.test('A3: with each of the eight codes in turn everything is back', async (t) => {
  await using island = await bootIsland();
  await using who = await people(island, 'alice', 'bob');
  const [first, bob] = [who.homeOf('alice'), who.homeOf('bob')];
  const { codes, link } = await who.sheetOf('alice');
  t.equal(codes.length, 8);
  const done = async (home: string, args: string[], input = '') => {
    const ran = await runIslander(home, args, input);
    if (ran.code !== 0) throw new Error(`${args.join(' ')}: ${ran.stderr}`);
    return ran.stdout;
  };
  const lines = 20;
  await done(first, ['send', 'bob', '-'], `${numbered('alice', lines).join('\n')}\n`);
  await done(bob, ['send', 'alice', '-'], `${numbered('bob', lines).join('\n')}\n`);
  await done(first, ['listen', '--count', String(lines)]);
  let said = 2 * lines;

  const withCode = async (home: string, destination: string, code: string) => {
    const file = join(who.homeOf('alice'), '..', 'code');
    await writeFile(file, `${code.toLowerCase()}\n`);
    const shown = ['--password-file', who.passwordFileOf('alice'), '--code-file', file];
    return runIslander(home, ['recover', destination, ...shown, '--json']);
  };
  for (const [i, code] of codes.entries()) {
    const home = who.homeOf(`recovered ${i + 1}`);
    const { code: ended, stdout, stderr } = await withCode(home, link, code);
    t.equal(ended, 0, `code ${i + 1}${stderr}`);
    t.match(stdout, `"messages":${said},"codesLeft":${7 - i}`);
    const before = await exported(first, who.homeOf(`export ${i} of the first`));
    t.equal(before.size, said);
    t.strictSame(await exported(home, who.homeOf(`export ${i}`)), before, 'message by message');

    await using door = await openDoor(island.welcome.address, 10 + i);
    const elsewhere = link.replace(/:\d+\//, `:${new URL(door.address).port}/`);
    const again = await withCode(who.homeOf(`again ${i + 1}`), elsewhere, code);
    t.equal(again.code, 1);
    t.match(again.stdout, '"code":"wrong_code"', 'the code is dead');
    const states = await statesOf(home, codes);
    t.same(
      states.map((state) => state === 'good'),
      codes.map((_, j) => j > i),
      'and all that are left are good',
    );
    // What comes next is under the archive key that this home has made.
    await done(home, ['send', 'bob', `said in home ${i + 1}`]);
    await done(bob, ['send', 'alice', `heard in home ${i + 1}`]);
    await done(home, ['listen', '--count', '1']);
    said += 2;
  }
  t.match(await done(first, ['codes']), 'No backup code is left');
});

t.test('A3: a code opens what was sealed before, between and after three rotations', async (t) => {
  await using island = await bootIsland();
  await using held = new AsyncDisposableStack();
  const [alice, bob] = await members(island, ['alice', 'bob']);
  if (!alice || !bob) throw new Error('nobody');
  for (const person of [alice, bob]) held.use(person);
  const texts: string[] = [];
  for (let rotated = 0; rotated <= 3; rotated++) {
    if (rotated > 0) await rotateKeys(alice);
    texts.push(`after ${rotated} rotations`);
    await say(alice, 'bob', texts.at(-1) ?? '');
  }
  t.equal((await needKeys(alice.joining.storage)).arkEpoch, 4);
  const [code = '', ...rest] = alice.codes;
  const { password, platform, recoverLink } = alice;
  const home = freshHome(platform);
  const { codesLeft } = await recover(home, recoverLink, { credentials: { password }, code });
  t.equal(codesLeft, 7);
  const device = held.use(await openDevice(home, password));
  const islander = held.use(await device.open());
  await islander.archive.sync();
  const here = await history(home.storage);
  t.same(
    here.map((message) => 'text' in message && message.text),
    texts,
  );
  t.equal((await needKeys(home.storage)).arkEpoch, 5);
  for (const each of rest) t.equal((await testCode(device.keeping, platform, each)).state, 'good');
});
