/** Who may join: modes, invites, applicants. docs/protocol/accounts.md §1 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '@island/protocol/wire/fault.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { eq } from 'drizzle-orm';
import t from 'tap';
import { openStore } from '../../kit/store.ts';
import { faultCode } from '../../kit/testing/outcome.ts';
import { testLog } from '../../kit/testing/pki.ts';
import * as schema from '../schema.ts';
import {
  applicationSeconds,
  checkDecided,
  decide,
  forgetApplicants,
  listApplicants,
  refusalSeconds,
} from './applicants.ts';
import { grantHash } from './grants.ts';
import { createInvite, inviteHash, listInvites, withdrawInvite } from './invites.ts';
import { admit, checkAdmission, registrationMode, setRegistration, type Ticket } from './policy.ts';

const dir = await mkdtemp(join(tmpdir(), 'pi-policy-'));
const store = await openStore({
  file: join(dir, 'accounts.sqlite'),
  schema,
  migrations: join(import.meta.dirname, '../migrations'),
  log: testLog(),
});
t.teardown(async () => {
  await store[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});
const { people } = schema;
const now = 1_800_000_000;
const day = 86_400;

const invite = (change: { uses?: number; expires?: number; role?: 'admin' | 'member' } = {}) =>
  store.write((db) =>
    createInvite(db, { uses: 1, expires: now + 3600, role: 'member', ...change }),
  );
const mode = (registration: Parameters<typeof setRegistration>[1]) =>
  store.write((db) => setRegistration(db, registration));
const enter = (ticket: Ticket, at = now) => store.write((db) => admit(db, ticket, at));

async function grant(subject = randomBytes(32)): Promise<Uint8Array> {
  const made = randomBytes(32);
  await store.write((db) =>
    db.insert(schema.oidcFlows).values({
      flow: randomBytes(32),
      state: randomBytes(32),
      sealed: randomBytes(8),
      stage: 'granted',
      grantHash: grantHash(made),
      subject,
      expires: now + 600,
    }),
  );
  return made;
}

/** Somebody's row, as registration writes it. */
async function person(name: string, ticket: Ticket, at = now): Promise<void> {
  await store.write(async (db) => {
    const { oidcSubject, ...admission } = await admit(db, ticket, at);
    await db.insert(people).values({
      ...admission,
      account: hex(randomBytes(16)),
      name,
      oidcSubject,
      verifier: oidcSubject === null ? 'x' : null,
      passwordKey: oidcSubject === null ? Buffer.alloc(1) : null,
      codeSalt: Buffer.alloc(16),
      codeMemory: 1,
      codePasses: 1,
      codeLanes: 1,
      registration: randomBytes(32),
      since: at,
    });
  });
}

async function stateOf(name: string) {
  const [row] = await store.read.select().from(people).where(eq(people.name, name));
  return row?.state;
}

t.test('a new island asks for an invite', async (t) => {
  t.equal(await registrationMode(store.read), 'invite');
});

t.test('the four modes: what each asks for', async (t) => {
  const expected = {
    closed: ['registration_closed', 'registration_closed', 'registration_closed'],
    invite: ['invite_needed', 'pending', 'pending'],
    approval: ['waiting', 'pending', 'pending'],
    open: ['pending', 'pending', 'pending'],
  } as const;
  for (const [name, [nothing, invited, granted]] of Object.entries(expected)) {
    await mode(name as keyof typeof expected);
    const outcome = async (ticket: Ticket) => {
      const looked = await faultCode(checkAdmission(store.read, ticket, now));
      const took = await enter(ticket).then(
        ({ state }) => state,
        (error: unknown) => (error instanceof Fault ? error.code : error),
      );
      t.equal(looked, took === 'pending' || took === 'waiting' ? 'resolved' : took, 'the same');
      return took;
    };
    t.equal(await outcome({}), nothing, `${name}: nothing`);
    t.equal(await outcome({ invite: await invite() }), invited, `${name}: invite`);
    t.equal(await outcome({ grant: await grant() }), granted, `${name}: grant`);
  }
});

t.test('an invite that is not good is refused, whatever the mode', async (t) => {
  const used = await invite();
  await mode('open');
  await enter({ invite: used });
  const expired = await invite({ expires: now });
  for (const name of ['invite', 'approval', 'open'] as const) {
    await mode(name);
    for (const [ticket, code] of [
      [{ invite: 'never-made' }, 'invite_invalid'],
      [{ invite: used }, 'invite_used'],
      [{ invite: expired }, 'invite_expired'],
      [{ invite: used, grant: await grant() }, 'invite_used'],
    ] as const) {
      t.equal(await faultCode(checkAdmission(store.read, ticket, now)), code);
      t.equal(await faultCode(enter(ticket)), code, `${name}: ${code}`);
    }
  }
});

t.test('an invite gives its role; without one people are members', async (t) => {
  await mode('open');
  t.equal((await enter({})).role, 'member');
  t.equal((await enter({ invite: await invite({ role: 'admin' }) })).role, 'admin');
  const both = { invite: await invite({ role: 'admin' }), grant: await grant() };
  t.equal((await enter(both)).role, 'admin', 'also beside a grant');
});

t.test('pitfall: looking takes nothing; 64 at once with an invite for three: three', async (t) => {
  await mode('invite');
  const code = await invite({ uses: 3 });
  for (let i = 0; i < 5; i++) await checkAdmission(store.read, { invite: code }, now);
  const outcomes = await Promise.all(
    Array.from({ length: 64 }, () => faultCode(enter({ invite: code }))),
  );
  t.equal(outcomes.filter((one) => one === 'resolved').length, 3);
  t.equal(outcomes.filter((one) => one === 'invite_used').length, 61);
});

t.test('pitfall: 64 at once with one grant: one', async (t) => {
  const one = await grant();
  const outcomes = await Promise.all(
    Array.from({ length: 64 }, () => faultCode(enter({ grant: one }))),
  );
  t.equal(outcomes.filter((code) => code === 'resolved').length, 1);
  t.equal(outcomes.filter((code) => code === 'wrong_credentials').length, 63);
});

t.test('pitfall: a refused grant leaves the invite unused', async (t) => {
  const code = await invite();
  const ticket = { invite: code, grant: randomBytes(32) };
  t.equal(await faultCode(checkAdmission(store.read, ticket, now)), 'wrong_credentials');
  t.equal(await faultCode(enter(ticket)), 'wrong_credentials');
  t.equal((await enter({ invite: code })).state, 'pending');
});

t.test('one person of the organisation has one account', async (t) => {
  const subject = randomBytes(32);
  await person('grace', { grant: await grant(subject) });
  const again = { grant: await grant(subject) };
  t.equal(await faultCode(checkAdmission(store.read, again, now)), 'account_exists');
  t.equal(await faultCode(enter(again)), 'account_exists');
});

t.test('invites are listed by a hint as long as they are good, and withdrawn by it', async (t) => {
  for (const { hint } of await listInvites(store.read, now))
    await store.write((db) => withdrawInvite(db, hint, now));
  const kept = await invite({ uses: 2, role: 'admin', expires: now + 7200 });
  const gone = await invite();
  await enter({ invite: kept });
  const hintOf = (code: string) => hex(inviteHash(code)).slice(0, 8);
  t.same(await listInvites(store.read, now), [
    { hint: hintOf(gone), uses: 1, used: 0, expires: now + 3600, role: 'member' },
    { hint: hintOf(kept), uses: 2, used: 1, expires: now + 7200, role: 'admin' },
  ]);
  await store.write((db) => withdrawInvite(db, hintOf(gone), now));
  t.equal(await faultCode(enter({ invite: gone })), 'invite_invalid');
  for (const hint of [hintOf(gone), '', '%', hintOf(kept).slice(0, 7)])
    t.equal(await faultCode(store.write((db) => withdrawInvite(db, hint, now))), 'not_found');
  await enter({ invite: kept });
  t.same(await listInvites(store.read, now), [], 'used up');
});

t.test('an operator lets an applicant in, or not, and may change their mind', async (t) => {
  await mode('approval');
  await person('ada', {});
  await person('bob', {}, now + 1);
  await person('eve', { invite: await invite() });
  t.same(await listApplicants(store.read), [
    { name: 'ada', since: now },
    { name: 'bob', since: now + 1 },
  ]);
  const say = (name: string, admitted: boolean) =>
    store.write((db) => decide(db, name, admitted, now + 2));
  await say('ada', true);
  await say('bob', false);
  t.same(await listApplicants(store.read), []);
  t.same([await stateOf('ada'), await stateOf('bob')], ['admitted', 'refused']);
  await say('bob', true);
  t.equal(await stateOf('bob'), 'admitted');
  await say('bob', false);
  t.equal(await faultCode(say('eve', true)), 'not_found', 'needs nobody');
  t.equal(await faultCode(say('nobody', true)), 'not_found');
  const heard = (state: 'waiting' | 'admitted' | 'refused' | 'pending' | 'active') =>
    faultCode((async () => checkDecided({ state }))());
  t.equal(await heard('waiting'), 'approval_pending');
  t.equal(await heard('refused'), 'approval_refused');
  for (const state of ['admitted', 'pending', 'active'] as const)
    t.equal(await heard(state), 'resolved');
});

t.test('a refusal frees the name after a day, silence after thirty', async (t) => {
  await person('carol', {}, now);
  const forget = (at: number) => store.write((db) => forgetApplicants(db, at));
  await forget(now + 2 + refusalSeconds);
  t.equal(await stateOf('bob'), 'refused', 'not before');
  await forget(now + 3 + day);
  t.equal(await stateOf('bob'), undefined);
  t.same([await stateOf('ada'), await stateOf('carol')], ['admitted', 'waiting']);
  await forget(now + 3 + applicationSeconds);
  t.equal(await stateOf('carol'), undefined);
  t.equal(await stateOf('ada'), 'pending', 'for retention to settle');
});

t.test('those who wait go on waiting when the mode changes', async (t) => {
  await mode('approval');
  await person('dora', {});
  await mode('closed');
  t.equal(await stateOf('dora'), 'waiting');
  await store.write((db) => decide(db, 'dora', true, now));
  t.equal(await stateOf('dora'), 'admitted');
});

t.test('pitfall: names are not taken by thousands of applicants', async (t) => {
  await mode('approval');
  await store.write(async (db) => {
    const [row] = await db.select().from(people).limit(1);
    if (row === undefined) throw new Error('nobody');
    for (let i = 0; i < 1000; i++) {
      const account = hex(randomBytes(16));
      const oidcSubject = randomBytes(32);
      const nobody = { verifier: null, passwordKey: null, oidcSubject };
      await db
        .insert(people)
        .values({ ...row, ...nobody, account, name: `n${i}`, state: 'waiting' });
    }
  });
  t.equal(await faultCode(checkAdmission(store.read, {}, now)), 'rate_limited');
  t.equal(await faultCode(enter({})), 'rate_limited');
  t.equal((await enter({ invite: await invite() })).state, 'pending', 'invites are let in');
});

t.end();
