/** What accounts answers about who may join: to operators, and about the organisation's sign-in. docs/operations.md §8 */
import type { Bus } from '../kit/bus.ts';
import { type Clock, unixSeconds } from '../kit/clock.ts';
import type { Sealing } from '../kit/sealing.ts';
import { decide, listApplicants } from './admission/applicants.ts';
import {
  createInvite,
  inviteHash,
  isInviteGood,
  listInvites,
  withdrawInvite,
} from './admission/invites.ts';
import { callbackOf, createOidc } from './admission/oidc.ts';
import type { Organisation } from './admission/organisation.ts';
import { registrationMode, setRegistration } from './admission/policy.ts';
import { readProvider, setProvider } from './admission/provider.ts';
import { accounts } from './contract.ts';
import type { AccountsStore } from './database.ts';
import { countPeople, whoIs } from './people.ts';

export interface AdmissionParts {
  store: AccountsStore;
  clock: Clock;
  organisation: Organisation;
  secrets: { subjects: Uint8Array; sealing: Sealing };
  /** `settings.address` */
  address: string;
}

export function answerAdmission(bus: Bus, parts: AdmissionParts): void {
  const { store, clock, organisation, secrets, address } = parts;
  const { subjects, sealing } = secrets;
  const now = () => unixSeconds(clock);
  const oidc = createOidc({ ...parts, subjects, sealing });

  bus.handle(accounts, 'oidcBegin', () => oidc.begin());
  bus.handle(accounts, 'oidcReturn', ({ query }) => oidc.returned(query));
  bus.handle(accounts, 'oidcPoll', ({ flow, digits }) => oidc.poll(flow, digits));
  bus.handle(accounts, 'policy', async () => {
    const provider = await readProvider(store.read, sealing);
    const registration = await registrationMode(store.read);
    return { registration, ...(provider === undefined ? {} : { oidc: provider.title }) };
  });

  bus.handle(accounts, 'standing', async ({ invite }) => ({
    people: await countPeople(store.read),
    inviteGood: invite !== undefined && (await isInviteGood(store.read, inviteHash(invite), now())),
  }));
  bus.handle(accounts, 'invite', async ({ uses, seconds, role = 'member' }) => {
    const expires = now() + seconds;
    const invite = await store.write((db) => createInvite(db, { uses, expires, role }));
    return { invite, expires };
  });
  bus.handle(accounts, 'invites', async () => ({
    invites: await listInvites(store.read, now()),
  }));
  bus.handle(accounts, 'withdrawInvite', async ({ hint }) => {
    await store.write((db) => withdrawInvite(db, hint, now()));
    return {};
  });
  bus.handle(accounts, 'setRegistration', async ({ registration }) => {
    await store.write((db) => setRegistration(db, registration));
    return {};
  });
  bus.handle(accounts, 'applicants', async () => ({
    applicants: await listApplicants(store.read),
  }));
  bus.handle(accounts, 'decide', async ({ name, admit }) => {
    await store.write((db) => decide(db, name, admit, now()));
    return {};
  });
  bus.handle(accounts, 'whoIs', async (asked) => ({
    people: await whoIs(store.read, asked),
  }));
  bus.handle(accounts, 'setOidc', async ({ provider }) => {
    // Asked first: what does not answer as a provider is not written down.
    if (provider !== null) await organisation.discover(provider);
    await store.write((db) => setProvider(db, sealing, provider));
    return {};
  });
  bus.handle(accounts, 'oidcProvider', async () => {
    const provider = await readProvider(store.read, sealing);
    const callback = callbackOf(address).href;
    if (provider === undefined) return { callback, provider: null };
    const { secret: _, ...rest } = provider;
    return { callback, provider: rest };
  });
}
