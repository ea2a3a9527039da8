/** Witnesses as other islands have them, on HTTP of this machine, and what may go wrong on the way to them; for tests. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { verifierOf } from '@island/protocol/transparency/cosignature.ts';
import { parseVkey } from '@island/protocol/transparency/note.ts';
import { type TestWitness, testWitness } from '../../witness/testing/witness.ts';
import type { WitnessAnswer } from '../../witness/witness.ts';

export interface WitnessServer extends AsyncDisposable {
  witness: TestWitness;
  url: string;
  /** Its Ed25519 key. */
  vkey: string;
  /** Requests so far. */
  asked: number;
  /** What becomes of an answer; without it the answer goes out as it is. `undefined`: it is lost. */
  change:
    | ((answer: WitnessAnswer) => WitnessAnswer | Promise<WitnessAnswer> | undefined)
    | undefined;
}

/** @param trusted verifier keys of the logs that it signs for */
export async function witnessServer(...trusted: readonly string[]): Promise<WitnessServer> {
  const witness = await testWitness();
  for (const vkey of trusted) await witness.trust(vkey);
  const http = createServer(async (request, response) => {
    const [, id] = /^\/witness\/([0-9a-f]{64})\/checkpoint$/.exec(request.url ?? '') ?? [];
    if (id !== undefined) {
      const note = await witness.note(id);
      response.writeHead(note === '' ? 404 : 200).end(note);
      return;
    }
    server.asked += 1;
    const answer = await witness.add(await buffer(request));
    write(response, server.change === undefined ? answer : await server.change(answer));
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;
  const [vkey = ''] = witness.keys.keys;
  const server: WitnessServer = {
    witness,
    url: `http://127.0.0.1:${port}/witness`,
    vkey,
    asked: 0,
    change: undefined,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      const closed = once(http, 'close');
      http.close();
      await closed;
      await witness[Symbol.asyncDispose]();
    },
  };
  return server;
}

function write(response: ServerResponse, answer: WitnessAnswer | undefined): void {
  if (answer === undefined) response.destroy();
  else response.writeHead(answer.status, { 'content-type': answer.type }).end(answer.body);
}

/** Lines of a policy for this log and these witnesses, k of them. */
export const policyOf = (log: string, k: number, witnesses: readonly WitnessServer[]): string =>
  [
    `log ${log}`,
    ...witnesses.map(({ vkey, url }, n) => `witness w${n} ${vkey} ${url}`),
    `group all-of-them ${k} ${witnesses.map((_, n) => `w${n}`).join(' ')}`,
    'quorum all-of-them',
    '',
  ].join('\n');

export const verifiersOf = (...vkeys: readonly string[]) =>
  vkeys.map((vkey) => verifierOf(parseVkey(vkey)));
