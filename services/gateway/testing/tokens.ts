/** For tests: access tokens of any age and key, as `accounts` signs them, under its certificate. */
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { accessToken, accounts, endingsPerAnswer } from '../../accounts/contract.ts';
import type { Bus } from '../../kit/bus.ts';

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;

export interface TokenOptions {
  session?: string;
  /** Seconds from now until it expires; 900 unless given. */
  seconds?: number;
  /** Other than those of a good token. */
  issuer?: string;
  audience?: string | string[];
  kid?: string;
  /** Besides those of a good token, or in their place. */
  claims?: Readonly<Record<string, unknown>>;
}

export interface TestTokens {
  /** How often the keys were asked for. */
  asked: number;
  /** Answers nothing for as long as it is set. */
  down: boolean;
  /** Sessions that `endings` tells. */
  readonly ended: string[];
  sign(account: AccountId, device?: number, options?: TokenOptions): Promise<string>;
  /** A token for somebody who joins. */
  join(account: AccountId, options?: TokenOptions): Promise<string>;
  /** A new key signs from now on; the former stays published if `overlap`. */
  rotate(overlap?: boolean): Promise<void>;
  /** Ends a session and tells of it, unless `silently`. */
  end(account: AccountId, session: string, silently?: boolean): void;
}

/** @param bus of the service `accounts` */
export async function testTokens(bus: Bus): Promise<TestTokens> {
  const fresh = () => generateKeyPair(accessToken.algorithm, { extractable: true });
  let keys: { kid: string; pair: KeyPair }[] = [{ kid: 'first', pair: await fresh() }];
  let count = 0;

  async function make(account: AccountId, options: TokenOptions): Promise<string> {
    const [current] = keys;
    if (current === undefined) throw new Error('no key');
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT(options.claims)
      .setProtectedHeader({ alg: accessToken.algorithm, kid: options.kid ?? current.kid })
      .setSubject(account)
      .setIssuer(options.issuer ?? accessToken.issuer)
      .setAudience(options.audience ?? '')
      .setIssuedAt(now)
      .setExpirationTime(now + (options.seconds ?? 900))
      .sign(current.pair.privateKey);
  }

  const tokens: TestTokens = {
    asked: 0,
    down: false,
    ended: [],
    sign(account, device = 1, options = {}) {
      const { session = `session-${++count}`, claims } = options;
      const own = { dev: device, sid: session, ...claims };
      return make(account, { audience: accessToken.audience, ...options, claims: own });
    },
    join(account, options = {}) {
      const { session = `joining-${++count}`, claims } = options;
      const own = { sid: session, ...claims };
      const { joiningAudience } = accessToken;
      return make(account, { audience: joiningAudience, ...options, claims: own });
    },
    async rotate(overlap = true) {
      const next = { kid: crypto.randomUUID(), pair: await fresh() };
      keys = overlap ? [next, ...keys] : [next];
    },
    end(account, session, silently = false) {
      tokens.ended.push(session);
      if (!silently) bus.publish(accounts, 'ended', account, { session });
    },
  };
  bus.handle(accounts, 'endings', async ({ after = '' }) => {
    if (tokens.down) throw new Fault('unavailable');
    const behind = tokens.ended.toSorted().filter((session) => session > after);
    return { sessions: behind.slice(0, endingsPerAnswer) };
  });
  bus.handle(accounts, 'keys', async () => {
    tokens.asked += 1;
    if (tokens.down) throw new Fault('unavailable');
    const published = keys.map(async ({ kid, pair }) => {
      const { kty = '', n = '', e = '' } = await exportJWK(pair.publicKey);
      return { kid, alg: accessToken.algorithm, use: 'sig', kty, n, e };
    });
    return { keys: await Promise.all(published) };
  });
  return tokens;
}
