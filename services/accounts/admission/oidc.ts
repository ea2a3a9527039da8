/**
 * Sign-in with the organisation: it decides who may join and sign in, and never holds a key.
 * docs/protocol/accounts.md §9
 *
 * Two parties take part in a flow: a client, which holds `flow`, and a browser, which holds `state`. The
 * grant goes to the client that also says the six digits which the browser shows at the end, so whoever
 * lures somebody else's browser through a sign-in that they began has nothing of it.
 *
 *     begun ─▶ returned ─▶ granted        begun or returned ─▶ refused; five wrong digits ─▶ refused
 */
import { createHash, createHmac, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { personName } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url, hex } from '@island/protocol/wire/text.ts';
import { and, count, eq, gt } from 'drizzle-orm';
import { type Clock, unixSeconds } from '../../kit/clock.ts';
import type { CallAnswer } from '../../kit/contract.ts';
import type { Sealing } from '../../kit/sealing.ts';
import type { accounts } from '../contract.ts';
import type { AccountsStore, Database } from '../database.ts';
import { oidcFlows } from '../schema.ts';
import { forgetFlows, grantHash } from './grants.ts';
import type { Identity, Organisation } from './organisation.ts';
import { readProvider } from './provider.ts';

export interface Oidc {
  begin(): Promise<CallAnswer<typeof accounts, 'oidcBegin'>>;
  returned(query: string): Promise<CallAnswer<typeof accounts, 'oidcReturn'>>;
  poll(flow: Uint8Array, digits?: string): Promise<CallAnswer<typeof accounts, 'oidcPoll'>>;
}

export interface OidcParts {
  store: AccountsStore;
  clock: Clock;
  sealing: Sealing;
  /** `secrets.subjects`: keys the hash of issuer and subject. */
  subjects: Uint8Array;
  organisation: Organisation;
  /** `https://host[:port]` of the island. */
  address: string;
}

type Flow = typeof oidcFlows.$inferSelect;

/** What a flow knows and its row does not show. */
interface Sealed {
  nonce: string;
  verifier: string;
  /** base64url */
  grant: string;
  digits: string;
}

/** Sign-ins under way at once, and answers of the provider being asked for at once. */
const mostFlows = 20_000;
const mostExchanges = 16;

export const callbackOf = (address: string): URL => new URL('/v1/oidc/callback', address);

const digest = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
const random = (): string => base64url(randomBytes(32));

export function createOidc(parts: OidcParts): Oidc {
  const { store, clock, sealing, subjects, organisation } = parts;
  const callback = callbackOf(parts.address);
  const now = () => unixSeconds(clock);
  const placeOf = (flow: Uint8Array) => ({
    table: 'oidc_flows',
    column: 'sealed',
    row: hex(flow),
  });
  const open = (flow: Flow): Sealed =>
    JSON.parse(Buffer.from(sealing.open(placeOf(flow.flow), flow.sealed)).toString());
  let exchanging = 0;

  /** Throws `oidc_unavailable` when there is none. */
  async function provider() {
    const found = await readProvider(store.read, sealing);
    if (found === undefined) throw new Fault('oidc_unavailable');
    return found;
  }

  /** The flow is this browser's alone from here on, and its code is exchanged once. */
  const take = (state: string): Promise<Flow | undefined> =>
    store.write(async (db) => {
      const flow = await present(db, eq(oidcFlows.state, digest(utf8Bytes(state))), now());
      if (flow?.stage === 'begun') await set(db, flow, { stage: 'returned' });
      return flow;
    });

  async function identify(flow: Flow, query: string, state: string): Promise<Identity | undefined> {
    if (exchanging >= mostExchanges) throw new Fault('unavailable');
    exchanging++;
    try {
      const returned = new URL(callback);
      returned.search = query;
      const { nonce, verifier } = open(flow);
      return await organisation.exchange(await provider(), returned, { state, nonce, verifier });
    } finally {
      exchanging--;
    }
  }

  return {
    async begin() {
      const flow = randomBytes(32);
      const state = random();
      const secrets: Sealed = {
        nonce: random(),
        verifier: random(),
        grant: random(),
        digits: String(randomInt(1_000_000)).padStart(6, '0'),
      };
      const url = await organisation.authorize(await provider(), callback, { state, ...secrets });
      await store.write(async (db) => {
        await forgetFlows(db, now());
        const [row] = await db.select({ n: count() }).from(oidcFlows);
        if ((row?.n ?? 0) >= mostFlows) throw new Fault('rate_limited', { seconds: 60 });
        await db.insert(oidcFlows).values({
          flow: digest(flow),
          state: digest(utf8Bytes(state)),
          sealed: sealing.seal(placeOf(digest(flow)), utf8Bytes(JSON.stringify(secrets))),
          stage: 'begun',
          expires: now() + limits.oidcSeconds,
        });
      });
      return { url, flow: new Uint8Array(flow) };
    },

    async returned(query) {
      const [state, ...others] = new URLSearchParams(query).getAll('state');
      const flow = state === undefined || others.length > 0 ? undefined : await take(state);
      if (flow === undefined || state === undefined) return { admitted: false };
      // The same page once more: the code is not exchanged again.
      if (flow.stage === 'granted') return { admitted: true, digits: open(flow).digits };
      if (flow.stage !== 'begun') return { admitted: false };
      let identity: Identity | undefined;
      try {
        identity = await identify(flow, query, state);
      } catch (error) {
        // Nobody has said no: the page may be loaded again.
        await store.write((db) => set(db, flow, { stage: 'begun' }));
        throw error;
      }
      if (identity === undefined) {
        await store.write((db) => set(db, flow, { stage: 'refused' }));
        return { admitted: false };
      }
      const { grant, digits } = open(flow);
      const granted = {
        stage: 'granted' as const,
        grantHash: grantHash(Buffer.from(grant, 'base64url')),
        subject: subjectHash(subjects, identity),
        name: nameHere(identity.called),
        expires: now() + limits.oidcSeconds,
      };
      await store.write((db) => set(db, flow, granted));
      return { admitted: true, digits };
    },

    async poll(id, digits) {
      const flow = await store.write(async (db) => {
        const found = await present(db, eq(oidcFlows.flow, digest(id)), now());
        if (found?.stage !== 'granted' || digits === undefined) return found;
        if (same(digits, open(found).digits)) return found;
        const tries = found.tries + 1;
        const stage = tries >= limits.oidcTries ? ('refused' as const) : found.stage;
        await set(db, found, { tries, stage });
        return { ...found, stage, tries };
      });
      if (flow === undefined || flow.stage === 'refused') throw new Fault('oidc_refused');
      if (flow.stage !== 'granted') throw new Fault('oidc_waiting');
      if (digits === undefined) return {};
      const secrets = open(flow);
      if (!same(digits, secrets.digits)) throw new Fault('wrong_digits');
      const grant = new Uint8Array(Buffer.from(secrets.grant, 'base64url'));
      return { grant, ...(flow.name === null ? {} : { name: flow.name }) };
    },
  };
}

async function present(
  db: Database,
  which: ReturnType<typeof eq>,
  now: number,
): Promise<Flow | undefined> {
  const [flow] = await db
    .select()
    .from(oidcFlows)
    .where(and(which, gt(oidcFlows.expires, now)));
  return flow;
}

async function set(db: Database, { flow }: Flow, change: Partial<Flow>): Promise<void> {
  await db.update(oidcFlows).set(change).where(eq(oidcFlows.flow, flow));
}

const same = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

/** Neither who the organisation says it was nor which organisation is anywhere in the database. */
const subjectHash = (key: Uint8Array, { issuer, subject }: Identity): Buffer =>
  createHmac('sha256', key).update(`${issuer}\0${subject}`).digest();

/** A suggestion, if it is a name here. */
function nameHere(called: string | undefined): string | null {
  try {
    return called === undefined ? null : personName(called.toLowerCase());
  } catch {
    return null;
  }
}
