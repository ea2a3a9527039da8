/** What the island takes for an OpenID provider, and what it does not ask. docs/protocol/accounts.md §9 */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { faultCode } from '../../kit/testing/outcome.ts';
import { testLog } from '../../kit/testing/pki.ts';
import { testProvider } from '../testing/oidc-provider.ts';
import { openOrganisation } from './organisation.ts';

const callback = 'https://island.example/v1/oidc/callback';
const real = await testProvider(callback);
let answer = (response: ServerResponse): void => void response.end();
const server = createServer((_request, response) => {
  response.setHeader('content-type', 'application/json');
  answer(response);
}).listen(0, '127.0.0.1');
await once(server, 'listening');
t.teardown(async () => {
  server.closeAllConnections();
  server.close();
  await real[Symbol.asyncDispose]();
});
const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const metadata = {
  issuer,
  authorization_endpoint: `${issuer}/a`,
  token_endpoint: `${issuer}/t`,
  jwks_uri: `${issuer}/j`,
};
const log = testLog();
const organisation = openOrganisation(log);
const provider = { title: 'Example', client: 'island', secret: 'of the client' };
const discover = (of: string) => faultCode(organisation.discover({ ...provider, issuer: of }));
const says = (change: object) => {
  answer = (response) => void response.end(JSON.stringify({ ...metadata, ...change }));
  return discover(issuer);
};

t.test('what does not answer as that provider is none', async (t) => {
  t.equal(await discover(real.issuer), 'resolved');
  t.equal(await discover(`${real.issuer}/other`), 'oidc_unavailable');
  t.equal(await discover(real.issuer.replace('127.0.0.1', 'localhost')), 'oidc_unavailable');
  t.equal(await discover('http://127.0.0.1:1'), 'oidc_unavailable');
});

t.test('what can be no issuer is refused before anybody is asked', async (t) => {
  const before = real.asked.length;
  for (const of of [
    'http://example.org',
    'ftp://127.0.0.1',
    'https://user:word@example.org',
    'https://example.org/?a=b',
    'https://example.org/#a',
    `${real.issuer}/.well-known/openid-configuration`,
  ]) {
    t.equal(await discover(of), 'malformed', of);
  }
  t.equal(real.asked.length, before);
});

t.test('pitfall: a provider that names addresses in the clear, or none', async (t) => {
  t.equal(await says({}), 'resolved');
  for (const change of [
    { authorization_endpoint: 'http://example.org/a' },
    { authorization_endpoint: 'javascript:alert(1)' },
    { authorization_endpoint: 7 },
    { token_endpoint: 'http://example.org/t' },
    { token_endpoint: undefined },
    { jwks_uri: 'http://example.org/j' },
    { userinfo_endpoint: 'http://example.org/u' },
    { issuer: `${issuer}/other` },
  ]) {
    t.equal(await says(change), 'oidc_unavailable', JSON.stringify(change));
  }
});

t.test('pitfall: redirects are not followed, and nothing endless is read', async (t) => {
  const before = real.asked.length;
  const location = `${real.issuer}/.well-known/openid-configuration`;
  answer = (response) => void response.writeHead(302, { location }).end();
  t.equal(await discover(issuer), 'oidc_unavailable');
  t.equal(real.asked.length, before);
  t.equal(await says({ more: 'x'.repeat(2_000_000) }), 'oidc_unavailable');
});

t.test('the log names reasons, not addresses', async (t) => {
  t.match(log.lines.join('\n'), 'oidc_discovery_failed');
  t.notMatch(log.lines.join('\n'), '127.0.0.1');
});

t.end();
