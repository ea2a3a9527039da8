/** The commands about who may join, on the operators' socket with accounts behind it. docs/operations.md §8 */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testDoor } from '@island/services/control/testing/door.ts';
import t from 'tap';
import { islandCommand } from './island.ts';
import type { Streams } from './up-command.ts';

// Short: paths of unix sockets are limited to 107 bytes.
const data = await mkdtemp(join(tmpdir(), 'pi-cli-'));
await mkdir(join(data, 'run'), { mode: 0o700 });
const running = await testDoor(() => join(data, 'run', 'control.sock'));
const { provider, callback, applicant, island } = running;
const { address, caFingerprint } = island.settings;
const supervisor = createServer((_request, response) =>
  response.end(JSON.stringify({ address, caFingerprint })),
).listen(join(data, 'run', 'supervisor.sock'));
const secretFile = join(data, 'client-secret');
await writeFile(secretFile, `${provider.secret}\n`, { mode: 0o600 });
t.teardown(async () => {
  supervisor.close();
  await running[Symbol.asyncDispose]();
  await rm(data, { recursive: true });
});

async function runIn(folder: string, args: readonly string[]) {
  const written: Record<'stdout' | 'stderr', string[]> = { stdout: [], stderr: [] };
  const stream = (name: 'stdout' | 'stderr') =>
    ({ write: (text: string) => written[name].push(text) > 0 }) as NodeJS.WriteStream;
  const streams: Streams = { stdout: stream('stdout'), stderr: stream('stderr') };
  const where = args.includes('--help') ? [] : ['--data', folder];
  const code = await islandCommand([...args, ...where], streams);
  return { code, stdout: written.stdout.join(''), stderr: written.stderr.join('') };
}
const run = (...args: string[]) => runIn(data, args);
const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).stdout);

const setOidc = (change: Record<string, string> = {}) => {
  const { issuer, client } = provider;
  const options = { title: 'Example University', issuer, client, 'secret-file': secretFile };
  return run(
    'oidc',
    'set',
    ...Object.entries({ ...options, ...change }).flatMap(([name, value]) => [`--${name}`, value]),
  );
};

t.test('an invite: link, role, end, and a picture of it', async (t) => {
  const plain = await run('invite');
  t.equal(plain.code, 0);
  t.match(plain.stdout, /^island:\/\/localhost:8443\/join\?ca=[\w-]{43}&invite=[\w-]{22}\n$/);
  const made = await json('invite', '--uses', '3', '--expires', '12h', '--role', 'moderator');
  t.match(made, { uses: 3, role: 'moderator', expires: /^\d{4}-.*Z$/, invite: /^island:/ });
  const picture = (await run('invite', '--qr')).stdout.split('\n');
  t.match(picture[0], /^island:/);
  t.ok(picture.length > 15 && picture.slice(2, -1).every((line) => /^[█▀▄ ]+$/u.test(line)));
});

t.test('invites are listed and withdrawn', async (t) => {
  const { invites } = await json('invites');
  t.equal(invites.length, 3);
  t.match(invites[0], { hint: /^[0-9a-f]{8}$/, uses: 3, used: 0, role: 'moderator' });
  const hint: string = invites[0].hint;
  const listed = await run('invites');
  t.match(listed.stdout, `${hint}  0 of 3 used, until `);
  t.notMatch(listed.stdout, /[\w-]{22}/, 'a code is shown once');
  t.match(await run('invites', 'withdraw', hint), { code: 0, stdout: /is withdrawn/ });
  t.match(await run('invites', 'withdraw', hint), { code: 1, stderr: `has the hint ${hint}` });
  t.match(await run('invites', 'withdraw', 'x'), { code: 2, stderr: /eight letters and digits/ });
  for (const one of await json('invites').then((found) => found.invites.slice()))
    await run('invites', 'withdraw', one.hint);
  t.match(await run('invites'), { code: 0, stdout: /^No invite is good\. Make one/ });
});

t.test('registration: shown, changed, explained', async (t) => {
  t.match(await run('registration'), { code: 0, stdout: /^Registration: invite\nWho has/ });
  t.notMatch((await run('registration')).stdout, 'island://');
  const open = await run('registration', 'open');
  t.match(open.stdout, /Everybody .*\n\n.*\nisland:\/\/localhost:8443\/join\?ca=[\w-]{43}\n$/);
  t.match(await json('registration', 'approval'), { registration: 'approval', link: /^island:/ });
  t.match(await run('registration', 'closed'), { stdout: /not even with an invite/ });
  const invite = await run('invite');
  t.match(invite, { code: 0, stdout: /^island:/, stderr: /takes in nobody at the moment/ });
  t.match(await run('registration', 'everybody'), { code: 2, stderr: /closed, invite, approval/ });
  await run('registration', 'invite');
});

t.test('people: who waits, admitted, refused', async (t) => {
  t.match(await run('people'), { code: 0, stdout: 'Nobody waits to be let in.\n' });
  await applicant('ada');
  await applicant('bob');
  t.match(await run('people', 'waiting'), { stdout: /ada {2}since 2027-01-15 08:00 UTC\n {2}bob/ });
  t.same(await json('people'), {
    waiting: [
      { name: 'ada', since: '2027-01-15T08:00:00.000Z' },
      { name: 'bob', since: '2027-01-15T08:00:00.000Z' },
    ],
  });
  t.match(await run('people', 'admit', 'ada'), { code: 0, stdout: /^ada is let in/ });
  t.match(await run('people', 'refuse', 'bob'), { code: 0, stdout: /^bob is not let in/ });
  t.same(await json('people'), { waiting: [] });
  t.match(await run('people', 'admit', 'eve'), { code: 1, stderr: /Nobody by the name of eve/ });
  t.match(await run('people', 'admit', 'Eve!'), { code: 1, stderr: /A name has 1 to 32/ });
  t.match(await run('people', 'admit'), { code: 2 });
});

t.test('oidc: set, shown, ended', async (t) => {
  t.match(await run('oidc'), { code: 0, stdout: callback });
  const set = await setOidc({ require: 'groups=staff' });
  t.match(set, { code: 0, stdout: /Lets in +who has groups=staff/ });
  t.notMatch(set.stdout, provider.secret);
  const { issuer, client } = provider;
  const require = { claim: 'groups', value: 'staff' };
  const shown = { title: 'Example University', issuer, client, require };
  t.same(await json('oidc'), { callback, provider: shown });
  t.match(await run('registration'), { stdout: /So does whom Example University lets in\./ });
  t.match(await run('registration'), { stdout: /island:\/\/localhost:8443\/join\?ca=[\w-]{43}\n/ });
  t.match(await run('oidc', 'off'), { code: 0, stdout: /^Nobody joins or signs in/ });
  t.same(await json('oidc'), { callback, provider: null });
});

t.test('oidc: what is wrong is said, and changes nothing', async (t) => {
  const nobody = await setOidc({ issuer: 'http://127.0.0.1:1' });
  t.match(nobody, { code: 1, stderr: /answers as the OpenID provider.*nothing was changed/ });
  for (const issuer of ['example.org', 'http://example.org', 'https://a@b', 'https://a/?b'])
    t.match(await setOidc({ issuer }), { code: 2, stderr: /https address/ }, issuer);
  t.match(await setOidc({ require: 'groups' }), { code: 2, stderr: /such as groups=staff/ });
  t.match(await setOidc({ title: ' ' }), { code: 2, stderr: /1 to 64 characters/ });
  t.match(await setOidc({ 'secret-file': '/nothing' }), { code: 1, stderr: /cannot be read/ });
  await chmod(secretFile, 0o644);
  t.match(await setOidc(), { code: 1, stderr: /run chmod 600/ });
  await writeFile(secretFile, '\n');
  await chmod(secretFile, 0o600);
  t.match(await setOidc(), { code: 1, stderr: /first line/ });
  t.match(await setOidc({ secret: 'x' }), { code: 2, stderr: /unknown option/ });
  t.same(await json('oidc'), { callback, provider: null });
});

t.test('each command says what it does', async (t) => {
  const commands = [
    ['invite'],
    ['invites'],
    ['invites', 'withdraw'],
    ['registration'],
    ['people'],
    ['people', 'admit'],
    ['oidc'],
    ['oidc', 'set'],
    ['oidc', 'off'],
  ];
  for (const command of commands) {
    const help = await run(...command, '--help');
    t.match(help, { code: 0, stdout: `Usage: island ${command.join(' ')}` }, command.join(' '));
  }
});

t.test('where no island runs, the commands say so', async (t) => {
  const nowhere = join(data, 'none');
  for (const args of [['invite'], ['invites'], ['registration', 'open'], ['people'], ['oidc']])
    t.match(await runIn(nowhere, args), { code: 1, stderr: /No island is running/ });
});

t.end();
