/** Routes about people, each one call to accounts. docs/protocol/accounts.md */
import type { accountRoutes } from '@island/protocol/wire/account-routes.ts';
import { accounts } from '../accounts/contract.ts';
import type { Bus } from '../kit/bus.ts';
import { asText, type Handlers } from '../kit/http.ts';
import type { Origin } from '../kit/origin.ts';
import { type Asking, asker } from './access.ts';

/** @param origin for the limits of accounts alone */
export function accountHandlers(
  bus: Bus,
  origin: Origin,
): Required<Handlers<typeof accountRoutes, Asking>> {
  const from = (address: string | undefined) => ({ origin: origin(address ?? '') });
  return {
    nonce: async () => asText(await bus.call(accounts, 'nonce', {})),
    register: (request, { address }) =>
      bus.call(accounts, 'register', { ...request, ...from(address) }),
    prelogin: async (request) => asText(await bus.call(accounts, 'prelogin', request)),
    login: (request, { address }) => bus.call(accounts, 'login', { ...request, ...from(address) }),
    beginJoining: (request, { address }) =>
      bus.call(accounts, 'beginJoining', { ...request, ...from(address) }),
    refresh: (request) => bus.call(accounts, 'refresh', request),
    logout: (_request, { who: { account, session } }) =>
      bus.call(accounts, 'logout', { account, session }),
    account: (_request, { who }) => bus.call(accounts, 'account', asker(who)),
    sessions: (_request, { who }) => bus.call(accounts, 'sessions', asker(who)),
    endSession: ({ session }, { who }) =>
      bus.call(accounts, 'endSession', { ...asker(who), end: session }),
    changePassword: (request, { who, address }) =>
      bus.call(accounts, 'changePassword', { ...asker(who), ...request, ...from(address) }),
    endAccount: (request, { who, address }) =>
      bus.call(accounts, 'endAccount', { ...asker(who), ...request, ...from(address) }),
    totpBegin: (_request, { who }) => bus.call(accounts, 'totpBegin', asker(who)),
    totpConfirm: (request, { who, address }) =>
      bus.call(accounts, 'totpConfirm', { ...asker(who), ...request, ...from(address) }),
    totpEnd: (request, { who, address }) =>
      bus.call(accounts, 'totpEnd', { ...asker(who), ...request, ...from(address) }),
    oidcBegin: async () => asText(await bus.call(accounts, 'oidcBegin', {})),
    oidcPoll: async (request) => asText(await bus.call(accounts, 'oidcPoll', request)),
  };
}
