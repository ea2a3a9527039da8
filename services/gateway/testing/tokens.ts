/** For tests: access tokens of any age and key, as `accounts` signs them, under its certificate. */

import type { AccountId } from '@island/protocol/wire/ids.ts';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { accessToken, accounts } from '../../accounts/contract.ts';
import type { Bus } from '../../kit/bus.ts';

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;

export interface TokenOptions {
  session?: string;
  /** Seconds from now until it expires; 900 unless given. */
  seconds?: number;
  /** Other than those of a good token. */
  issuer?: string;
  audience?: string;
  kid?: string;
}

export interface TestTokens {
  /** How often the keys were asked for. */
  asked: number;
  /** Answers nothing for as long as it is set. */
  down: boolean;
  sign(account: AccountId, device?: number, options?: TokenOptions): Promise<string>;
  /** A new key signs from now on; the former stays published if `overlap`. */
  rotate(overlap?: boolean): Promise<void>;
  end(account: AccountId, session: string): void;
}

/** @param bus of the service `accounts` */
export async function testTokens(bus: Bus): Promise<TestTokens> {
  const make = () => generateKeyPair(accessToken.algorithm, { extractable: true });
  let keys: { kid: string; pair: KeyPair }[] = [{ kid: 'first', pair: await make() }];
  let count = 0;
  const tokens: TestTokens = {
    asked: 0,
    down: false,
    async sign(account, device = 1, options = {}) {
      const [current] = keys;
      if (current === undefined) throw new Error('no key');
      const { session = `session-${++count}`, seconds = 900 } = options;
      const now = Math.floor(Date.now() / 1000);
      return new SignJWT({ dev: device, sid: session })
        .setProtectedHeader({ alg: accessToken.algorithm, kid: options.kid ?? current.kid })
        .setSubject(account)
        .setIssuer(options.issuer ?? accessToken.issuer)
        .setAudience(options.audience ?? accessToken.audience)
        .setIssuedAt(now)
        .setExpirationTime(now + seconds)
        .sign(current.pair.privateKey);
    },
    async rotate(overlap = true) {
      const fresh = { kid: crypto.randomUUID(), pair: await make() };
      keys = overlap ? [fresh, ...keys] : [fresh];
    },
    end: (account, session) => bus.publish(accounts, 'ended', account, { session }),
  };
  bus.handle(accounts, 'keys', async () => {
    tokens.asked += 1;
    if (tokens.down) throw new Error('down');
    const published = keys.map(async ({ kid, pair }) => {
      const { kty = '', n = '', e = '' } = await exportJWK(pair.publicKey);
      return { kid, alg: accessToken.algorithm, use: 'sig', kty, n, e };
    });
    return { keys: await Promise.all(published) };
  });
  return tokens;
}
