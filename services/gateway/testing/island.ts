/** For tests: gateway and delivery with their real bus, cache and stores, and the edge before them. */
import { type AccountId, type DeviceId, deviceId } from '@island/protocol/wire/ids.ts';
import { freePorts } from '@island/provisioning/ports.ts';
import { delivery } from '../../delivery/contract.ts';
import { deliveryService } from '../../delivery/service.ts';
import { envelope, type TestLists, testLists } from '../../delivery/testing/lists.ts';
import { type Payer, testPayer } from '../../delivery/testing/payer.ts';
import type { Clock } from '../../kit/clock.ts';
import { type TestIsland, testIsland } from '../../kit/testing/kit.ts';
import { gatewayService } from '../service.ts';
import { type Edge, testEdge } from './edge.ts';
import { type TestTokens, testTokens } from './tokens.ts';

export interface GatewayIsland extends AsyncDisposable {
  island: TestIsland;
  lists: TestLists;
  tokens: TestTokens;
  payer: Payer;
  edge: Edge;
  port: number;
  /** Puts `count` envelopes into the mailbox of device 1. */
  mail(account: AccountId, count: number, bytes?: number): Promise<void>;
  /** What still waits for device 1. */
  waiting(account: AccountId): Promise<number[]>;
}

/** @param options `mailboxes: false` for a delivery that the test itself answers for */
export async function gatewayIsland(
  options: { clock?: Clock; mailboxes?: boolean } = {},
): Promise<GatewayIsland> {
  const { mailboxes = true, ...given } = options;
  await using held = new AsyncDisposableStack();
  const [port = 0] = await freePorts(1);
  const island = held.use(
    await testIsland(['gateway', 'delivery', 'directory', 'accounts'], {
      ...given,
      settings: { gatewayPort: port },
    }),
  );
  const lists = testLists((await island.kit('directory')).bus);
  const tokens = await testTokens((await island.kit('accounts')).bus);
  const mail = await island.kit('delivery');
  if (mailboxes) held.use(await deliveryService.start(mail));
  await mail.bus.settled();
  const kit = await island.kit('gateway');
  held.use(await gatewayService.start(kit));
  const payer = await testPayer(kit.bus, mail, options.clock);
  const edge = testEdge(held.use(await island.pki.identity('edge')), port);
  const one: DeviceId = deviceId(1);
  const stack = held.move();
  return {
    island,
    lists,
    tokens,
    payer,
    edge,
    port,
    async mail(account, count, bytes = 100) {
      for (let sent = 0; sent < count; sent++) {
        await kit.bus.call(delivery, 'put', await payer.put(account, [envelope(1, bytes)]));
      }
    },
    async waiting(account) {
      const request = { account, device: one, after: 0, count: 1000 };
      const { envelopes } = await kit.bus.call(delivery, 'since', request);
      return envelopes.map(({ seq }) => seq);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
