/**
 * An island in memory that can lie, lose and repeat: for tests of what a client makes of it. It takes
 * registrations, hands out lists and prekeys and keeps mailboxes like a real one, unless `twist` says
 * otherwise. It checks nothing: that is what the real ones are for.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { oneTimeOf, openBatch } from '@island/protocol/crypto/prekeys.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { Fault, faults } from '@island/protocol/wire/fault.ts';
import { decodeClientFrame, encodeServerFrame } from '@island/protocol/wire/frames.ts';
import { type AccountId, deviceId, type EnvelopeId } from '@island/protocol/wire/ids.ts';
import { formatIslandLink } from '@island/protocol/wire/island-link.ts';
import { leastKdf, limits } from '@island/protocol/wire/limits.ts';
import { decodeSend, type Send } from '@island/protocol/wire/send.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Chain, type Edge, makeChain, serveEdge } from './edge.ts';

export interface Member {
  name: string;
  account: AccountId;
  list: string;
  signedPrekey: string;
  lastResort: string;
  batch: string;
  handed: number;
  mailbox: { seq: number; id: EnvelopeId; body: Uint8Array }[];
  head: number;
  /** Up to here the mailbox was acknowledged. */
  acknowledged: number;
  socket: WebSocket | undefined;
}

type Json = Record<string, unknown>;

/** What the island does otherwise than it should; each may be set at any time. */
export interface Twist {
  /** Instead of an answer: thrown faults are answered as such, 'cut' ends the connection. */
  before?: (path: string, body: Json) => Promise<'cut' | undefined> | 'cut' | undefined;
  /** In place of the answer. 'cut' does the work and loses the answer. */
  answer?: (path: string, answer: Json) => Json | 'cut';
  /** Before envelopes are stored; a thrown fault stores nothing. */
  send?: (send: Send) => 'cut' | undefined;
  /** After they were stored: 'cut' loses the 202. */
  sent?: (send: Send) => 'cut' | undefined;
  /** In place of what READY is followed by. */
  greet?: (socket: WebSocket, member: Member) => void;
}

export interface OddIsland extends AsyncDisposable {
  chain: Chain;
  address: string;
  link: string;
  members: Map<string, Member>;
  twist: Twist;
  /** Every request, in order. */
  requests: { path: string; body: Json }[];
  /** Everything that was sent and not refused, in order. */
  sends: Send[];
  /** Sequence numbers that were acknowledged, in order. */
  acks: number[];
  deliver(member: Member, body: Uint8Array, seq?: number): void;
  token(name: string): string;
}

const json = (
  response: ServerResponse,
  status: number,
  body: Json,
  headers: Record<string, string> = {},
): void => {
  response
    .writeHead(status, { 'content-type': 'application/json', ...headers })
    .end(JSON.stringify(body));
};

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

export async function oddIsland(chain?: Chain): Promise<OddIsland> {
  const made = chain ?? (await makeChain(['localhost']));
  const members = new Map<string, Member>();
  const byAccount = (account: unknown) =>
    [...members.values()].find((member) => member.account === account);
  const tokens = new Map<string, string>();
  let serial = 0;
  const issue = (name: string): Json => {
    serial += 1;
    tokens.set(`access ${serial}`, name);
    return { access: `access ${serial}`, refresh: `refresh ${name} ${serial}` };
  };

  const island: OddIsland = {
    chain: made,
    address: '',
    link: '',
    members,
    twist: {},
    requests: [],
    sends: [],
    acks: [],
    deliver(member, body, seq) {
      const id = Buffer.from(randomBytes(16)).toString('hex') as EnvelopeId;
      const envelope = { seq: seq ?? ++member.head, id, body };
      member.mailbox.push(envelope);
      member.socket?.send(encodeServerFrame({ type: 'envelope', ...envelope }));
    },
    token: (name) => String(issue(name)['access']),
    [Symbol.asyncDispose]: async () => undefined,
  };

  /** What a good island answers. */
  function answer(path: string, body: Json, who: string | undefined): Json {
    const person = /^\/v1\/people\/(.+)$/.exec(path)?.[1];
    if (person !== undefined) {
      const found = members.get(person);
      if (!found) throw new Fault('unknown_person');
      return { account: found.account, list: found.list };
    }
    switch (path) {
      case '/.well-known/island':
        return {
          name: 'Odd',
          versions: [1],
          registration: 'invite',
          caFingerprint: base64url(made.fingerprint),
          limits,
          kdf: leastKdf,
        };
      case '/v1/challenge':
        return { challenge: base64url(x25519Base) };
      case '/v1/register': {
        const { name, account, list, signedPrekey, lastResort, batch } = body as unknown as Member;
        if (!members.has(name)) {
          members.set(name, {
            name,
            account,
            list,
            signedPrekey,
            lastResort,
            batch,
            handed: 0,
            mailbox: [],
            head: 0,
            acknowledged: 0,
            socket: undefined,
          });
        }
        return issue(name);
      }
      case '/v1/prelogin':
        return { salt: base64url(new Uint8Array(16)), kdf: leastKdf };
      case '/v1/login':
        return {
          account: members.get(String(body['name']))?.account,
          ...issue(String(body['name'])),
        };
      case '/v1/refresh':
        return issue(String(body['refresh']).split(' ')[1] ?? '');
      case '/v1/bundles':
        return { bundles: [bundleOf(byAccount(body['account']))] };
      case '/v1/prekeys':
        Object.assign(members.get(who ?? '') ?? {}, body);
        return { oneTime: 100 - (members.get(who ?? '')?.handed ?? 0) };
      default:
        return {};
    }
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    const raw = await bodyOf(request);
    try {
      if (path === '/v1/send') return await accept(decodeSend(raw), response);
      const body: Json = raw.length > 0 ? JSON.parse(raw.toString()) : {};
      island.requests.push({ path, body });
      if ((await island.twist.before?.(path, body)) === 'cut') return void response.destroy();
      const who = tokens.get(request.headers.authorization?.slice(7) ?? '');
      const good = answer(path, body, who);
      const given = island.twist.answer?.(path, good) ?? good;
      if (given === 'cut') response.destroy();
      else json(response, 200, given);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const { code, details } = error;
      const after =
        typeof details?.['seconds'] === 'number'
          ? { 'retry-after': String(details['seconds']) }
          : {};
      json(
        response,
        faults[code].status,
        { code, text: faults[code].text, ...(details && { details }) },
        after,
      );
    }
  }

  async function accept(send: Send, response: ServerResponse): Promise<void> {
    if (island.twist.send?.(send) === 'cut') return void response.destroy();
    island.sends.push(send);
    const member = byAccount(send.account);
    for (const { id, body } of send.envelopes) {
      if (!member || member.mailbox.some((stored) => stored.id === id)) continue;
      member.mailbox.push({ seq: ++member.head, id, body });
      member.socket?.send(encodeServerFrame({ type: 'envelope', seq: member.head, id, body }));
    }
    if (island.twist.sent?.(send) === 'cut') response.destroy();
    else response.writeHead(202).end();
  }

  const edge: Edge = await serveEdge(made, (request, response) => void handle(request, response));
  const sockets = new WebSocketServer({ server: edge.server });
  sockets.on('connection', (socket) => {
    socket.on('message', (data) => {
      const frame = decodeClientFrame(data as Buffer);
      if (frame.type === 'ping')
        socket.send(encodeServerFrame({ type: 'pong', nonce: frame.nonce }));
      const member =
        frame.type === 'hello' ? members.get(tokens.get(frame.access) ?? '') : undefined;
      if (frame.type === 'ack') {
        island.acks.push(frame.seq);
        const sender = [...members.values()].find((each) => each.socket === socket);
        if (sender) sender.acknowledged = frame.seq;
      }
      if (frame.type !== 'hello') return;
      if (!member) return socket.close(4401, 'unauthenticated');
      member.socket = socket;
      const { account, head } = member;
      socket.send(encodeServerFrame({ type: 'ready', account, device: deviceId(1), head }));
      if (island.twist.greet) return island.twist.greet(socket, member);
      for (const envelope of member.mailbox) {
        if (envelope.seq > member.acknowledged)
          socket.send(encodeServerFrame({ type: 'envelope', ...envelope }));
      }
    });
  });
  island.address = edge.address;
  island.link = formatIslandLink({
    kind: 'join',
    address: edge.address,
    caFingerprint: made.fingerprint,
    invite: 'code',
  });
  island[Symbol.asyncDispose] = async () => {
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
    await edge[Symbol.asyncDispose]();
  };
  return island;
}

/** A point that is canonical and not of small order. */
const x25519Base = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 9 : 0));

export function bundleOf(member: Member | undefined, kind = 'one-time'): Json {
  if (!member) throw new Fault('unknown_person');
  const { signedPrekey, lastResort } = member;
  if (kind === 'last-resort') return { device: 1, signedPrekey, lastResort };
  const { devices } = openDeviceList(fromBase64url(member.list));
  const batch = openBatch(fromBase64url(member.batch), devices[0]?.dsk ?? new Uint8Array(32));
  const oneTime = base64url(oneTimeOf(batch, member.handed++));
  return { device: 1, signedPrekey, oneTime };
}
