/** Ports on this machine: which are free, and a few nobody uses. */
import { createServer, type Server } from 'node:net';
import { Stated } from './stated.ts';

async function bind(port: number, host: string): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, resolve);
  });
  return server;
}

const close = (server: Server) => new Promise<void>((resolve) => server.close(() => resolve()));

/** Whether a listener could be opened there right now. */
export async function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  try {
    await close(await bind(port, host));
    return true;
  } catch {
    return false;
  }
}

/** As many different loopback ports as asked for, chosen by the kernel. */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  try {
    for (let i = 0; i < count; i++) servers.push(await bind(0, '127.0.0.1'));
    return servers.map((server) => {
      const address = server.address();
      if (address === null || typeof address === 'string')
        throw new Error('a listener without a port');
      return address.port;
    });
  } finally {
    await Promise.all(servers.map(close));
  }
}

/** Throws one plain sentence when clients could not be served on `port`. */
export async function needPort(port: number, host: string): Promise<void> {
  try {
    await close(await bind(port, host));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      throw new Stated(
        `Port ${port} is in use by another program: end that program, or choose another port with --port.`,
      );
    }
    if (code === 'EACCES') {
      throw new Stated(
        `Port ${port} needs root rights on this machine: choose a port from 1024 on with --port.`,
      );
    }
    throw error;
  }
}
