/** The page at which a sign-in with the organisation ends, as a browser gets it. docs/protocol/http.md §5 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { accounts } from '../accounts/contract.ts';
import { oidcReturnPath } from './oidc-page.ts';
import { gatewayIsland } from './testing/island.ts';

const test = await gatewayIsland();
t.teardown(() => test[Symbol.asyncDispose]());
const { edge, island } = test;
const { bus } = await island.kit('accounts');
const queries: string[] = [];
bus.handle(accounts, 'oidcReturn', async ({ query }) => {
  queries.push(query);
  if (query.startsWith('away')) throw new Fault('oidc_unavailable');
  if (!query.startsWith('code=good')) return { admitted: false as const };
  return { admitted: true as const, digits: '012345' };
});
bus.handle(accounts, 'oidcBegin', async () => ({
  url: 'https://id.example.org/auth',
  flow: new Uint8Array(32),
}));
await bus.settled();

t.test('whoever is let in sees six digits; the query goes on as it came', async (t) => {
  const query = 'code=good%2Fone&state=%3Cscript%3E&iss=https%3A%2F%2Fid.example.org';
  const page = await edge.ask(`${oidcReturnPath}?${query}`);
  t.strictSame(queries.splice(0), [query]);
  t.equal(page.status, 200);
  t.equal(page.headers['content-type'], 'text/html; charset=utf-8');
  t.match(page.headers['content-security-policy'], /^default-src 'none'; .*form-action 'none'/);
  t.equal(page.headers['cache-control'], 'no-store');
  t.equal(page.headers['set-cookie'], undefined);
  t.match(page.body, '<h1>012 345</h1>');
  t.match(page.body, /Give them to nobody/);
  t.notMatch(page.body, /script|good|example/);
});

t.test(
  'whoever is not, and whoever comes while nobody can say, is told so on a page',
  async (t) => {
    const refused = await edge.ask(`${oidcReturnPath}?error=access_denied&state=x`);
    t.equal(refused.status, 403);
    t.match(refused.body, '<h1>Not let in</h1>');
    t.notMatch(refused.body, /access_denied|[0-9]{3} [0-9]{3}/);
    const away = await edge.ask(`${oidcReturnPath}?away`);
    t.equal(away.status, 503);
    t.match(away.body, /^<!doctype html>.*cannot be reached/s);
    const bare = await edge.ask(oidcReturnPath);
    t.equal(bare.status, 403, 'without a query');
    const long = await edge.ask(`${oidcReturnPath}?code=${'x'.repeat(4096)}`);
    t.equal(long.status, 400);
    t.match(long.body, /^<!doctype html>/);
  },
);

t.test('what looks ahead, or posts, uses nothing up', async (t) => {
  queries.length = 0;
  for (const method of ['HEAD', 'POST', 'OPTIONS', 'PUT']) {
    await edge.ask(`${oidcReturnPath}?code=good`, { method });
  }
  t.strictSame(queries, []);
});

t.test(
  'one address begins so many sign-ins and no more; its other requests are not affected',
  async (t) => {
    const from = (address: string) =>
      edge.ask('/v1/oidc', { method: 'POST', body: '{}', address, agent });
    const agent = edge.agent(4);
    t.teardown(() => agent.destroy());
    const codes: number[] = [];
    while (codes.at(-1) !== 429 && codes.length < 3 * limits.oidcBegins)
      codes.push((await from('198.51.100.1')).status);
    t.ok(codes.length > limits.oidcBegins, `${codes.length}`);
    const refused = await from('198.51.100.1');
    t.equal(refused.json().code, 'rate_limited');
    t.ok(Number(refused.headers['retry-after']) >= 1);
    t.equal((await edge.ask('/v1/account', { address: '198.51.100.1', agent })).status, 401);
    t.equal((await from('198.51.100.2')).status, 200);
  },
);
