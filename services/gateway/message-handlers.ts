/** Routes about what sealed messages need, each one call. docs/protocol/tokens.md */
import type { messageRoutes } from '@island/protocol/wire/message-routes.ts';
import { delivery } from '../delivery/contract.ts';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';
import { asText, type Handlers } from '../kit/http.ts';
import type { Asking } from './access.ts';

export const messageHandlers = (bus: Bus): Required<Handlers<typeof messageRoutes, Asking>> => ({
  tokenKeys: async () => asText(await bus.call(delivery, 'tokenKeys', {})),
  issueTokens: async (request, { who: { account } }) =>
    asText(await bus.call(delivery, 'issueTokens', { account, ...request })),
  deliveryKey: (request, { who: { account } }) =>
    bus.call(delivery, 'setKey', { account, ...request }),
  senderCertificate: async (_request, { who: { account, device } }) =>
    asText(await bus.call(directory, 'certificate', { account, device })),
});
