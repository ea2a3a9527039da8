/**
 * Two throw-away people who join like anybody, through the SDK and the edge, and keep nothing. Their
 * transport remembers all that it sends, so that a check can look for what must not be in it.
 */
import { randomBytes } from 'node:crypto';
import { type AccountRecord, openAccount } from '@island/client/account.ts';
import { type Credentials, type Second, showCredentials } from '@island/client/credentials.ts';
import { withNonce } from '@island/client/nonces.ts';
import type { Platform } from '@island/client/platform.ts';
import { nodePlatform } from '@island/client/platform-node.ts';
import { register } from '@island/client/registration.ts';
import type { Storage } from '@island/client/storage.ts';
import { memoryStorage } from '@island/client/storage-memory.ts';
import { call, type HttpRequest, type Transport } from '@island/client/transport.ts';
import {
  aboutLogin,
  aboutRefresh,
  proofUses,
  proveDevice,
} from '@island/protocol/crypto/session-proof.ts';
import { formatIslandLink } from '@island/protocol/wire/island-link.ts';
import type { RequestText } from '@island/protocol/wire/routes.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import type { Scene } from './scene.ts';

export interface Sent {
  path: string;
  token: string | undefined;
  body: Uint8Array;
}

export interface Person extends AsyncDisposable {
  name: string;
  /** In the clear, to be looked for elsewhere. */
  password: string;
  /** What Argon2id made of it, before anything else was. */
  hashes: Uint8Array[];
  account: AccountRecord;
  storage: Storage;
  platform: Platform;
  transport: Transport;
  /** Everything sent so far, newest last. */
  sent: Sent[];
  /** The backup codes, as a person has them. */
  codes: string[];
  /** Signs in afresh, beside the session that the storage has. */
  login(shown?: Partial<Credentials> & { second?: Second }): Promise<Tokens>;
  /** Exchanges a refresh token, with a fresh nonce and the proof of this device. */
  refresh(token: string, attempt?: string): Promise<Tokens>;
}

interface Tokens {
  access: string;
  refresh: string;
}

/** Registers somebody. Throws the faults and problems of the SDK. */
export async function newPerson(scene: Scene, invite: string): Promise<Person> {
  const sent: Sent[] = [];
  const hashes: Uint8Array[] = [];
  const platform: Platform = {
    ...nodePlatform,
    async argon2id(...args) {
      const hash = await nodePlatform.argon2id(...args);
      // A copy: the SDK wipes what it is given.
      hashes.push(new Uint8Array(hash));
      return hash;
    },
    transport: (pinned) => remembering(nodePlatform.transport(pinned), sent),
  };
  const storage = memoryStorage();
  const name = `verify-${randomBytes(5).toString('hex')}`;
  const password = randomBytes(18).toString('base64url');
  const { address, caFingerprint } = scene.status;
  const link = formatIslandLink({
    kind: 'join',
    address,
    caFingerprint: fromBase64url(caFingerprint),
    invite,
  });
  const joining = { storage, platform, now: Date.now };
  const { account, codes } = await register(joining, link, name, { password });
  const { device, dsk } = openAccount(account);
  const self = { account: account.account, device };
  const transport = platform.transport(account);
  return {
    name,
    password,
    hashes,
    account,
    storage,
    platform,
    transport,
    sent,
    codes,
    async login({ second, ...shown } = {}) {
      const asker = { name, device };
      const credentials = { password, ...shown };
      const showing = await showCredentials(joining, transport, asker, credentials, second);
      const about = aboutLogin(showing.shown);
      return withNonce(transport, async (nonce) => {
        const proof = proveDevice(dsk, { ...self, nonce, use: proofUses.login, about });
        const signed = { nonce: base64url(nonce), deviceProof: base64url(proof) };
        const request = { name, ...showing.at(nonce), device, ...signed };
        const { access, refresh } = await call(transport, 'login', request);
        return { access, refresh };
      });
    },
    refresh: (token, attempt) =>
      withNonce(transport, (nonce) => {
        const about = aboutRefresh(
          fromBase64url(token),
          attempt === undefined ? undefined : fromBase64url(attempt),
        );
        const proof = proveDevice(dsk, { ...self, nonce, use: proofUses.refresh, about });
        const signed = { nonce: base64url(nonce), deviceProof: base64url(proof) };
        const chosen = attempt === undefined ? {} : { attempt };
        return call(transport, 'refresh', { refresh: token, ...chosen, ...signed });
      }),
    async [Symbol.asyncDispose]() {
      await transport[Symbol.asyncDispose]();
      await storage[Symbol.asyncDispose]();
    },
  };
}

/** The registration as it went over the wire. */
export function registration(sent: readonly Sent[]): RequestText<'register'> {
  const found = sent.find(({ path }) => path === '/v1/register');
  if (found === undefined) throw new Error('no registration was sent');
  return JSON.parse(Buffer.from(found.body).toString('utf8')) as RequestText<'register'>;
}

function remembering(transport: Transport, sent: Sent[]): Transport {
  const keep = (path: string, body: Uint8Array, token?: string): void => {
    sent.push({ path, token, body: new Uint8Array(body) });
  };
  return {
    address: transport.address,
    request(request: HttpRequest) {
      keep(request.path, Buffer.from(request.body ?? ''), request.token);
      return transport.request(request);
    },
    send(body, signal) {
      keep('/v1/send', body);
      return transport.send(body, signal);
    },
    async socket(path, signal) {
      const socket = await transport.socket(path, signal);
      return {
        get code() {
          return socket.code;
        },
        frames: socket.frames,
        close: () => socket.close(),
        cut: () => socket.cut(),
        send(frame) {
          keep(path, frame);
          socket.send(frame);
        },
      };
    },
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };
}
