/** Gateway: the clients' door, reached through the edge alone. docs/architecture.md §2 */

import { serveTls } from '../kit/http-server.ts';
import { defineService } from '../kit/service.ts';
import { openAccess } from './access.ts';
import { gateway } from './contract.ts';
import { publicHttp } from './public-http.ts';
import { openSockets } from './sockets.ts';

export const gatewayService = defineService({
  contract: gateway,
  async start({ identity, bus, cache, settings, clock, log }) {
    if (cache === undefined) throw new Error('the gateway needs its cache');
    const port = settings.gatewayPort;
    if (port === undefined) throw new Error('the gateway needs its port');
    await using held = new AsyncDisposableStack();
    const access = held.use(openAccess({ bus, cache, clock }));
    const listener = publicHttp({ bus, access, settings, log });
    const accept = ['edge' as const];
    const http = held.use(await serveTls({ listener, identity, accept, port, log }));
    held.use(openSockets({ server: http.server, access, bus, clock, log }));
    const stack = held.move();
    return { [Symbol.asyncDispose]: () => stack.disposeAsync() };
  },
});
