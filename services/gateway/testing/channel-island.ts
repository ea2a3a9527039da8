/** For tests: gateway and spaces with their real bus, cache and stores; people of a board at their sockets. */
import type { SamplePerson } from '@island/protocol/space/testing/sample-space.ts';
import type { ServerFrame } from '@island/protocol/wire/frames.ts';
import type { ChannelId } from '@island/protocol/wire/ids.ts';
import { freePorts } from '@island/provisioning/ports.ts';
import { delivery } from '../../delivery/contract.ts';
import type { Bus } from '../../kit/bus.ts';
import { type TestIsland, testIsland } from '../../kit/testing/kit.ts';
import { eventually } from '../../kit/testing/outcome.ts';
import { spacesService } from '../../spaces/service.ts';
import { type Board, openBoard, testDirectory } from '../../spaces/testing/board.ts';
import { gatewayService } from '../service.ts';
import { type TestSocket, testEdge } from './edge.ts';
import { testTokens } from './tokens.ts';

export interface ChannelIsland extends AsyncDisposable {
  island: TestIsland;
  /** Of the gateway, and of spaces. */
  bus: Bus;
  spacesBus: Bus;
  board(seed: string): Promise<Board>;
  /** A socket with READY. */
  at(who: SamplePerson, device?: number): Promise<TestSocket>;
  /** The same, and it watches. */
  watching(who: SamplePerson, ...channels: ChannelId[]): Promise<TestSocket>;
}

export async function channelIsland(): Promise<ChannelIsland> {
  await using held = new AsyncDisposableStack();
  const [port = 0] = await freePorts(1);
  const names = ['gateway', 'directory', 'delivery', 'spaces', 'accounts'] as const;
  const island = held.use(await testIsland(names, { settings: { gatewayPort: port } }));
  const { bus: lists } = await island.kit('directory');
  testDirectory(lists);
  const { bus: mail } = await island.kit('delivery');
  mail.handle(delivery, 'since', async () => ({ head: 0, envelopes: [] }));
  mail.handle(delivery, 'ack', async () => ({}));
  const tokens = await testTokens((await island.kit('accounts')).bus);
  await Promise.all([lists.settled(), mail.settled()]);
  const { bus: spacesBus } = await island.start(spacesService);
  const { bus } = await island.start(gatewayService);
  const edge = testEdge(held.use(await island.pki.identity('edge')), port);
  const at: ChannelIsland['at'] = async ({ account }, device = 1) =>
    edge.hello(await tokens.sign(account, device));
  const stack = held.move();
  return {
    ...{ island, bus, spacesBus, at },
    board: (seed) => openBoard(bus, seed),
    async watching(who, ...channels) {
      const socket = await at(who);
      socket.send({ type: 'watch', channels });
      await eventually(() => of(socket, 'watching').length >= channels.length);
      return socket;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The frames of one type so far. */
export const of = <T extends ServerFrame['type']>(
  { frames }: Pick<TestSocket, 'frames'>,
  type: T,
): Extract<ServerFrame, { type: T }>[] =>
  frames.filter((frame): frame is Extract<ServerFrame, { type: T }> => frame.type === type);

/** Places of the posts so far. */
export const places = (socket: Pick<TestSocket, 'frames'>): number[] =>
  of(socket, 'post').map(({ item }) => item.seq);
