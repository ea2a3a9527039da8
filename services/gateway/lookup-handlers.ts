/**
 * Looking others up: who asks is not known here, so they pay. docs/protocol/tokens.md §9
 *
 * A token is good for one answer: one that was lost is paid for again, or whoever repeats a request would
 * drain prekeys for the price of one.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { lookupRoutes } from '@island/protocol/wire/lookup-routes.ts';
import { tokenClasses } from '@island/protocol/wire/token.ts';
import { delivery } from '../delivery/contract.ts';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';
import { asText, type Handlers } from '../kit/http.ts';
import type { Asking } from './access.ts';

export function lookupHandlers(bus: Bus): Required<Handlers<typeof lookupRoutes, Asking>> {
  async function pay(tokens: Uint8Array[], headers: IncomingHttpHeaders) {
    anonymous(headers);
    const context = randomBytes(16);
    await bus.call(delivery, 'spend', { class: tokenClasses.delivery, tokens, context });
  }

  return {
    async endedAccount(request, { headers }) {
      anonymous(headers);
      return asText(await bus.call(directory, 'ended', request));
    },
    async lookUpProof({ token, name }, { headers }) {
      await pay([token], headers);
      return asText(await bus.call(directory, 'lookup', { name }));
    },
    async lookUpHistory({ token, name, after }, { headers }) {
      await pay([token], headers);
      return asText(await bus.call(directory, 'history', { name, after }));
    },
    async bundles({ tokens, account, devices }, { headers }) {
      // What is out of form has to be found before it is paid for.
      if (new Set(devices).size !== devices.length) throw new Fault('malformed');
      const needed = devices.length * limits.bundlePrice;
      if (tokens.length !== needed) throw new Fault('token_needed', { needed });
      await pay(tokens, headers);
      return asText(await bus.call(directory, 'bundles', { account, devices }));
    },
  };
}

/** A client that says here who it is has a mistake in it: refused, so that nobody ships it. */
function anonymous({ authorization, cookie }: IncomingHttpHeaders): void {
  if (authorization !== undefined || cookie !== undefined) throw new Fault('malformed');
}
