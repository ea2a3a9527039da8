/** A real OpenID provider on loopback, and a browser that fills in its forms, for tests. */
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeJwt, importJWK, type JWTPayload, SignJWT } from 'jose';
import Provider from 'oidc-provider';

export interface TestProvider extends AsyncDisposable {
  issuer: string;
  client: string;
  secret: string;
  /** What it says of its people besides their `sub`, by login. */
  claims: Map<string, Record<string, unknown>>;
  /** Paths that were asked for. */
  asked: string[];
  /** Changes the claims of ID tokens before they are signed; `false`: signs with a key that nobody knows. */
  forge: ((claims: JWTPayload) => JWTPayload) | false | undefined;
  /** Answers every request with this status, as long as it is set. */
  failing: number | undefined;
}

const kid = 'test';
const rsa = () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' };
};

export async function testProvider(callback: string): Promise<TestProvider> {
  const [key, foreign] = [rsa(), rsa()];
  let listener: RequestListener = (_request, response) => response.end();
  const server = createServer((request, response) => listener(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const running: TestProvider = {
    issuer,
    client: 'island-of-tests',
    secret: 'a secret of the client: with / and % and =',
    claims: new Map(),
    asked: [],
    forge: undefined,
    failing: undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      if (server.listening) await once(server.close(), 'close');
    },
  };
  const provider = new Provider(issuer, {
    clients: [
      { client_id: running.client, client_secret: running.secret, redirect_uris: [callback] },
    ],
    claims: { profile: ['preferred_username', 'groups'], email: ['email', 'email_verified'] },
    cookies: { keys: ['a key for cookies of tests'] },
    jwks: { keys: [key] },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: async () => ({ sub: id, ...running.claims.get(id) }),
    }),
    ttl: {
      AccessToken: 600,
      AuthorizationCode: 60,
      Grant: 600,
      IdToken: 600,
      Interaction: 600,
      Session: 600,
    },
  });
  const answer = provider.callback();
  listener = (request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    running.asked.push(path);
    if (running.failing !== undefined) {
      response.writeHead(running.failing, { 'content-type': 'text/plain' }).end('not now');
      return;
    }
    if (path === '/token' && running.forge !== undefined) replaceToken(response);
    void answer(request, response);
  };

  /** What the provider answers, with the ID token signed anew. */
  function replaceToken(response: ServerResponse): void {
    const end = response.end.bind(response);
    response.end = ((body: unknown) => {
      void resign(String(body)).then((text) => {
        response.setHeader('content-length', Buffer.byteLength(text));
        end(text);
      });
      return response;
    }) as typeof response.end;
  }

  async function resign(text: string): Promise<string> {
    const answered = JSON.parse(text) as { id_token?: string };
    if (answered.id_token === undefined) return text;
    const claims = decodeJwt(answered.id_token);
    const { forge } = running;
    const token = new SignJWT(typeof forge === 'function' ? forge(claims) : claims);
    const signer = await importJWK(forge === false ? foreign : key, 'RS256');
    const id_token = await token.setProtectedHeader({ alg: 'RS256', kid }).sign(signer);
    return JSON.stringify({ ...answered, id_token });
  }

  return running;
}

/**
 * A person at a browser who signs in as `login` and agrees to everything, or who gives up at the first
 * form; resolves to the query with which the browser comes back to the island.
 */
export async function browse(url: string, callback: string, login: string | null): Promise<string> {
  const jar = new Map<string, string>();
  let [address, body]: [string, URLSearchParams | undefined] = [url, undefined];
  for (let steps = 0; steps < 20; steps++) {
    const response = await fetch(address, {
      method: body === undefined ? 'GET' : 'POST',
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(body === undefined ? {} : { body }),
    });
    for (const set of response.headers.getSetCookie()) keep(jar, set);
    const text = await response.text();
    const location = response.headers.get('location');
    body = undefined;
    if (location !== null) {
      address = new URL(location, address).href;
      if (address.startsWith(`${callback}?`)) return new URL(address).search.slice(1);
    } else if (login === null) {
      address = new URL(matched(text, /<a href="([^"]*abort)"/), address).href;
    } else {
      address = new URL(matched(text, /<form[^>]* action="([^"]*)"/), address).href;
      body = new URLSearchParams({ prompt: matched(text, /name="prompt" value="(\w+)"/) });
      if (body.get('prompt') === 'login') {
        body.set('login', login);
        body.set('password', 'any');
      }
    }
  }
  throw new Error('the browser does not come back');
}

function keep(jar: Map<string, string>, set: string): void {
  const [, name, value] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
  if (name === undefined || value === undefined) return;
  if (value === '') jar.delete(name);
  else jar.set(name, value);
}

function matched(text: string, pattern: RegExp): string {
  const [, found] = pattern.exec(text) ?? [];
  if (found === undefined) throw new Error(`the page has no ${pattern}: ${text.slice(0, 300)}`);
  return found;
}
