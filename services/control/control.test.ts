/** The operators' socket, with real accounts behind it. docs/operations.md §8 */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { accounts } from '../accounts/contract.ts';
import { testAccounts } from '../accounts/testing/accounts.ts';
import { applicant } from '../accounts/testing/applicant.ts';
import { runService } from '../kit/service.ts';
import { openStore } from '../kit/store.ts';
import * as schema from './schema.ts';
import { controlService } from './service.ts';

const running = await testAccounts();
const { island, gateway, application } = running;
const socketPath = join(island.pki.dir, 'control.sock');
const config = { ...island.config('control', ['control']), controlSocket: socketPath };
const start = () => runService(controlService, config, { log: island.log });
let control = await start();
t.after(async () => {
  await control[Symbol.asyncDispose]();
  await running[Symbol.asyncDispose]();
});
const data = (await island.kit('control')).data;

function ask(method: string, path: string, body?: string | object) {
  const { promise, resolve, reject } = Promise.withResolvers<{
    status: number | undefined;
    body: Record<string, string | number | boolean | null>;
  }>();
  const asked = request({ socketPath, method, path }, async (response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    resolve({ status: response.statusCode, body: JSON.parse(text) });
  });
  asked.once('error', reject);
  asked.end(typeof body === 'object' ? JSON.stringify(body) : body);
  return promise;
}

t.test('only the owner can open the socket', async (t) => {
  t.equal((await stat(socketPath)).mode & 0o777, 0o600);
});

t.test('an operator makes invites and sees whether they are still good', async (t) => {
  const { status, body } = await ask('POST', '/invites', { uses: 1, seconds: 3600 });
  t.equal(status, 200);
  t.match(body['invite'], /^[\w-]{22}$/);
  t.ok(Math.abs(Number(body['expires']) - Date.now() / 1000 - 3600) < 60);
  const standing = () => ask('GET', `/standing?invite=${body['invite']}`);
  t.same((await standing()).body, { people: 0, inviteGood: true });
  const first = await ask('POST', '/first-invite');
  const ada = await application(applicant('ada'), String(body['invite']));
  await gateway.call(accounts, 'register', ada);
  t.same((await standing()).body, { people: 1, inviteGood: false });
  t.same((await ask('GET', '/standing')).body, { people: 1, inviteGood: false });
  t.equal((await ask('POST', '/first-invite')).body['invite'], first.body['invite'], 'unused');
});

t.test('the first invite is shown at each start until used, then never again', async (t) => {
  const { invite } = (await ask('POST', '/first-invite')).body;
  await control[Symbol.asyncDispose]();
  control = await start();
  t.equal((await ask('POST', '/first-invite')).body['invite'], invite, 'after a restart');
  const bob = await application(applicant('bob'), String(invite));
  await gateway.call(accounts, 'register', bob);
  t.equal((await ask('POST', '/first-invite')).body['invite'], null);
  t.equal((await ask('POST', '/first-invite')).body['invite'], null);
});

t.test('M5: the setup token is the same at each start, and lies nowhere but sealed', async (t) => {
  const { setupToken } = (await ask('POST', '/setup-token')).body;
  t.match(setupToken, /^[\w-]{32}$/);
  t.equal((await ask('POST', '/setup-token')).body['setupToken'], setupToken);
  await control[Symbol.asyncDispose]();
  control = await start();
  t.equal((await ask('POST', '/setup-token')).body['setupToken'], setupToken);
  for (const name of await readdir(data)) {
    t.notOk((await readFile(join(data, name))).includes(String(setupToken)), name);
  }
  t.same(
    (await readdir(data)).filter((name) => !name.startsWith('control.sqlite')),
    [],
  );
  await control[Symbol.asyncDispose]();
  {
    await using store = await openStore({
      file: join(data, 'control.sqlite'),
      schema,
      migrations: join(import.meta.dirname, 'migrations'),
      log: island.log,
    });
    await store.write((_db, sql) => sql.run('delete from vault_secrets'));
  }
  // As earlier versions kept it.
  await writeFile(join(data, 'setup-token'), `${setupToken}\n`, { mode: 0o600 });
  control = await start();
  t.equal((await ask('POST', '/setup-token')).body['setupToken'], setupToken, 'taken over');
  await t.rejects(stat(join(data, 'setup-token')), { code: 'ENOENT' });
});

t.test('whatever else is asked gets its code', async (t) => {
  const cases = [
    ['GET', '/nothing', undefined, 404, 'not_found'],
    ['GET', '/__proto__', undefined, 404, 'not_found'],
    ['DELETE', '/invites', undefined, 405, 'method_not_allowed'],
    ['POST', '/standing', undefined, 405, 'method_not_allowed'],
    ['POST', '/invites', 'no json', 400, 'malformed'],
    ['POST', '/invites', { uses: 0 }, 400, 'malformed'],
    ['POST', '/invites', { uses: 1, seconds: 60, more: 1 }, 400, 'malformed'],
    ['POST', '/setup-token', { force: true }, 400, 'malformed'],
    ['GET', '/standing?other=1', undefined, 400, 'malformed'],
    ['POST', '/invites', 'x'.repeat(9000), 413, 'too_large'],
  ] as const;
  for (const [method, path, body, status, code] of cases) {
    const answer = await ask(method, path, body);
    t.match(answer, { status, body: { code, text: /\w/ } }, `${method} ${path}`);
  }
});

t.test('the log holds neither invites nor the setup token', async (t) => {
  t.notMatch(island.log.lines.join('\n'), /[\w-]{22}/);
});

t.end();
