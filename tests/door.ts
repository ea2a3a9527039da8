/**
 * Another way to an island's port: what comes through it has an address of its own (127.0.0.N), so that
 * tries from there are counted apart, as those of another machine are.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Platform } from '@island/client/platform.ts';

export interface Door extends AsyncDisposable {
  /** `https://localhost:PORT`. */
  address: string;
  /** A platform that goes through it. */
  through(platform: Platform): Platform;
}

/** @param number 2 to 254 */
export async function openDoor(address: string, number: number): Promise<Door> {
  const { hostname, port } = new URL(address);
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect({
      host: '127.0.0.1',
      port: Number(port),
      localAddress: `127.0.0.${number}`,
    });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.once('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const here = `https://${hostname}:${(server.address() as AddressInfo).port}`;
  return {
    address: here,
    through: (platform) => ({
      ...platform,
      transport: (pinned) => platform.transport({ ...pinned, address: here }),
    }),
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
