/**
 * The public HTTP API: each route is one call over the bus. docs/protocol/http.md
 *
 * `/v1/send` belongs to nobody: it takes no token and no cookie, its limit counts by address, and
 * of the address only a hash under a key of this process is kept, in memory. docs/protocol/dm.md §6
 */
import type { RequestListener } from 'node:http';
import { Fault } from '@island/protocol/wire/fault.ts';
import { personName } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { routes, sendPath } from '@island/protocol/wire/routes.ts';
import { decodeSend } from '@island/protocol/wire/send.ts';
import { accounts } from '../accounts/contract.ts';
import { delivery } from '../delivery/contract.ts';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';
import type { Settings } from '../kit/config.ts';
import { asText, mountRoutes, type RawRoute } from '../kit/http.ts';
import type { Log } from '../kit/log.ts';
import { TokenBuckets } from '../kit/token-buckets.ts';
import type { Access, Bearer } from './access.ts';
import { discovery } from './discovery.ts';
import { openOrigin } from './origin.ts';

export interface PublicParts {
  bus: Bus;
  access: Access;
  settings: Settings;
  log: Log;
}

/** Addresses whose buckets are held at once. */
const keys = 50_000;

export function publicHttp({ bus, access, settings, log }: PublicParts): RequestListener {
  const document = discovery(settings);
  const origin = openOrigin();
  const request = limiter({ perSecond: limits.requestsPerSecond, burst: limits.requestsBurst });
  const sending = limiter({ perSecond: limits.sendsPerSecond, burst: limits.sendsBurst });

  return mountRoutes<typeof routes, Bearer>(
    routes,
    {
      discovery: async () => document,
      challenge: async () => asText(await bus.call(directory, 'challenge', {})),
      register: (request) => bus.call(accounts, 'register', request),
      prelogin: async (request) => asText(await bus.call(accounts, 'prelogin', request)),
      login: (request, { address }) =>
        bus.call(accounts, 'login', { ...request, origin: origin(address ?? '') }),
      refresh: (request) => bus.call(accounts, 'refresh', request),
      logout: (_request, { who: { account, session } }) =>
        bus.call(accounts, 'logout', { account, session }),
      person: async (_request, { params }) =>
        asText(await bus.call(directory, 'person', { name: personName(params['name'] ?? '') })),
      bundles: async (request, { who }) =>
        asText(await bus.call(directory, 'bundles', { requester: who.account, ...request })),
      prekeyCount: (_request, { who: { account, device } }) =>
        bus.call(directory, 'prekeyCount', { account, device }),
      replenish: (request, { who: { account, device } }) =>
        bus.call(directory, 'replenish', { account, device, ...request }),
    },
    {
      authenticate: (token) => access.verify(token),
      admit(route, address) {
        if (route === sendPath) sending(address);
        else if (route !== 'discovery') request(address);
      },
      log,
      raw: [send(bus)],
    },
  );
}

/** Answered once the mailbox has it on its disk. */
function send(bus: Bus): RawRoute {
  return {
    path: sendPath,
    limit: limits.sendBytes,
    async answer(body, { headers }) {
      // A client that says here who it is has a mistake in it: refused, so that nobody ships it.
      const tells = headers.authorization !== undefined || headers.cookie !== undefined;
      if (tells) throw new Fault('malformed');
      const { account, epoch, envelopes } = decodeSend(body);
      await bus.call(delivery, 'put', { account, epoch, envelopes: [...envelopes] });
      return 202;
    },
  };
}

/** Refuses an address that asks too often, with the seconds to wait. */
function limiter(rate: {
  perSecond: number;
  burst: number;
}): (address: string | undefined) => void {
  const origin = openOrigin();
  const buckets = new TokenBuckets({ ...rate, keys });
  return (address) => {
    const key = Buffer.from(origin(address ?? '')).toString('base64');
    const seconds = buckets.take(key, performance.now());
    if (seconds > 0) throw new Fault('rate_limited', { seconds });
  };
}
