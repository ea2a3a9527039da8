/** A5: access tokens of 15 minutes, refresh tokens that rotate, and what re-use of one costs. docs/protocol/accounts.md §4 */
import { createHmac, randomBytes } from 'node:crypto';
import { call } from '@island/client/transport/transport.ts';
import { encodeClientFrame } from '@island/protocol/wire/frames.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { socketPath } from '@island/protocol/wire/routes.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import type { Device } from './device.ts';
import { type Finding, type Findings, found } from './finding.ts';
import { askingToJoin, type Person } from './people.ts';
import { manyTimes, oneOf, refusal, storm, told } from './storm.ts';

export async function checkTokens(person: Person): Promise<Findings> {
  const first = await person.login();
  return {
    summary:
      'RS256, 15 minutes; forged tokens are refused; re-use of a refresh token, also many times at once, ends the whole family and its sockets',
    findings: [
      ...(await checkAccess(person, first.access)),
      ...(await checkJoining(person, first.access)),
      ...(await checkFamily(person, first)),
      ...(await checkManyAtOnce(person)),
    ],
  };
}

const part = (token: string, index: number): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[index] ?? '', 'base64url').toString('utf8'));

async function checkAccess({ transport }: Person, access: string): Promise<Finding[]> {
  const header = part(access, 0);
  const { exp, iat } = part(access, 1);
  const life = Number(exp) - Number(iat);
  const ask = (token: string): Promise<string> =>
    refusal(() => call(transport, 'prekeyCount', {}, { token }));
  const [head = '', body = '', signature = ''] = access.split('.');
  const text = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const hmacHead = text({ ...header, alg: 'HS256' });
  const hmac = createHmac('sha256', head).update(`${hmacHead}.${body}`).digest('base64url');
  const forged: Record<string, string> = {
    'another signature': `${head}.${body}.${base64url(new Uint8Array(randomBytes(256)))}`,
    'another person in it': `${head}.${text({ ...part(access, 1), sub: '0'.repeat(32) })}.${signature}`,
    'the algorithm "none"': `${text({ ...header, alg: 'none' })}.${body}.`,
    'the algorithm HS256': `${hmacHead}.${body}.${hmac}`,
    'an unknown key': `${text({ ...header, kid: 'verify' })}.${body}.${signature}`,
  };
  const rows = Object.entries(forged).map(async ([what, token]) => {
    const code = await ask(token);
    return found(code === 'unauthenticated', `an access token with ${what}: ${code}`);
  });
  return [
    found(header['alg'] === 'RS256', `access tokens are signed with ${header['alg']}`),
    found(typeof header['kid'] === 'string', 'and name the key that signed them'),
    found(life === limits.accessSeconds, `and live ${life} seconds`),
    found((await ask(access)) === 'accepted', 'a good access token is accepted'),
    ...(await Promise.all(rows)),
  ];
}

/** A token for who has no device yet is of another kind. */
async function checkJoining(person: Person, access: string): Promise<Finding[]> {
  const { transport } = person;
  const { joining } = await (await askingToJoin(person))();
  const { exp, iat } = part(joining, 1);
  const life = Number(exp) - Number(iat);
  const asAccess = await refusal(() => call(transport, 'account', {}, { token: joining }));
  const asJoining = await refusal(() => call(transport, 'recovery', {}, { token: access }));
  return [
    found(life === limits.joiningSeconds, `a token to join with lives ${life} seconds`),
    found(asAccess === 'unauthenticated', `it in place of an access token: ${asAccess}`),
    found(asJoining === 'unauthenticated', `an access token in its place: ${asJoining}`),
  ];
}

/** Each with an attempt, a nonce and a proof of its own, so that none is a repetition of another. */
async function checkManyAtOnce(person: Person): Promise<Finding[]> {
  const { refresh } = await person.login();
  const given: string[] = [];
  const outcomes = await storm(person, [person.platform], async (over) => {
    const attempt = base64url(new Uint8Array(randomBytes(16)));
    given.push((await person.refresh(refresh, attempt, over)).refresh);
  });
  const after = await Promise.all(
    [refresh, ...given].map((token) => refusal(() => person.refresh(token))),
  );
  const dead = after.every((code) => code === 'session_revoked');
  return [
    found(
      oneOf(outcomes, ['session_revoked']),
      `${manyTimes} uses of one refresh token at once: ${told(outcomes)}`,
    ),
    found(dead, `afterwards the token, and what it gave: ${after.join(', ')}`),
  ];
}

async function checkFamily(
  person: Person,
  first: { access: string; refresh: string },
): Promise<Finding[]> {
  const { refresh } = person;
  const attempt = base64url(new Uint8Array(randomBytes(16)));
  const second = await refresh(first.refresh, attempt);
  const again = await refusal(() => refresh(first.refresh, attempt));
  const third = await refresh(second.refresh);
  const other = await person.login();
  await using socket = await openSocket(person, third.access);
  const reused = await refusal(() => refresh(first.refresh));
  const newest = await refusal(() => refresh(third.refresh));
  const code = await socket.ended;
  const apart = await refusal(() => refresh(other.refresh));
  return [
    found(
      second.refresh !== first.refresh && third.refresh !== second.refresh,
      'every exchange gives a new refresh token',
    ),
    found(again === 'accepted', `the same attempt repeated, as after a lost answer: ${again}`),
    found(reused === 'session_revoked', `an old refresh token used again: ${reused}`),
    found(newest === 'session_revoked', `then the newest of the same family: ${newest}`),
    found(code === 4401, `then the family's open socket: closed with ${code}`),
    found(apart === 'accepted', `another sign-in of the same person: ${apart}`),
  ];
}

/** A signed-in socket whose end can be awaited; `ended` is its close code. */
export async function openSocket(
  { transport }: Pick<Device, 'transport'>,
  access: string,
): Promise<AsyncDisposable & { ended: Promise<number> }> {
  const socket = await transport.socket(socketPath, AbortSignal.timeout(10_000));
  const ready = Promise.withResolvers<void>();
  const read = async (): Promise<number> => {
    for await (const _frame of socket.frames) ready.resolve();
    ready.resolve();
    return socket.code;
  };
  const ended = read();
  socket.send(encodeClientFrame({ type: 'hello', access }));
  await ready.promise;
  return {
    ended,
    async [Symbol.asyncDispose]() {
      socket.close();
      await ended;
    },
  };
}
