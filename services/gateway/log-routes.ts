/**
 * The log of keys for whoever wants to read it: its newest checkpoint and its tiles, as c2sp.org/tlog-tiles has them.
 * Nobody signs in, and nothing is paid: an auditor reads all of it, a client what it checks by. docs/protocol/transparency.md §6
 *
 *     GET /log/checkpoint
 *     GET /log/policy/<number>
 *     GET /log/tile/<L>/<N>[.p/<W>]       GET /log/tile/entries/<N>[.p/<W>]
 */
import { parseTilePath, type Tile } from '@island/protocol/transparency/tiles.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';
import type { ByteReply, ByteRoute } from '../kit/http.ts';

export const logRoutes = (bus: Bus): ByteRoute[] => [
  {
    methods: ['GET', 'HEAD'],
    path: '/log/checkpoint',
    async answer({ query }) {
      noQuery(query);
      const { note } = await bus.call(directory, 'checkpoint', {});
      return reply(Buffer.from(note), 'text/plain; charset=utf-8', 'no-cache');
    },
  },
  {
    methods: ['GET', 'HEAD'],
    path: '/log/policy/:number',
    async answer({ params: { number = '' }, query }) {
      noQuery(query);
      if (!/^[1-9][0-9]{0,8}$/.test(number)) throw new Fault('not_found');
      const { text } = await bus.call(directory, 'policyProof', { number: Number(number) });
      return reply(Buffer.from(text), 'text/plain; charset=utf-8', forEver);
    },
  },
  {
    methods: ['GET', 'HEAD'],
    path: '/log/tile/*path',
    async answer({ params: { path = '' }, query }) {
      noQuery(query);
      const { bytes } = await bus.call(directory, 'tile', tileAt(`tile/${path}`));
      // A tile never changes, neither does a part of one.
      return reply(bytes, 'application/octet-stream', forEver);
    },
  },
];

const forEver = 'public, max-age=604800, immutable';

function noQuery(query: string): void {
  if (query !== '') throw new Fault('malformed');
}

/** What is no path of a tile is none that is there. */
function tileAt(path: string): Tile {
  try {
    return parseTilePath(path);
  } catch (cause) {
    throw new Fault('not_found', undefined, { cause });
  }
}

function reply(bytes: Uint8Array, type: string, caching: string): ByteReply {
  const headers = {
    'Content-Type': type,
    'Content-Length': String(bytes.length),
    'Cache-Control': caching,
  };
  return { status: 200, headers, bytes: once(Uint8Array.from(bytes)) };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
