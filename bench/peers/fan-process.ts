/**
 * A process of its own that writes to many sockets, over the same TLS: the island's gateway (argument `gateway`), or `ws`
 * alone that sends one prepared frame to everybody (`bare`). Spoken to by its parent's messages: `FanAsk`.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { gateway } from '@island/services/gateway/contract.ts';
import { gatewayService } from '@island/services/gateway/service.ts';
import { serveTls } from '@island/services/kit/http-server.ts';
import { openLog } from '@island/services/kit/log.ts';
import { buildKit, type RunConfig, runService } from '@island/services/kit/service.ts';
import { WebSocketServer } from 'ws';

export type FanAsk =
  | { ask: 'start'; config: RunConfig }
  /** Only of `bare`: so many bytes to everybody. */
  | { ask: 'post'; bytes: number }
  /** Bytes of memory after a collection; delays of the event loop are counted from here. */
  | { ask: 'memory' }
  /** Milliseconds: the delay of the event loop, p99. */
  | { ask: 'delay' };

const log = openLog({}, () => undefined);
const delays = monitorEventLoopDelay({ resolution: 1 });
delays.enable();
const posted = new Map<number, Buffer>();
const everybody = new WebSocketServer({ noServer: true, perMessageDeflate: false });
const answer = (value: number): unknown => process.send?.(value);

async function start(config: RunConfig): Promise<void> {
  if (process.argv[2] === 'gateway') {
    await runService(gatewayService, config, { log });
    return;
  }
  const { kit } = await buildKit(gateway, config, { log });
  const { server } = await serveTls({
    listener: (_request, response) => void response.end(),
    identity: kit.identity,
    accept: ['edge'],
    port: config.gatewayPort ?? 0,
    log,
  });
  server.on('upgrade', (request, stream, head) =>
    everybody.handleUpgrade(request, stream, head, () => undefined),
  );
}

process.on('message', (message: FanAsk) => {
  switch (message.ask) {
    case 'start':
      void start(message.config).then(() => answer(0));
      return;
    case 'post': {
      const frame = posted.get(message.bytes) ?? Buffer.alloc(message.bytes, 0x88);
      posted.set(message.bytes, frame);
      for (const client of everybody.clients) client.send(frame, { binary: true });
      return;
    }
    case 'memory':
      globalThis.gc?.();
      delays.reset();
      answer(process.memoryUsage.rss());
      return;
    case 'delay':
      answer(delays.percentile(99) / 1e6);
  }
});
