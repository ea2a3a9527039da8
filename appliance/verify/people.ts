/**
 * Two throw-away people who join like anybody, through the SDK and the edge, and keep nothing. What they
 * send is remembered, so that a check can look for what must not be in it.
 */
import { randomBytes } from 'node:crypto';
import { register } from '@island/client/joining/registration.ts';
import type { Platform } from '@island/client/platform.ts';
import { nodePlatform } from '@island/client/platform-node.ts';
import {
  type Credentials,
  type Second,
  showCredentials,
} from '@island/client/sign-in/credentials.ts';
import { withNonce } from '@island/client/sign-in/nonces.ts';
import { call, type Transport } from '@island/client/transport/transport.ts';
import { formatIslandLink, type RecoverLink } from '@island/protocol/wire/island-link.ts';
import type { Answer, RequestText } from '@island/protocol/wire/routes.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import { type Device, freshHome, openDevice } from './device.ts';
import { type Recording, recording, type Sent } from './recording.ts';

export interface Person extends Device, Recording {
  name: string;
  /** In the clear, to be looked for elsewhere. */
  password: string;
  platform: Platform;
  /** The backup codes, as a person has them. */
  codes: string[];
  /** Which island is meant and who, for somebody with nothing but the password and a code. */
  recoverLink: RecoverLink;
}

export interface Joins {
  /** `https://host:port`. */
  address: string;
  /** base64url. */
  caFingerprint: string;
  invite: string;
  name?: string;
  password?: string;
  /** Instead of Node's own. */
  base?: Platform;
}

/** Registers somebody. Throws the faults and problems of the SDK. */
export async function newPerson(joins: Joins): Promise<Person> {
  const { address, invite, base = nodePlatform } = joins;
  const name = joins.name ?? `verify-${randomBytes(5).toString('hex')}`;
  const password = joins.password ?? randomBytes(18).toString('base64url');
  const kept: Recording = { sent: [], hashes: [] };
  const platform = recording(base, kept);
  const joining = freshHome(platform);
  const caFingerprint = fromBase64url(joins.caFingerprint);
  const link = formatIslandLink({ kind: 'join', address, caFingerprint, invite });
  const { codes } = await register(joining, link, name, { password });
  const device = await openDevice(joining, password);
  const recoverLink = { kind: 'recover', address, caFingerprint, name } as const;
  return { ...device, ...kept, name, password, platform, codes, recoverLink };
}

/** Hashes once; each call of the answer asks for leave to join, as somebody does who has no device. */
export async function askingToJoin(
  { joining, transport, account, name, password }: Person,
  second?: Second,
  credentials: Credentials = { password },
): Promise<(over?: Transport) => Promise<Answer<'beginJoining'>>> {
  const { root } = account;
  const asker = { name, root };
  const showing = await showCredentials(joining, transport, asker, credentials, second);
  return (over = transport) =>
    withNonce(over, (nonce) =>
      call(over, 'beginJoining', { name, ...showing.at(nonce), nonce: base64url(nonce) }),
    );
}

/** The registration as it went over the wire. */
export const registration = (sent: readonly Sent[]): RequestText<'register'> =>
  lastTo(sent, 'register');

/** The last request to a route, as it went over the wire. */
export function lastTo<N extends 'register' | 'login'>(
  sent: readonly Sent[],
  route: N,
): RequestText<N> {
  const found = sent.findLast(({ path }) => path === `/v1/${route}`);
  if (found === undefined) throw new Error(`no ${route} was sent`);
  return JSON.parse(Buffer.from(found.body).toString('utf8')) as RequestText<N>;
}
