/** Routes about devices, keys and the archive, each one call. docs/protocol/devices.md, keys.md, archive.md */
import type { archiveRoutes } from '@island/protocol/wire/archive-routes.ts';
import type { deviceRoutes } from '@island/protocol/wire/device-routes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { personName } from '@island/protocol/wire/ids.ts';
import { accounts } from '../accounts/contract.ts';
import { archive } from '../archive/contract.ts';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';
import { type Asked, asText, type Handlers } from '../kit/http.ts';
import { type Asking, asker, type Bearer, either, type Joiner, joiner } from './access.ts';

export const deviceHandlers = (bus: Bus): Required<Handlers<typeof deviceRoutes, Asking>> => ({
  challenge: async () => asText(await bus.call(directory, 'challenge', {})),
  lists: async (_request, asked) =>
    asText(await bus.call(directory, 'lists', { ...aboutIn(asked), after: afterIn(asked) })),
  proof: async (_request, asked) => asText(await bus.call(directory, 'lookup', aboutIn(asked))),
  history: async (_request, asked) =>
    asText(await bus.call(directory, 'history', { ...aboutIn(asked), after: afterIn(asked) })),
  updateDevices: (request, { who }) =>
    bus.call(accounts, 'updateDevices', { ...asker(who), ...request }),
  record: async (_request, { who }) => asText(await bus.call(accounts, 'record', either(who))),
  putRecord: (request, { who }) => bus.call(accounts, 'putRecord', { ...asker(who), ...request }),
  recovery: async (_request, { who }) => asText(await bus.call(accounts, 'recovery', joiner(who))),
  join: (request, { who }) => bus.call(accounts, 'join', { ...joiner(who), ...request }),
  linkOpen: (request, { who }) => bus.call(accounts, 'linkOpen', { ...asker(who), ...request }),
  linkPut: (request, { who }) => bus.call(accounts, 'linkPut', { ...either(who), ...request }),
  linkGet: async (request, { who }) =>
    asText(await bus.call(accounts, 'linkGet', { ...either(who), ...request })),
  resetBegin: (_request, { who }) => bus.call(accounts, 'resetBegin', joiner(who)),
  resetCancel: (_request, { who }) => bus.call(accounts, 'resetCancel', asker(who)),
});

export const archiveHandlers = (bus: Bus): Required<Handlers<typeof archiveRoutes, Asking>> => ({
  archiveHead: async (_request, { who: { account } }) =>
    asText(await bus.call(archive, 'head', { account })),
  archiveAppend: ({ segment }, { who: { account, device } }) =>
    bus.call(archive, 'append', { account, device, segment }),
  archiveRead: async (_request, asked) =>
    asText(await bus.call(archive, 'read', { account: asked.who.account, after: afterIn(asked) })),
});

/** About whom, and who asks: one's own name is answered as often as it takes, others not. */
const aboutIn = ({ params, who }: Pick<Asked<Bearer | Joiner>, 'params' | 'who'>) => ({
  name: personName(params['name'] ?? ''),
  asker: who.account,
});

/** A number in the path: digits, no zero before others. */
function afterIn({ params }: Pick<Asked<unknown>, 'params'>): number {
  const text = params['after'] ?? '';
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(text)) throw new Fault('malformed');
  const after = Number(text);
  if (!Number.isSafeInteger(after)) throw new Fault('malformed');
  return after;
}
