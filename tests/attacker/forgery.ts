/** Tokens and proofs made from what lies in the databases and in recorded requests. */
import { createHash, createHmac, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import type { Sent } from '@island/appliance/verify/recording.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { accessToken } from '@island/services/accounts/contract.ts';
import { bytesIn, rowsOf, type Table } from './databases.ts';

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Somebody's session or joining, named as the databases name it, with every signature that can be tried. */
export function forgedTokens(tables: readonly Table[], account: string): Map<string, string> {
  const [key] = rowsOf(tables, 'accounts', 'signing_keys');
  const sealed = bytesIn(key, 'sealed');
  const kid = String(key?.['kid']);
  const own = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = own.publicKey.export({ format: 'jwk' });
  const now = Math.floor(Date.now() / 1000);
  const common = { iss: accessToken.issuer, sub: account, iat: now, jti: 'forged' };
  const sessions = rowsOf(tables, 'accounts', 'families').filter(
    (row) => row['account'] === account && row['ended'] === null,
  );
  const joinings = rowsOf(tables, 'accounts', 'joinings').filter(
    (row) => row['account'] === account,
  );
  const bodies = [
    ...sessions.map(({ id, device }) => ({
      ...{ ...common, sid: id, dev: device, exp: now + limits.accessSeconds },
      aud: accessToken.audience,
    })),
    ...joinings.map(({ id }) => ({
      ...{ ...common, sid: id, exp: now + limits.joiningSeconds },
      aud: accessToken.joiningAudience,
    })),
  ];
  const head = { alg: accessToken.algorithm, kid, typ: 'at+jwt' };
  const ways: [string, object, (text: string) => Buffer][] = [
    ['a key of one’s own', head, (text) => sign('sha256', Buffer.from(text), own.privateKey)],
    [
      'a key of one’s own, brought along',
      { ...head, jwk },
      (text) => sign('sha256', Buffer.from(text), own.privateKey),
    ],
    ['no key', { ...head, alg: 'none' }, () => Buffer.alloc(0)],
    [
      'the sealed key as a secret',
      { ...head, alg: 'HS256' },
      (text) => createHmac('sha256', sealed).update(text).digest(),
    ],
    [
      'the name of the key as a secret',
      { ...head, alg: 'HS256' },
      (text) => createHmac('sha256', kid).update(text).digest(),
    ],
  ];
  const tokens = new Map<string, string>();
  for (const body of bodies)
    for (const [what, header, signature] of ways) {
      const text = `${part(header)}.${part(body)}`;
      const signed = `${text}.${signature(text).toString('base64url')}`;
      tokens.set(`${what}: ${'dev' in body ? 'session' : 'joining'} ${body.sid}`, signed);
    }
  return tokens;
}

/** Whether the bytes of the signing key are a key as they lie there. */
export function isKey(der: Uint8Array): boolean {
  for (let from = 0; from < Math.min(der.length, 64); from++)
    try {
      createPrivateKey({ key: Buffer.from(der.subarray(from)), format: 'der', type: 'pkcs8' });
      return true;
    } catch {
      // not from here on
    }
  return false;
}

/** What might be a refresh token: what the rows hold, what follows from it, and what was sent. */
export function tokensToTry(tables: readonly Table[], sent: readonly Sent[]): string[] {
  const rows = rowsOf(tables, 'accounts', 'refresh_tokens');
  const hashes = rows.flatMap(({ hash, next }) =>
    [hash, next].filter((value) => value instanceof Uint8Array),
  );
  const attempts = sent.flatMap(({ path, body }) =>
    path === '/v1/refresh' ? [JSON.parse(Buffer.from(body).toString('utf8'))] : [],
  );
  const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
  const keys = [Buffer.alloc(32), ...hashes];
  const derived = attempts.flatMap(({ refresh, attempt }) => {
    const said = Buffer.concat([
      Buffer.from(refresh, 'base64url'),
      Buffer.from(attempt ?? '', 'base64url'),
    ]);
    return [sha256(said), ...keys.map((key) => createHmac('sha256', key).update(said).digest())];
  });
  return [...hashes, ...hashes.map(sha256), ...derived].map((bytes) =>
    Buffer.from(bytes).toString('base64url'),
  );
}
