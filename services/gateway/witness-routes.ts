/**
 * The door of the witness, for logs of others: `add-checkpoint`, and the newest checkpoint of each log, as
 * c2sp.org/tlog-witness has them. Nobody signs in here: a log is known by its signature. docs/protocol/transparency.md §7
 *
 *     POST /witness/add-checkpoint
 *     GET  /witness/:log/checkpoint       log = hex of SHA-256( origin )
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import type { Bus } from '../kit/bus.ts';
import type { ByteReply, ByteRoute } from '../kit/http.ts';
import { readBody } from '../kit/http-body.ts';
import { witness } from '../witness/contract.ts';

export const witnessRoutes = (bus: Bus): ByteRoute[] => [
  {
    methods: ['POST'],
    path: '/witness/add-checkpoint',
    async answer({ body: request }) {
      const body = await readBody(request, limits.witnessRequestBytes);
      return reply(await bus.call(witness, 'addCheckpoint', { body }));
    },
  },
  {
    methods: ['GET', 'HEAD'],
    path: '/witness/:log/checkpoint',
    async answer({ params: { log = '' } }) {
      if (!/^[0-9a-f]{64}$/.test(log)) throw new Fault('not_found');
      const { note } = await bus.call(witness, 'checkpoint', { origin: fromHex(log) });
      return reply({ status: 200, type: 'text/plain; charset=utf-8', body: note });
    },
  },
];

function reply({ status, type, body }: { status: number; type: string; body: string }): ByteReply {
  const bytes = Buffer.from(body);
  const headers = { 'Content-Type': type, 'Content-Length': String(bytes.length) };
  return { status, headers, bytes: once(bytes) };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
