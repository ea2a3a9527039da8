/**
 * An island in memory that can lie, lose and repeat: for tests of what a client makes of it. It takes
 * registrations, hands out lists and prekeys and keeps mailboxes like a real one, unless `twist` says
 * otherwise. It checks nothing: that is what the real ones are for.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { Fault, faults } from '@island/protocol/wire/fault.ts';
import { decodeClientFrame, encodeServerFrame } from '@island/protocol/wire/frames.ts';
import { deviceId, type EnvelopeId } from '@island/protocol/wire/ids.ts';
import { formatIslandLink } from '@island/protocol/wire/island-link.ts';
import { decodeSend, type Send } from '@island/protocol/wire/send.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Chain, type Edge, makeChain, serveEdge } from './edge.ts';
import { type Box, boxOf, type Json, type Member } from './member.ts';
import { type Asker, answerTo, type Tokens } from './odd-answers.ts';
import type { Signing } from './odd-history.ts';
import { type OddLog, oddLog, saidAbout } from './odd-log.ts';

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
  /** Told of every request as it comes: on which connection, with which headers. */
  onRequest?: (request: IncomingMessage) => void;
  /** Every request, in order. */
  requests: { path: string; body: Json }[];
  /** Everything that was sent and not refused, in order. */
  sends: Send[];
  /** Sequence numbers that were acknowledged, in order. */
  acks: number[];
  deliver(box: Box, body: Uint8Array, seq?: number): void;
  token(name: string, device?: number): string;
  /** What proves who people are; a test may put another in its place. */
  log: OddLog;
  /** Milliseconds that the times in its log are ahead. */
  clock: { ahead: number };
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

/** That there is nobody is shown by the log. */
function ofAnybody(work: () => Json): Json | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Fault && error.code === 'unknown_person') return undefined;
    throw error;
  }
}

/** `signing`: whom its log asks to sign; nobody. */
export async function oddIsland(chain?: Chain, signing?: Partial<Signing>): Promise<OddIsland> {
  const made = chain ?? (await makeChain(['localhost']));
  const members = new Map<string, Member>();
  const byAccount = (account: unknown) =>
    [...members.values()].find((member) => member.account === account);
  /** By access token, by refresh token. */
  const signedIn = new Map<string, Asker>();
  const renewing = new Map<string, Asker>();
  let serial = 0;
  const tokens: Tokens = {
    issue(asker) {
      serial += 1;
      const access = `access-${serial}`;
      const refresh = base64url(randomBytes(32));
      signedIn.set(access, asker);
      renewing.set(refresh, asker);
      return { access, refresh };
    },
    joining(name) {
      const access = `joining-${++serial}`;
      signedIn.set(access, { name, device: 0 });
      return access;
    },
    renews(refresh) {
      const asker = renewing.get(refresh);
      if (!asker) throw new Fault('session_revoked');
      return asker;
    },
  };
  const clock = { ahead: 0 };
  const log = oddLog(
    (account, epoch) => byAccount(account)?.lists.get(epoch),
    () => Date.now() + clock.ahead,
    signing,
  );

  const island: OddIsland = {
    chain: made,
    address: '',
    link: '',
    members,
    twist: {},
    requests: [],
    sends: [],
    acks: [],
    log,
    clock,
    deliver(box, body, seq) {
      const id = Buffer.from(randomBytes(16)).toString('hex') as EnvelopeId;
      const envelope = { seq: seq ?? ++box.head, id, body };
      box.mailbox.push(envelope);
      box.socket?.send(encodeServerFrame({ type: 'envelope', request: false, ...envelope }));
    },
    token: (name, device = 1) => String(tokens.issue({ name, device })['access']),
    [Symbol.asyncDispose]: async () => undefined,
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? '';
    island.onRequest?.(request);
    if (url.startsWith('/log/')) {
      const file = await island.log.file(url.slice('/log/'.length));
      if (!file) return json(response, 404, { code: 'not_found', text: faults.not_found.text });
      return void response.writeHead(200).end(file);
    }
    const raw = await bodyOf(request);
    try {
      if (url === '/v1/send') return await accept(decodeSend(raw), response);
      const body: Json = raw.length > 0 ? JSON.parse(raw.toString()) : {};
      const path = saidAbout(url, body);
      island.requests.push({ path, body });
      // Nobody here has ended an account.
      if (path === '/v1/lookup/ended') throw new Fault('not_found');
      if ((await island.twist.before?.(path, body)) === 'cut') return void response.destroy();
      const who = signedIn.get(request.headers.authorization?.slice(7) ?? '');
      const memory = { fingerprint: made.fingerprint, members, tokens, log: island.log.pins };
      const good = () => answerTo(memory, { method: request.method ?? '', path, body, who });
      const said = path === url ? good() : ofAnybody(good);
      const given = said && (island.twist.answer?.(path, said) ?? said);
      if (given === 'cut') return void response.destroy();
      json(response, 200, path === url && given ? given : await island.log.proved(path, given));
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
    for (const { device, id, body } of send.envelopes) {
      const box = member && boxOf(member, device);
      if (!box || box.mailbox.some((stored) => stored.id === id)) continue;
      box.mailbox.push({ seq: ++box.head, id, body });
      box.socket?.send(
        encodeServerFrame({ type: 'envelope', seq: box.head, id, request: false, body }),
      );
    }
    if (island.twist.sent?.(send) === 'cut') response.destroy();
    else response.writeHead(202).end();
  }

  const edge: Edge = await serveEdge(made, (request, response) => void handle(request, response));
  const sockets = new WebSocketServer({ server: edge.server });
  sockets.on('connection', (socket) => {
    let box: Box | undefined;
    socket.on('message', (data) => {
      const frame = decodeClientFrame(data as Buffer);
      if (frame.type === 'ping')
        socket.send(encodeServerFrame({ type: 'pong', nonce: frame.nonce }));
      if (frame.type === 'ack') {
        island.acks.push(frame.seq);
        if (box) box.acknowledged = frame.seq;
      }
      if (frame.type !== 'hello') return;
      const asker = signedIn.get(frame.access);
      const member = asker && members.get(asker.name);
      box = member && boxOf(member, asker.device);
      if (!asker || !member || !box) return socket.close(4401, 'unauthenticated');
      box.socket = socket;
      const { account } = member;
      const device = deviceId(asker.device);
      socket.send(encodeServerFrame({ type: 'ready', account, device, head: box.head }));
      if (island.twist.greet) return island.twist.greet(socket, member);
      for (const envelope of box.mailbox) {
        if (envelope.seq > box.acknowledged)
          socket.send(encodeServerFrame({ type: 'envelope', request: false, ...envelope }));
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
