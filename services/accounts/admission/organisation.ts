/**
 * The organisation's OpenID provider: the only door to openid-client. Nothing here is asked before an
 * operator has named a provider, and nobody but that provider is (I4). docs/protocol/accounts.md §9
 *
 * Authorization code with PKCE, state and nonce; the issuer of the answer and of the token is the one
 * that was configured, and the token's signature is checked though it came over TLS.
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import * as client from 'openid-client';
import * as v from 'valibot';
import type { CallRequest } from '../../kit/contract.ts';
import { failure, type Log } from '../../kit/log.ts';
import type { accounts } from '../contract.ts';

export type Provider = NonNullable<CallRequest<typeof accounts, 'setOidc'>['provider']>;

/** What ties an answer of the provider to the question. */
export interface Ties {
  state: string;
  nonce: string;
  verifier: string;
}

export interface Identity {
  issuer: string;
  subject: string;
  /** What the organisation calls the person. */
  called: string | undefined;
}

export interface Organisation {
  /** Throws `malformed` for an issuer that can't be one, `oidc_unavailable` when nothing answers there as a provider. */
  discover(provider: Provider): Promise<void>;
  /** Where the person's browser goes. Throws `oidc_unavailable`. */
  authorize(provider: Provider, callback: URL, ties: Ties): Promise<string>;
  /**
   * Who came back to `returned`, the callback with its query; undefined when the organisation did not say yes.
   * Throws `oidc_unavailable` when it can't be asked: the same may be tried again.
   */
  exchange(provider: Provider, returned: URL, ties: Ties): Promise<Identity | undefined>;
}

/** Milliseconds for everything that one call asks of a provider: less than a call over the bus has. */
const patience = 4_000;
/** Milliseconds for which its metadata are good, and for which it is not asked again after it failed. */
const metadataFor = 3_600_000;
const failureFor = 2_000;
/** Bytes of one answer of a provider. */
const largest = 1_048_576;

/** @param now monotonic milliseconds */
export function openOrganisation(log: Log, now = () => performance.now()): Organisation {
  let known: { issuer: string; metadata: client.ServerMetadata; until: number } | undefined;
  let failed: { issuer: string; until: number } | undefined;

  /** @throws Fault `oidc_unavailable` */
  async function configured(provider: Provider, asking: Asking): Promise<client.Configuration> {
    const { issuer } = provider;
    if (known?.issuer !== issuer || known.until <= now()) {
      if (failed?.issuer === issuer && failed.until > now()) throw new Fault('oidc_unavailable');
      try {
        const metadata = await discovered(issuer, asking);
        known = { issuer, metadata, until: now() + metadataFor };
      } catch (error) {
        failed = { issuer, until: now() + failureFor };
        log.warn('oidc_discovery_failed', failure(error));
        throw new Fault('oidc_unavailable');
      }
    }
    return configuration(provider, known.metadata, asking);
  }

  return {
    async discover(provider) {
      checkIssuer(provider.issuer);
      [known, failed] = [undefined, undefined];
      await configured(provider, ask());
    },

    async authorize(provider, callback, { state, nonce, verifier }) {
      const config = await configured(provider, ask());
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: callback.href,
        scope: scopes(provider, config.serverMetadata()),
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state,
        nonce,
      });
      return url.href;
    },

    async exchange(provider, returned, ties) {
      const asking = ask();
      const config = await configured(provider, asking);
      try {
        return await redeem(config, provider, returned, ties);
      } catch (error) {
        log.warn(asking.cut() ? 'oidc_unreachable' : 'oidc_refused', failure(error));
        if (asking.cut()) throw new Fault('oidc_unavailable');
        return undefined;
      }
    },
  };
}

class Refused extends Error {
  override name = 'Refused';
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

async function redeem(
  config: client.Configuration,
  { require }: Provider,
  returned: URL,
  { state, nonce, verifier }: Ties,
): Promise<Identity> {
  const tokens = await client.authorizationCodeGrant(config, returned, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  });
  const token = tokens.claims();
  if (token === undefined) throw new Refused('no_id_token');
  const { iss: issuer, sub: subject } = token;
  let claims: Readonly<Record<string, unknown>> = token;
  const wanted = ['preferred_username', ...(require === undefined ? [] : [require.claim])];
  const more = wanted.some((claim) => !Object.hasOwn(token, claim));
  if (more && config.serverMetadata().userinfo_endpoint !== undefined) {
    // What the token says goes before what the provider adds.
    claims = { ...(await client.fetchUserInfo(config, tokens.access_token, subject)), ...token };
  }
  if (require !== undefined && !holds(claims, require)) throw new Refused('claim_missing');
  const called = v.safeParse(v.string(), claims['preferred_username']);
  return { issuer, subject, called: called.success ? called.output : undefined };
}

/** A claim is a value, or a list of which it is one. */
function holds(
  claims: Readonly<Record<string, unknown>>,
  { claim, value }: { claim: string; value: string },
): boolean {
  const found = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  const said = (one: unknown) =>
    ['string', 'number', 'boolean'].includes(typeof one) && String(one) === value;
  return Array.isArray(found) ? found.some(said) : said(found);
}

/** No more than is needed: who it is, what they are called, and the claim that must be there. */
function scopes({ require }: Provider, metadata: client.ServerMetadata): string {
  const offered = metadata.scopes_supported;
  const claim = require?.claim;
  const more = claim === 'email' || claim === 'email_verified' ? ['email'] : [];
  if (claim !== undefined && offered?.includes(claim)) more.push(claim);
  const asked = new Set(['profile', ...more].filter((scope) => offered?.includes(scope) ?? true));
  return ['openid', ...asked].join(' ');
}

const isLoopback = ({ hostname }: URL): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);

/** Nothing crosses a network in the clear. */
const isSafe = (url: URL): boolean =>
  url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url));

/** Throws `malformed`. */
function checkIssuer(issuer: string): void {
  const url = new URL(issuer);
  const plain = url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (!plain || !isSafe(url) || url.pathname.includes('/.well-known/'))
    throw new Fault('malformed');
}

/** One call's questions to a provider, under one deadline. */
interface Asking {
  fetch: client.CustomFetch;
  /** Whether a question came to nothing for want of an answer. */
  cut(): boolean;
}

function ask(): Asking {
  const deadline = AbortSignal.timeout(patience);
  let cut = false;
  return {
    cut: () => cut,
    async fetch(address, options) {
      if (!isSafe(new URL(address))) throw new Refused('unsafe_address');
      const signals = options.signal == null ? [] : [options.signal];
      try {
        const signal = AbortSignal.any([deadline, ...signals]);
        const body = options.body ?? null;
        const response = await fetch(address, { ...options, body, redirect: 'manual', signal });
        if (response.status >= 500 || response.status === 429) throw new Refused('provider_failed');
        return await bounded(response);
      } catch (error) {
        cut = true;
        throw error;
      }
    },
  };
}

async function bounded(response: Response): Promise<Response> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > largest) throw new Refused('answer_too_large');
    chunks.push(chunk);
  }
  const { status, headers } = response;
  return new Response(length === 0 ? null : Buffer.concat(chunks), { status, headers });
}

/** What is used of what a provider says of itself: where the browser goes, and what is asked with the secret or a token. */
const addresses = [
  'authorization_endpoint',
  'token_endpoint',
  'jwks_uri',
  'userinfo_endpoint',
] as const;

async function discovered(issuer: string, { fetch }: Asking): Promise<client.ServerMetadata> {
  const found = await client.discovery(new URL(issuer), 'island', undefined, client.None(), {
    execute: isInsecure(issuer) ? [client.allowInsecureRequests] : [],
    [client.customFetch]: fetch,
    timeout: patience / 1000,
  });
  const { supportsPKCE: _, ...metadata } = found.serverMetadata();
  for (const name of addresses) {
    const { [name]: address } = metadata;
    if (address === undefined && name === 'userinfo_endpoint') continue;
    const url = address === undefined ? null : URL.parse(address);
    if (url === null || !isSafe(url)) throw new Refused('unsafe_address');
  }
  return metadata;
}

const isInsecure = (issuer: string): boolean => new URL(issuer).protocol === 'http:';

function configuration(
  { issuer, client: id, secret }: Provider,
  metadata: client.ServerMetadata,
  { fetch }: Asking,
): client.Configuration {
  // What a provider that does not say takes. OpenID Connect Core §9
  const methods = metadata.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  const basic = methods.includes('client_secret_basic');
  const auth = basic ? client.ClientSecretBasic(secret) : client.ClientSecretPost(secret);
  const config = new client.Configuration(metadata, id, { client_secret: secret }, auth);
  config[client.customFetch] = fetch;
  config.timeout = patience / 1000;
  if (isInsecure(issuer)) client.allowInsecureRequests(config);
  client.enableNonRepudiationChecks(config);
  return config;
}
