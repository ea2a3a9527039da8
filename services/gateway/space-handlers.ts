/** Routes about servers and their channels, each one call. docs/protocol/channel.md */
import type { spaceRoutes } from '@island/protocol/wire/space-routes.ts';
import type { Bus } from '../kit/bus.ts';
import { asText, type Handlers } from '../kit/http.ts';
import { spaces } from '../spaces/contract.ts';
import type { Asking } from './access.ts';

export const spaceHandlers = (bus: Bus): Required<Handlers<typeof spaceRoutes, Asking>> => ({
  createSpace: ({ entry }, { who: { account, device } }) =>
    bus.call(spaces, 'create', { account, device, entry }),
  appendEntry: ({ entry }, { who: { account, device } }) =>
    bus.call(spaces, 'append', { account, device, entry }),
  spaceLog: async (request, { who: { account } }) =>
    asText(await bus.call(spaces, 'log', { account, ...request })),
  mySpaces: (_request, { who: { account } }) => bus.call(spaces, 'mine', { account }),
  spaceLists: (request, { who: { account } }) => bus.call(spaces, 'lists', { account, ...request }),
  post: (request, { who: { account, device } }) =>
    bus.call(spaces, 'post', { account, device, ...request }),
  posts: async (request, { who: { account } }) =>
    asText(await bus.call(spaces, 'posts', { account, ...request })),
  takeBackPosts: (request, { who: { account } }) =>
    bus.call(spaces, 'takeBack', { account, ...request }),
  sendKeys: (request, { who: { account } }) => bus.call(spaces, 'keys', { account, ...request }),
  present: (request, { who: { account } }) => bus.call(spaces, 'present', { account, ...request }),
  report: (request, { who: { account } }) => bus.call(spaces, 'report', { account, ...request }),
  reports: async (request, { who: { account } }) =>
    asText(await bus.call(spaces, 'reports', { account, ...request })),
});
