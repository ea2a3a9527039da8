/** A device of a throw-away person: a home in memory, and what can be asked with its keys. */
import { type AccountRecord, openAccount, readAccount } from '@island/client/account/account.ts';
import type { Keeping } from '@island/client/account/key-changes.ts';
import { type Islander, openIslander } from '@island/client/islander.ts';
import type { Joining } from '@island/client/joining/joining-parts.ts';
import type { Platform } from '@island/client/platform.ts';
import {
  type Credentials,
  type Second,
  showCredentials,
} from '@island/client/sign-in/credentials.ts';
import { withNonce } from '@island/client/sign-in/nonces.ts';
import { openSession, type Session, sessionKey } from '@island/client/sign-in/session.ts';
import { memoryStorage } from '@island/client/storage/memory.ts';
import type { Storage } from '@island/client/storage/storage.ts';
import { call, type Transport } from '@island/client/transport/transport.ts';
import {
  aboutLogin,
  aboutRefresh,
  proofUses,
  proveDevice,
} from '@island/protocol/crypto/session-proof.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';

export interface Tokens {
  access: string;
  refresh: string;
}

/** What is shown beside the password that was hashed. */
export type Shown = Partial<Credentials> & { second?: Second };

export interface Device extends AsyncDisposable {
  joining: Joining;
  account: AccountRecord;
  transport: Transport;
  /** The session that its storage has. */
  session: Session;
  /** What changing the keys of the account needs. */
  keeping: Keeping;
  /** Hashes once; each call of the answer, over whatever transport, is a sign-in with a nonce of its own. */
  signing(shown?: Shown): Promise<(over?: Transport) => Promise<Tokens>>;
  /** Signs in afresh, beside the session that the storage has. */
  login(shown?: Shown): Promise<Tokens>;
  /** Exchanges a refresh token, with a fresh nonce and the proof of this device. */
  refresh(token: string, attempt?: string, over?: Transport): Promise<Tokens>;
  /** The same home as a program opens it. */
  open(): Promise<Islander>;
}

/** A home in which nobody is yet. */
export const freshHome = (platform: Platform): Joining => ({
  storage: memoryStorage(),
  platform,
  now: Date.now,
});

/** What a home keeps of its session. */
export async function tokensOf(storage: Storage): Promise<Tokens> {
  const row = await storage.read(sessionKey.namespace, sessionKey.key);
  if (row === undefined) throw new Error('this home is signed out');
  const { access, refresh } = JSON.parse(Buffer.from(row.bytes).toString('utf8')) as Tokens;
  return { access, refresh };
}

/** The device of a home that has joined. */
export async function openDevice(joining: Joining, password: string): Promise<Device> {
  const { storage, platform, now } = joining;
  const account = await readAccount(storage);
  if (account?.state !== 'registered') throw new Error('nobody has joined here');
  const self = openAccount(account);
  const { name, device, dsk } = self;
  const transport = platform.transport(account);
  const session = openSession({ storage, transport, account: self, now });
  const claimed = { account: self.account, device };

  async function signing({ second, ...shown }: Shown = {}) {
    const credentials = { password, ...shown };
    const showing = await showCredentials(
      joining,
      transport,
      { name, device, root: self.pinned.root },
      credentials,
      second,
    );
    const about = aboutLogin(showing.shown);
    return (over = transport): Promise<Tokens> =>
      withNonce(over, async (nonce) => {
        const proof = proveDevice(dsk, { ...claimed, nonce, use: proofUses.login, about });
        const signed = { nonce: base64url(nonce), deviceProof: base64url(proof) };
        const request = { name, ...showing.at(nonce), device, ...signed };
        const { access, refresh } = await call(over, 'login', request);
        return { access, refresh };
      });
  }

  return {
    joining,
    account,
    transport,
    session,
    keeping: { storage, session, now },
    signing,
    login: async (shown) => (await signing(shown))(),
    refresh: (token, attempt, over = transport) =>
      withNonce(over, (nonce) => {
        const chosen = attempt === undefined ? undefined : fromBase64url(attempt);
        const about = aboutRefresh(fromBase64url(token), chosen);
        const proof = proveDevice(dsk, { ...claimed, nonce, use: proofUses.refresh, about });
        const signed = { nonce: base64url(nonce), deviceProof: base64url(proof) };
        return call(over, 'refresh', {
          refresh: token,
          ...(attempt !== undefined && { attempt }),
          ...signed,
        });
      }),
    open: () => openIslander({ storage, platform, on: () => undefined }),
    async [Symbol.asyncDispose]() {
      await transport[Symbol.asyncDispose]();
      await storage[Symbol.asyncDispose]();
    },
  };
}
