/**
 * The public HTTP API: each route is one call over the bus. docs/protocol/http.md
 *
 * `/v1/send` belongs to nobody: it takes no token and no cookie, its limit counts by address, and
 * of the address only a hash under a key of this process is kept, in memory. docs/protocol/dm.md §6
 */
import { createHash } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { routes, sendPath } from '@island/protocol/wire/routes.ts';
import { decodeSend, orderOf } from '@island/protocol/wire/send.ts';
import { delivery } from '../delivery/contract.ts';
import { directory } from '../directory/contract.ts';
import { addressLimit } from '../kit/address-limit.ts';
import type { Bus } from '../kit/bus.ts';
import type { Settings } from '../kit/config.ts';
import { mountRoutes, type RawRoute } from '../kit/http.ts';
import type { Log } from '../kit/log.ts';
import { openOrigin } from '../kit/origin.ts';
import type { Access, Asking } from './access.ts';
import { accountHandlers } from './account-handlers.ts';
import { archiveHandlers, deviceHandlers } from './device-handlers.ts';
import { openDiscovery } from './discovery.ts';
import { logRoutes } from './log-routes.ts';
import { lookupHandlers } from './lookup-handlers.ts';
import { memberWitnessHandlers } from './member-witness-handlers.ts';
import { messageHandlers } from './message-handlers.ts';
import { oidcReturn } from './oidc-page.ts';
import { spaceHandlers } from './space-handlers.ts';
import { witnessRoutes } from './witness-routes.ts';

export interface PublicParts {
  bus: Bus;
  access: Access;
  settings: Settings;
  log: Log;
}

export function publicHttp({ bus, access, settings, log }: PublicParts): RequestListener {
  const discovery = openDiscovery(bus, settings);
  const request = addressLimit({
    perSecond: limits.requestsPerSecond,
    burst: limits.requestsBurst,
  });
  const sending = addressLimit({ perSecond: limits.sendsPerSecond, burst: limits.sendsBurst });
  const reading = addressLimit({
    perSecond: limits.logRequestsPerSecond,
    burst: limits.logRequestsBurst,
  });
  const keying = addressLimit({ perSecond: limits.sendsPerSecond, burst: limits.sendsBurst });
  const beginning = addressLimit({
    perSecond: 1 / limits.oidcRefillSeconds,
    burst: limits.oidcBegins,
  });

  return mountRoutes<typeof routes, Asking>(
    routes,
    {
      discovery,
      ...accountHandlers(bus, openOrigin()),
      ...deviceHandlers(bus),
      ...archiveHandlers(bus),
      ...messageHandlers(bus),
      ...lookupHandlers(bus),
      ...memberWitnessHandlers(bus),
      ...spaceHandlers(bus),
      prekeyCount: (_request, { who: { account, device } }) =>
        bus.call(directory, 'prekeyCount', { account, device }),
      replenish: (request, { who: { account, device } }) =>
        bus.call(directory, 'replenish', { account, device, ...request }),
    },
    {
      authenticate: { token: access.bearer, joining: access.joiner, either: access.either },
      admit(route, address) {
        if (route === sendPath) sending(address);
        else if (route.startsWith('/log/')) reading(address);
        else if (route === 'sendKeys') keying(address);
        else if (route !== 'discovery') request(address);
        if (route === 'oidcBegin') beginning(address);
      },
      log,
      raw: [send(bus)],
      pages: [oidcReturn(bus)],
      bytes: [...logRoutes(bus), ...witnessRoutes(bus)],
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
      const { tokens, envelopes, ...send } = decodeSend(body);
      // What tokens are spent on: the same order again is the same context, and no other order is.
      const context = createHash('sha256').update(orderOf(body)).digest().subarray(0, 16);
      const paid = { tokens: [...tokens], context };
      await bus.call(delivery, 'put', { ...send, ...paid, envelopes: [...envelopes] });
      return 202;
    },
  };
}
