/** A witness on HTTPS that remembers every checkpoint that it was shown, whether or not it signed it; for tests. */
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { parseAddCheckpoint } from '@island/protocol/transparency/add-checkpoint.ts';
import { parseCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { parseNote } from '@island/protocol/transparency/note.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Credentials } from '../../kit/mtls.ts';
import { testWitness } from '../../witness/testing/witness.ts';
import type { WitnessAnswer } from '../../witness/witness.ts';

export interface Shown {
  origin: string;
  size: number;
  /** Hex. */
  root: string;
  /** As the log signed it. */
  note: string;
  signed: boolean;
}

/** Lets the witness answer. */
export type Handle = () => Promise<WitnessAnswer | undefined>;

export interface WatchingWitness extends AsyncDisposable {
  url: string;
  /** Its Ed25519 key. */
  vkey: string;
  shown: Shown[];
  trust(log: string): Promise<unknown>;
}

/** @param conduct what becomes of a question; without an answer the connection ends */
export async function watchingWitness(
  { key, cert, ca }: Credentials,
  conduct: (origin: string, handle: Handle) => ReturnType<Handle>,
): Promise<WatchingWitness> {
  const witness = await testWitness();
  const shown: Shown[] = [];

  async function add(body: Uint8Array): Promise<WitnessAnswer | undefined> {
    const { note, origin } = parseAddCheckpoint(body);
    const { size, root } = parseCheckpoint(parseNote(note).text);
    const seen = { origin, size, root: hex(root), note, signed: false };
    shown.push(seen);
    return conduct(origin, async () => {
      const answer = await witness.add(body);
      if (answer.status === 200) seen.signed = true;
      return answer;
    });
  }

  // The root goes with the chain: an island is known by it.
  const http = createServer({ key, cert: `${cert}\n${ca}` }, async (request, response) => {
    const [, id] = /\/([0-9a-f]{64})\/checkpoint$/.exec(request.url ?? '') ?? [];
    if (id !== undefined) {
      const note = await witness.note(id);
      response.writeHead(note === '' ? 404 : 200).end(note);
      return;
    }
    // Whoever asked may be dead before its question has come.
    const body = await buffer(request).catch(() => undefined);
    const answer = body && (await add(body));
    if (answer === undefined) response.destroy();
    else response.writeHead(answer.status, { 'content-type': answer.type }).end(answer.body);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;
  const [vkey = ''] = witness.keys.keys;
  return {
    ...{ vkey, shown, url: `https://127.0.0.1:${port}/witness` },
    trust: (log) => witness.trust(log),
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      const closed = once(http, 'close');
      http.close();
      await closed;
      await witness[Symbol.asyncDispose]();
    },
  };
}
