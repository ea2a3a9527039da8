/**
 * People who write to each other through prosody: raw XMPP over plain TCP, two sockets a pair. Senders ask
 * for an acknowledgement of every message, recipients give one when asked (stream management, XEP-0198).
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Server } from '../load.ts';
import { load } from '../load.ts';
import { cpuByName } from '../process-cpu.ts';
import { type Prosody, startProsody } from './prosody.ts';

export interface ProsodyLoad extends Server {
  prosody: Prosody;
}

const host = 'bench.local';
const management = "xmlns='urn:xmpp:sm:3'";
const stream = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='${host}' version='1.0'>`;
/** What a client has to look at. Prosody writes no comments, and escapes what it is given. */
const elements =
  /<(stream:features|message|iq)\b.*?<\/\1>|<(success|enabled|failed|failure|r|a)\b[^>]*>|<\/stream:stream>/gs;

/** One connected client. */
class Client {
  readonly #socket: Socket;
  readonly #onMessage: (id: string) => void;
  #rest = '';
  /** Stanzas that came, and messages that left, since stream management is on. */
  #handled = 0;
  #sent = 0;
  #acked = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #steps: ((element: string) => void)[] = [];

  constructor(socket: Socket, onMessage: (id: string) => void) {
    this.#socket = socket;
    this.#onMessage = onMessage;
    socket.setNoDelay(true);
    socket.setEncoding('utf8').on('data', (text: string) => this.#take(text));
  }

  async signIn(user: string): Promise<this> {
    const plain = Buffer.from(`\0${user}\0password`).toString('base64');
    await this.#ask(stream);
    await this.#ask(
      `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${plain}</auth>`,
    );
    await this.#ask(stream);
    const bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>one</resource></bind>";
    await this.#ask(`<iq type='set' id='bind'>${bind}</iq>`);
    const answer = await this.#ask(`<enable ${management}/>`);
    if (!answer.startsWith('<enabled')) throw new Error(`prosody answers ${answer}`);
    return this;
  }

  /** Resolves when the server has it in its archive. */
  send(to: string, id: string, body: string): Promise<void> {
    this.#sent += 1;
    this.#socket.write(
      `<message type='chat' to='${to}@${host}/one' id='${id}'><body>${body}</body></message><r ${management}/>`,
    );
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  end(): void {
    this.#socket.destroy();
  }

  #ask(text: string): Promise<string> {
    this.#socket.write(text);
    return new Promise((resolve) => this.#steps.push(resolve));
  }

  #take(text: string): void {
    const all = this.#rest + text;
    let end = 0;
    for (const found of all.matchAll(elements)) {
      end = found.index + found[0].length;
      this.#element(found[0]);
    }
    this.#rest = all.slice(end);
  }

  #element(element: string): void {
    if (element.startsWith('<message')) {
      this.#handled += 1;
      const id = /^<message[^>]* id=['"]([^'"]+)/.exec(element)?.[1];
      if (id !== undefined) this.#onMessage(id);
    } else if (element.startsWith('<r ')) {
      this.#socket.write(`<a ${management} h='${this.#handled}'/>`);
    } else if (element.startsWith('<a ')) {
      const handled = Number(/ h=['"](\d+)/.exec(element)?.[1]);
      for (; this.#acked < handled; this.#acked++) this.#waiting.shift()?.();
    } else this.#steps.shift()?.(element);
  }
}

/** `bytes`: of the body. */
export async function prosodyLoad(bytes: number): Promise<ProsodyLoad> {
  await using held = new AsyncDisposableStack();
  const prosody = held.use(await startProsody());
  const bodies = Array.from({ length: 64 }, () =>
    randomBytes(bytes).toString('base64url').slice(0, bytes),
  );
  const arrived = new Map<string, () => void>();
  const join = async (user: string): Promise<Client> => {
    const socket = connect(prosody.port, '127.0.0.1');
    await once(socket, 'connect');
    const client = new Client(socket, (id) => {
      arrived.get(id)?.();
      arrived.delete(id);
    });
    held.defer(() => client.end());
    return client.signIn(user);
  };
  const people: Client[] = [];
  for (let at = 0; at < 2 * load.pairs; at++) people.push(await join(`user${at}`));
  let next = 0;
  const stack = held.move();
  return {
    prosody,
    prepare: async () => undefined,
    async send(pair) {
      const id = `m${next++}`;
      const since = performance.now();
      const received = new Promise<number>((resolve) =>
        arrived.set(id, () => resolve(performance.now() - since)),
      );
      const sender = people[2 * pair];
      await sender?.send(`user${2 * pair + 1}`, id, bodies[next % bodies.length] ?? '');
      return { received: await received };
    },
    cpu: () => cpuByName(new Map([['prosody', prosody.pid]])),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
