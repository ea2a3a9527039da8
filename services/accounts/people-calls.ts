/** What accounts answers to people: registration, sign-in, sessions, second factors. docs/protocol/accounts.md */
import type { Bus } from '../kit/bus.ts';
import { unixSeconds } from '../kit/clock.ts';
import { account } from './account.ts';
import { type Registration, register } from './admission/registration.ts';
import { accounts } from './contract.ts';
import { forgetDone } from './devices/joinings.ts';
import { type Ending, endNamedAccount, endOwnAccount } from './ending.ts';
import {
  endings,
  endOthers,
  endSession,
  listSessions,
  mustEnd,
  mustGoOn,
} from './sessions/session-ends.ts';
import { changePassword } from './sign-in/password-change.ts';
import { beginJoining, login, prelogin } from './sign-in/sign-in.ts';
import { beginTotp, confirmTotp, endTotp } from './sign-in/totp-setup.ts';

export type PeopleParts = Ending & Registration;

export function answerPeople(bus: Bus, parts: PeopleParts): void {
  const { store, clock, nonces, keys, sessions } = parts;
  const now = () => unixSeconds(clock);

  bus.handle(accounts, 'nonce', async () => ({ nonce: nonces.make() }));
  bus.handle(accounts, 'register', (request) => register(parts, request));
  bus.handle(accounts, 'prelogin', ({ name }) => prelogin(parts, name));
  bus.handle(accounts, 'login', (request) => login(parts, request));
  bus.handle(accounts, 'beginJoining', (request) => beginJoining(parts, request));
  bus.handle(accounts, 'refresh', (request) => sessions.refresh(request));
  bus.handle(accounts, 'keys', async () => ({ keys: await keys.published() }));

  bus.handle(accounts, 'logout', async ({ account, session }) => {
    sessions.announce(account, await store.write((db) => endSession(db, account, session, now())));
    return {};
  });
  bus.handle(accounts, 'account', (asker) => account(parts, asker));
  bus.handle(accounts, 'sessions', async (asker) => {
    await mustGoOn(store.read, asker, now());
    return { sessions: await listSessions(store.read, asker, now()) };
  });
  bus.handle(accounts, 'endSession', async ({ end, ...asker }) => {
    const ended = await store.write(async (db) => {
      await mustGoOn(db, asker, now());
      await forgetDone(db, asker.account);
      if (end === undefined) return endOthers(db, asker, now());
      return mustEnd(db, asker.account, end, now());
    });
    sessions.announce(asker.account, ended);
    return { ended: ended.length };
  });
  bus.handle(accounts, 'endings', async ({ after }) => ({
    sessions: await endings(store.read, now(), after),
  }));

  bus.handle(accounts, 'changePassword', async (request) => {
    await changePassword(parts, request);
    return {};
  });
  bus.handle(accounts, 'endAccount', async (request) => {
    await endOwnAccount(parts, request);
    return {};
  });
  bus.handle(accounts, 'end', async ({ name }) => {
    await endNamedAccount(parts, name);
    return {};
  });
  bus.handle(accounts, 'totpBegin', (asker) => beginTotp(parts, asker));
  bus.handle(accounts, 'totpConfirm', async (request) => {
    await confirmTotp(parts, request);
    return {};
  });
  bus.handle(accounts, 'totpEnd', async (request) => {
    await endTotp(parts, request);
    return {};
  });
}
