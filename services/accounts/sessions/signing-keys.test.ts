/** The keys of access tokens and their rotation (A5), on real SQLite. docs/protocol/accounts.md §4 */
import { createPrivateKey, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { deviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose';
import t from 'tap';
import { openStore } from '../../kit/store.ts';
import { testLog } from '../../kit/testing/pki.ts';
import { testSealing } from '../../kit/testing/vault.ts';
import { accessToken } from '../contract.ts';
import * as schema from '../schema.ts';
import { openSigningKeys, rotation } from './signing-keys.ts';

const day = 86_400;
const claims = { account: randomBytes(16).toString('hex'), device: deviceId(1), session: 's' };
const sealing = testSealing();
const migrations = join(import.meta.dirname, '../migrations');

const openAt = (dir: string) =>
  openStore({ file: join(dir, 'accounts.sqlite'), schema, migrations, log: testLog() });

/** The `kid` of the token, once it is verified with what is published. */
async function verify(
  access: string,
  keys: Record<string, string>[],
  now: number,
  audience: string = accessToken.audience,
) {
  const { protectedHeader } = await jwtVerify(access, createLocalJWKSet({ keys }), {
    issuer: accessToken.issuer,
    audience,
    currentDate: new Date(now * 1000),
  });
  return String(protectedHeader.kid);
}

t.test(
  'A5: keys rotate with overlapping kid: published before use, kept until no token needs them',
  async (t) => {
    await using store = await openAt(t.testdir());
    let now = 1_800_000_000;
    const keys = await openSigningKeys(store, { now: () => now * 1000 }, sealing);
    const seen = new Map<string, number>();
    const used: string[] = [];
    const end = now + 3 * rotation.signs;
    while (now < end) {
      await keys.rotate();
      for (const { kid = '' } of await keys.published()) if (!seen.has(kid)) seen.set(kid, now);
      const access = await keys.sign(claims);
      const joining = await keys.signJoining({ account: claims.account, joining: 'j' });
      const kid = await verify(access, await keys.published(), now);
      if (!used.includes(kid)) {
        const early = now - (seen.get(kid) ?? now);
        t.ok(used.length === 0 || early >= rotation.before / 2, `published ${early} s before use`);
        used.push(kid);
      }
      // A joining token lives longest.
      const lastMoment = limits.joiningSeconds - 1;
      now += lastMoment;
      await keys.rotate();
      await verify(joining, await keys.published(), now, accessToken.joiningAudience);
      now += day / 3 - lastMoment;
    }
    t.equal(used.length, 3);
    t.ok((await keys.published()).length <= 2, 'old ones are forgotten');
  },
);

t.test('A5: the keys outlast a restart; after a long stop a new one signs at once', async (t) => {
  const dir = t.testdir();
  let now = 1_800_000_000;
  const clock = { now: () => now * 1000 };
  const published = async () => {
    await using store = await openAt(dir);
    const keys = await openSigningKeys(store, clock, sealing);
    const access = await keys.sign(claims);
    await verify(access, await keys.published(), now);
    return (await keys.published()).map(({ kid }) => kid);
  };
  const before = await published();
  t.same(await published(), before);
  now += 10 * rotation.signs;
  const after = await published();
  t.equal(after.length, 1);
  t.notSame(after, before);
});

t.test('A5: many sign-ins at the moment of a rotation make one key', async (t) => {
  await using store = await openAt(t.testdir());
  let now = 1_800_000_000;
  const keys = await openSigningKeys(store, { now: () => now * 1000 }, sealing);
  now += 2 * rotation.signs;
  const all = await Promise.all(Array.from({ length: 16 }, () => keys.sign(claims)));
  const kids = await Promise.all(
    all.map(async (access) => verify(access, await keys.published(), now)),
  );
  t.equal(new Set(kids).size, 1);
});

t.test('A5: what is published is public', async (t) => {
  await using store = await openAt(t.testdir());
  const keys = await openSigningKeys(store, { now: Date.now }, sealing);
  for (const key of await keys.published()) {
    t.same(Object.keys(key).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);
  }
});

t.test('A5: a joining token is no access token, and names no device', async (t) => {
  await using store = await openAt(t.testdir());
  const keys = await openSigningKeys(store, { now: () => 1_800_000_000_000 }, sealing);
  const token = await keys.signJoining({ account: claims.account, joining: 'j' });
  await t.rejects(verify(token, await keys.published(), 1_800_000_000));
  const { sub, sid, dev, exp, iat } = decodeJwt(token);
  t.match({ sub, sid, dev }, { sub: claims.account, sid: 'j', dev: undefined });
  t.equal(Number(exp) - Number(iat), limits.joiningSeconds);
});

t.test('A5: the database alone signs nothing: keys are sealed, each to its row', async (t) => {
  const dir = t.testdir();
  const clock = { now: () => 1_800_000_000_000 };
  {
    await using store = await openAt(dir);
    await openSigningKeys(store, clock, sealing);
    const [row] = await store.read.select().from(schema.signingKeys);
    const sealed = row?.sealed ?? Buffer.alloc(0);
    t.throws(() => createPrivateKey({ key: sealed, format: 'der', type: 'pkcs8' }));
    const stranger = testSealing();
    await t.rejects(openSigningKeys(store, clock, stranger), /does not open/);
    await store.write((db) => db.update(schema.signingKeys).set({ kid: 'another' }));
  }
  await using store = await openAt(dir);
  await t.rejects(openSigningKeys(store, clock, sealing), /does not open/, 'moved to another row');
});
