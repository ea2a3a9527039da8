/**
 * A log as it is served: its checkpoint, tiles and entry bundles below `<address>/log/`, over HTTPS. Nothing that
 * comes is believed here. c2sp.org/tlog-tiles
 */
import { Agent, request } from 'node:https';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import { noteMax } from '@island/protocol/transparency/note.ts';
import { type Tile, tilePath, tileWidth } from '@island/protocol/transparency/tiles.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { Stated } from '@island/provisioning/stated.ts';
import { shownRoot } from '@island/services/kit/shown-root.ts';
import { Passing } from './passing.ts';

/** Where a log is. */
export interface LogPlace {
  /** `https://host[:port]`, no slash at the end. */
  address: string;
  /** PEM of the only root that is trusted; without one, those of Node. */
  root?: string;
}

/** A part of the log that is not there. */
export class Missing extends Error {
  override name = 'Missing';
}

export interface LogSource extends Disposable {
  checkpoint(signal?: AbortSignal): Promise<Uint8Array>;
  /** A full tile may come for a partial one. Throws `Missing` where neither is served. */
  tile(tile: Tile, signal?: AbortSignal): Promise<Uint8Array>;
  /** Of the same log, as the witness at this very address has signed it. Throws `Missing` where there is none. */
  ownWitness(origin: string, signal?: AbortSignal): Promise<Uint8Array>;
  /** The public document of the island. */
  discovery(signal?: AbortSignal): Promise<Uint8Array>;
}

/** Milliseconds. */
const timeouts = { connect: 10_000, answer: 30_000, longestWait: 60_000 };
/** How often something is asked before the audit gives up, and the first pause, milliseconds. */
const tries = 5;
const pause = 250;
/** How often something is asked that an address may not ask for yet. */
const patience = 200;
/** Of this log they are 27 kB; longer entries are judged, not refused. */
const bundleMax = tileWidth * (2 + 0xffff);
const discoveryMax = 262_144;

export function openLogSource({ address, root }: LogPlace): LogSource {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 6,
    minVersion: 'TLSv1.2',
    ...(root === undefined ? {} : { ca: root }),
  });

  async function get(path: string, most: number, signal?: AbortSignal): Promise<Uint8Array> {
    let failed = 0;
    for (let limited = 0; ; ) {
      const answer = await once(`${address}${path}`, agent, most, signal).catch((error) => {
        signal?.throwIfAborted();
        if (failed + 1 === tries || isFinal(error)) throw unreachable(address, error);
        return undefined;
      });
      if (answer?.status === 200) return answer.body;
      if (answer?.status === 404) throw new Missing(path);
      // Islands let an address read so and so much in a second: that is no failure.
      const often = answer?.status === 429 && ++limited < patience;
      if (!often) failed++;
      if (answer !== undefined && !often && (failed === tries || answer.status < 500)) {
        throw new Passing(`${address} answers ${path} with HTTP status ${answer.status}.`);
      }
      const asked = Math.min((answer?.retryAfter ?? 0) * 1000, timeouts.longestWait);
      await wait(Math.max(asked, pause * 2 ** Math.max(failed - 1, 0)), undefined, { signal });
    }
  }

  return {
    checkpoint: (signal) => get('/log/checkpoint', noteMax, signal),
    ownWitness: (origin, signal) =>
      get(`/witness/${hex(sha256(utf8Bytes(origin)))}/checkpoint`, noteMax, signal),
    async tile(tile, signal) {
      const most = tile.level === 'entries' ? bundleMax : tileWidth * 32;
      try {
        return await get(`/log/${tilePath(tile)}`, most, signal);
      } catch (error) {
        if (!(error instanceof Missing) || tile.width === tileWidth) throw error;
        return get(`/log/${tilePath({ ...tile, width: tileWidth })}`, most, signal);
      }
    },
    discovery: (signal) => get('/.well-known/island', discoveryMax, signal),
    [Symbol.dispose]: () => agent.destroy(),
  };
}

interface Answer {
  status: number;
  /** Seconds. */
  retryAfter: number;
  body: Uint8Array;
}

const unzip = promisify(gunzip);

async function once(
  url: string,
  agent: Agent,
  most: number,
  signal?: AbortSignal,
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const asked = request(url, {
    agent,
    headers: { 'accept-encoding': 'gzip, identity' },
    signal: AbortSignal.any([AbortSignal.timeout(timeouts.answer), ...(signal ? [signal] : [])]),
  });
  asked.once('error', reject);
  asked.once('response', (response) => {
    const chunks: Buffer[] = [];
    let length = 0;
    response.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > most) asked.destroy(new Stated(`What ${url} answers is too large.`));
      else chunks.push(chunk);
    });
    response.once('error', reject);
    response.once('end', () => {
      const bytes = Buffer.concat(chunks);
      const zipped = response.headers['content-encoding'] === 'gzip';
      const body = zipped ? unzip(bytes, { maxOutputLength: most }) : Promise.resolve(bytes);
      // A date in its place is passed over.
      const retryAfter = Number(response.headers['retry-after']) || 0;
      const head = {
        status: response.statusCode ?? 0,
        retryAfter: Math.max(retryAfter, 0),
      };
      // A Buffer's `slice` would not copy.
      const whole = (b: Buffer) => new Uint8Array(b.buffer, b.byteOffset, b.byteLength);
      body.then((read) => resolve({ ...head, body: whole(read) }), reject);
    });
  });
  asked.end();
  return promise;
}

/** OpenSSL's and Node's names for a certificate that nobody who is trusted vouches for. */
const untrusted =
  /^(?:ERR_TLS_CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|CERT_|INVALID_CA|HOSTNAME_MISMATCH)/;

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

/** Asking again would not help. */
const isFinal = (error: unknown): boolean =>
  error instanceof Stated || untrusted.test(codeOf(error));

function unreachable(address: string, error: unknown): Stated {
  if (error instanceof Stated) return error;
  const code = codeOf(error);
  if (untrusted.test(code)) {
    return new Passing(
      `The certificate of ${address} leads to no authority that is trusted (${code}). Name the island's own with --ca FILE or --ca-fingerprint FINGERPRINT.`,
      { cause: error },
    );
  }
  const how = code === '' && error instanceof Error ? error.name : code;
  return new Passing(`${address} can't be reached (${how}). Check the address and the network.`, {
    cause: error,
  });
}

/** PEM of the root that hashes to the fingerprint, as the server shows it with its chain. Throws `Stated`. */
export async function fetchRoot(address: string, fingerprint: Uint8Array): Promise<string> {
  const root = await shownRoot(address, fingerprint, timeouts.connect).catch((error) => {
    throw unreachable(address, error);
  });
  if (root !== undefined) return root;
  throw new Stated(`${address} does not show the root certificate that the fingerprint names.`);
}
