/**
 * For tests: clients at real services (gateway, accounts, directory, delivery, archive, spaces with their bus,
 * cache and databases). Only the edge is left out: requests go to the gateway as the edge would pass them
 * on. A test may look at every request and lose it, or its answer, and put lies in place of answers.
 */
import { randomInt } from 'node:crypto';
import { formatIslandLink, type RecoverLink } from '@island/protocol/wire/island-link.ts';
import { sendPath } from '@island/protocol/wire/routes.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import { freePorts } from '../../provisioning/ports.ts';
import { accounts } from '../../services/accounts/contract.ts';
import { accountsService } from '../../services/accounts/service.ts';
import { archiveService } from '../../services/archive/service.ts';
import { deliveryService } from '../../services/delivery/service.ts';
import { directoryService } from '../../services/directory/service.ts';
import { gatewayService } from '../../services/gateway/service.ts';
import { testEdge } from '../../services/gateway/testing/edge.ts';
import type { Bus } from '../../services/kit/bus.ts';
import { testIsland } from '../../services/kit/testing/kit.ts';
import { mediaService } from '../../services/media/service.ts';
import { mediaDoor } from '../../services/media/testing/door.ts';
import { spacesService } from '../../services/spaces/service.ts';
import type { Platform } from '../platform.ts';
import { Problem } from '../problem.ts';
import type { BlobPart, HttpAnswer, HttpRequest } from '../transport/transport.ts';
import { liar } from './liar.ts';
import { saidAbout } from './odd-log.ts';
import { quickPlatform } from './person.ts';
import { realSocket } from './real-socket.ts';
import { withoutChannels } from './without-channels.ts';

type Json = Record<string, unknown>;

/** The place of a chunk is used again when the next is asked for, and here it is asked for ahead. */
async function* copies({ chunks }: BlobPart): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of chunks) yield Uint8Array.from(chunk);
}

/** One request of a client, with what the island answered. */
export interface Exchange {
  method: string;
  path: string;
  body: Json;
  token: string | undefined;
}

/** What happens to requests on their way; each may be set at any time. */
export interface Line {
  /** 'cut': the request never arrives. */
  before?: (exchange: Exchange) => 'cut' | undefined;
  /** Nothing about channels goes over sockets that are opened from now on. */
  requestsOnly?: boolean;
  /** In place of the answer; 'cut': it is lost. Refusals pass as they are. */
  answer?: (exchange: Exchange, answer: Json) => Json | 'cut';
}

const services = {
  accounts: accountsService,
  archive: archiveService,
  delivery: deliveryService,
  directory: directoryService,
  gateway: gatewayService,
  spaces: spacesService,
};
export type RestartedService = keyof typeof services;

export interface RealIsland extends AsyncDisposable {
  address: string;
  caFingerprint: Uint8Array;
  /** Milliseconds that its clock is ahead of this machine's, for services and clients. */
  clock: { ahead: number; now(): number };
  line: Line;
  requests: Exchange[];
  /** A client's place, at an address of its own. */
  platform(): Platform;
  /** An invite link. */
  link(): Promise<string>;
  recoverLink(name: string): RecoverLink;
  /** Ends a service and starts it anew; whoever asks it meanwhile gets no answer. */
  restart(service: RestartedService): Promise<void>;
  /** For what operators ask of services. */
  control: Bus;
  /** What a browser gets. */
  page(path: string): Promise<{ status: number; body: string }>;
}

/** `lies`: its log is that of a liar, who proves what `line.answer` says of people. */
export async function realIsland({ lies = false } = {}): Promise<RealIsland> {
  await using held = new AsyncDisposableStack();
  const [port = 0, mediaPort = 0] = await freePorts(2);
  const clock = { ahead: 0, now: () => Date.now() + clock.ahead };
  const settings = { gatewayPort: port, mediaPort };
  const island = held.use(await testIsland(['control'], { settings, clock }));
  await island.start(directoryService);
  await island.start(archiveService);
  await island.start(accountsService);
  await island.start(deliveryService);
  await island.start(spacesService);
  await island.start(gatewayService);
  await island.start(mediaService);
  const front = held.use(await island.pki.identity('edge'));
  const edge = testEdge(front, port);
  const media = held.use(mediaDoor(front, mediaPort));
  const control = (await island.kit('control')).bus;
  const { address } = island.settings;
  const caFingerprint = fromBase64url(island.pki.caFingerprint);
  const line: Line = {};
  const requests: Exchange[] = [];
  const other = lies ? liar(clock.now) : undefined;
  const lost = () => new Problem('unreachable', { address });

  async function request(from: string, asked: HttpRequest): Promise<HttpAnswer> {
    const { method, path, body, token, signal } = asked;
    signal?.throwIfAborted();
    const content: Json = body ? JSON.parse(body) : {};
    const about = other ? saidAbout(path, content) : path;
    const exchange = { method, path: about, body: content, token };
    requests.push(exchange);
    if (line.before?.(exchange) === 'cut') throw lost();
    signal?.throwIfAborted();
    const reply = await edge.ask(path, {
      method,
      address: from,
      ...(body !== undefined && { body }),
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    signal?.throwIfAborted();
    const after = Number(reply.headers['retry-after'] ?? Number.NaN);
    const answer = (text: string): HttpAnswer => ({
      status: reply.status,
      retryAfter: after >= 0 ? after : undefined,
      body: new TextEncoder().encode(text),
    });
    if (other && path.startsWith('/log/')) {
      const file = await other.log.file(path.slice('/log/'.length));
      const none = () => answer(JSON.stringify({ code: 'not_found', text: '' }));
      return file ? { ...answer(''), status: 200, body: file } : { ...none(), status: 404 };
    }
    // Files of the log are no JSON.
    if (path.startsWith('/log/')) return { ...answer(''), body: reply.bytes };
    if (reply.status !== 200) return answer(reply.body);
    if (!line.answer && !other) return answer(reply.body);
    const good: Json = JSON.parse(reply.body);
    if (other && path === '/.well-known/island') {
      const { vrf, ...pins } = other.log.pins;
      good['log'] = { ...pins, vrf: base64url(vrf) };
    }
    other?.observe(content);
    const proves = other && about !== path;
    const said = proves ? other.said(good) : good;
    const twisted = line.answer ? line.answer(exchange, said) : said;
    if (twisted === 'cut') throw lost();
    signal?.throwIfAborted();
    return answer(JSON.stringify(proves ? await other.log.proved(about, twisted) : twisted));
  }

  const stack = held.move();
  return {
    address,
    caFingerprint,
    clock,
    line,
    requests,
    platform: () => {
      const from = `10.${randomInt(256)}.${randomInt(256)}.${randomInt(256)}`;
      return {
        argon2id: quickPlatform.argon2id,
        fetchRoot: async () => island.pki.root,
        transport: () => ({
          address,
          request: (asked) => request(from, asked),
          apart: (asked) => request(from, asked),
          blob: async ({ part, ...asked }) => {
            const { status, headers, body } = await media.ask({
              ...asked,
              ...(part && {
                body: copies(part),
                headers: { ...asked.headers, 'content-length': String(part.length) },
              }),
              address: from,
            });
            const after = Number(headers['retry-after'] ?? Number.NaN);
            return { status, retryAfter: after >= 0 ? after : undefined, body };
          },
          send: async (body) => {
            const reply = await edge.ask(sendPath, { method: 'POST', body, address: from });
            const bytes = new TextEncoder().encode(reply.body);
            return { status: reply.status, retryAfter: undefined, body: bytes };
          },
          socket: async (_path, signal) => {
            const socket = realSocket(await edge.socket(from), signal);
            return line.requestsOnly ? withoutChannels(socket) : socket;
          },
          [Symbol.asyncDispose]: async () => undefined,
        }),
      };
    },
    async link() {
      const { invite } = await control.call(accounts, 'invite', { uses: 1, seconds: 3600 });
      return formatIslandLink({ kind: 'join', address, caFingerprint, invite });
    },
    recoverLink: (name) => ({ kind: 'recover', address, caFingerprint, name }),
    async restart(service) {
      await island.restart(services[service]);
    },
    control,
    page: (path) => edge.ask(path),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
