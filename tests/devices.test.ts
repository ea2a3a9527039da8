/**
 * Several devices of one person, with the commands that they type: one is linked and removed, one is signed
 * out by another, six digits are turned on and off, and what is theirs is written to a folder.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openAuthenticator } from '@island/appliance/verify/authenticator.ts';
import { openDevice } from '@island/appliance/verify/device.ts';
import { openSocket } from '@island/appliance/verify/tokens.ts';
import { nodePlatform } from '@island/client/platform-node.ts';
import { fileStorage } from '@island/client/storage/file.ts';
import { TOTP, URI } from 'otpauth';
import t from 'tap';
import { bootIsland } from './island.ts';
import { passwordOf, people, runIslander, talk, textsFrom, untilLine } from './islander.ts';

t.setTimeout(240_000);

/** Milliseconds: the promise is two seconds from the removal (A4), and this machine may be busy with other tests. */
const promptly = 6000;

const island = await bootIsland();
t.teardown(() => island[Symbol.asyncDispose]());
const who = await people(island, 'alice', 'bob');
t.teardown(() => who[Symbol.asyncDispose]());
const [phone, laptop, tablet, bob] = ['alice', 'laptop', 'tablet', 'bob'].map(who.homeOf);
if (!phone || !laptop || !tablet || !bob) throw new Error('no homes');

const done = async (home: string, args: readonly string[], input = ''): Promise<string> => {
  const { code, stdout, stderr } = await runIslander(home, args, input);
  if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
  return stdout;
};
const objects = async (home: string, ...args: readonly string[]) =>
  (await done(home, [...args, '--json']))
    .split('\n')
    .flatMap((line) => (line ? [JSON.parse(line)] : []));
const password = ['--password-file', who.passwordFileOf('alice')];

/** The old device shows a link and digits, which are typed on the new one; then it asks for a yes. */
async function link(from: string, to: string, answer: string) {
  const old = talk(from, 'link');
  const { link: text = '' } = await untilLine(old, ({ type }) => type === 'link');
  const fresh = talk(to, 'link', '--join', ...password);
  fresh.write(`${text}\n`);
  const { digits = '' } = await untilLine(old, ({ type }) => type === 'digits');
  fresh.write(`${digits}\n`);
  await untilLine(fresh, ({ type }) => type === 'right');
  old.write(`${answer}\n`);
  const codes = await Promise.all([old.ended, fresh.ended]);
  return { digits, codes, fresh };
}

/** What a device hears until it has heard `text`. */
async function hears(home: string, text: string): Promise<string[]> {
  const listening = talk(home, 'listen');
  await untilLine(listening, (line) => line.text === text);
  listening.kill('SIGTERM');
  await listening.ended;
  return textsFrom(listening, 'bob');
}

t.test('A4: a device is linked by a link and six digits, and both get what is sent', async (t) => {
  await done(phone, ['send', 'bob', 'before there was a laptop']);
  const refused = await link(phone, laptop, 'no');
  t.same(refused.codes, [1, 1], 'a no on the old device gives nothing');
  t.match(refused.fresh.stderr(), /declined on the other device/);

  const { digits, codes, fresh } = await link(phone, laptop, 'yes');
  t.match(digits, /^\d{6}$/);
  t.same(codes, [0, 0], fresh.stderr());
  t.match(
    fresh.lines.find(({ type }) => type === 'joined'),
    { device: 2, messages: 1 },
    'with the history of the other',
  );
  t.same((await link(phone, tablet, 'yes')).codes, [0, 0]);

  await done(bob, ['send', 'alice', 'to all of you']);
  for (const home of [phone, laptop, tablet])
    t.same(await hears(home, 'to all of you'), ['to all of you']);
  await done(laptop, ['devices', 'name', '2', 'Laptop']);
  const named = (home: string) =>
    objects(home, 'devices').then(([{ devices }]) =>
      devices.map((each: { device: number; name?: string }) => [each.device, each.name]),
    );
  t.same(await named(laptop), [
    [1, undefined],
    [2, 'Laptop'],
    [3, undefined],
  ]);
  t.same(await named(phone), [
    [1, undefined],
    [2, undefined],
    [3, undefined],
  ]);
});

t.test('A4: a device that is removed is out of everything, and the others go on', async (t) => {
  const joining = { storage: fileStorage(laptop), platform: nodePlatform, now: Date.now };
  await using device = await openDevice(joining, passwordOf('alice'));
  await using socket = await openSocket(device, await device.session.token());
  let closed = Number.NaN;
  const ended = socket.ended.then((code) => {
    closed = performance.now();
    return code;
  });
  await done(phone, ['devices', 'revoke', '2']);
  const removed = performance.now();
  t.equal(await ended, 4401);
  t.ok(closed - removed < promptly, `its socket closed ${Math.round(closed - removed)} ms after`);

  await done(bob, ['send', 'alice', 'to those that are left']);
  for (const home of [phone, tablet])
    t.same(await hears(home, 'to those that are left'), ['to those that are left']);
  for (const args of [['listen'], ['send', 'bob', 'from nowhere'], ['login', ...password]]) {
    const { code, stdout, stderr } = await runIslander(laptop, args);
    t.equal(code, 1, `${args[0]}`);
    t.equal(stdout, '');
    t.match(stderr, /Device 2 was removed from the account|This device is signed out/);
  }
});

t.test('A5: sessions of other devices are listed and ended', async (t) => {
  const [{ sessions }] = await objects(phone, 'sessions');
  t.same(sessions.map(({ device }: { device: number }) => device).sort(), [1, 3]);
  t.match(await done(phone, ['sessions', 'end', 'others']), 'One session was ended.');
  t.match(await runIslander(tablet, ['listen']), { code: 1, stderr: /signed out/ });
  await done(tablet, ['login', ...password]);
  await done(tablet, ['send', 'bob', 'back again']);
});

t.test(
  'A2: six digits of any authenticator are turned on, asked for, and turned off',
  async (t) => {
    const on = talk(phone, '2fa', 'on');
    const { uri = '' } = await untilLine(on, ({ type }) => type === '2fa-begun');
    const parsed = URI.parse(uri);
    t.match(parsed, { label: 'alice', algorithm: 'SHA1', digits: 6, period: 30 });
    t.ok(parsed instanceof TOTP);
    const authenticator = openAuthenticator(parsed.secret.base32);
    on.write(`${await authenticator.digits()}\n`);
    t.equal(await on.ended, 0, on.stderr());

    await done(phone, ['logout']);
    const without = await runIslander(phone, ['login', ...password]);
    t.match(without, { code: 1, stderr: /second factor/ });
    const digits = await authenticator.digits();
    await done(phone, ['login', ...password], `${digits}\n`);
    await done(phone, ['logout']);
    t.match(await runIslander(phone, ['login', ...password], `${digits}\n`), {
      code: 1,
      stderr: /were used already/,
    });
    const { codes } = await who.sheetOf('alice');
    await done(phone, ['login', ...password], `${codes[3]}\n`);
    t.match(await done(phone, ['2fa']), 'Six-digit sign-in is on. 7 backup codes are left.');
    await done(phone, ['2fa', 'off'], `${await authenticator.digits()}\n`);
    await done(phone, ['logout']);
    await done(phone, ['login', ...password]);
    t.match(await done(phone, ['2fa']), 'Six-digit sign-in is off.');
  },
);

t.test('what is theirs is written out, readable without any of it', async (t) => {
  const folder = join(phone, 'export');
  await done(phone, ['export', folder]);
  t.same((await readdir(folder)).sort(), [
    'README.txt',
    'account.json',
    'messages.json',
    'with bob.txt',
  ]);
  t.equal((await stat(folder)).mode & 0o777, 0o700);
  const said = await readFile(join(folder, 'with bob.txt'), 'utf8');
  for (const text of [
    'you: before there was a laptop',
    'bob: to all of you',
    'bob: to those that are left',
    'you: back again',
  ])
    t.match(said, text);
  const account = JSON.parse(await readFile(join(folder, 'account.json'), 'utf8'));
  t.match(account, { name: 'alice', sixDigitSignIn: false, backupCodesLeft: 7 });
  t.same(
    account.devices.map(({ device }: { device: number }) => device),
    [1, 3],
  );
});
