/**
 * Answers to what was asked over one connection, all in one inbox, told apart by their last word. Ours, because
 * the library's makes an error with its stack for each request, also a good one. docs/architecture.md §1
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { errors, type Msg, type NatsConnection, nuid } from '@nats-io/transport-node';

interface Waiting {
  subject: string;
  resolve(answer: Uint8Array): void;
  reject(fault: Fault): void;
}

export class Replies {
  readonly #connection: NatsConnection;
  readonly #inbox: string;
  readonly #waiting = new Map<string, Waiting>();
  #last = 0;

  /** @param prefix of inboxes that the connection may listen at */
  constructor(connection: NatsConnection, prefix: string) {
    this.#connection = connection;
    this.#inbox = `${prefix}.${nuid.next()}.`;
    connection.subscribe(`${this.#inbox}*`, {
      callback: (error, message) => {
        if (error === null) this.#arrived(message);
        else this.#end(() => true, error);
      },
    });
    void this.#watch();
    void connection.closed().then((error) => this.#end(() => true, error ?? undefined));
  }

  /** @throws Fault `unavailable`: nobody answers there, the time is over, or the connection ended */
  ask(subject: string, payload: Uint8Array, milliseconds: number): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const word = (++this.#last).toString(36);
    const late = setTimeout(() => this.#take(word)?.reject(new Fault('unavailable')), milliseconds);
    this.#waiting.set(word, {
      subject,
      resolve(answer) {
        clearTimeout(late);
        resolve(answer);
      },
      reject(fault) {
        clearTimeout(late);
        reject(fault);
      },
    });
    try {
      this.#connection.publish(subject, payload, { reply: this.#inbox + word });
    } catch (cause) {
      this.#take(word)?.reject(new Fault('unavailable', undefined, { cause }));
    }
    return promise;
  }

  #take(word: string): Waiting | undefined {
    const waiting = this.#waiting.get(word);
    this.#waiting.delete(word);
    return waiting;
  }

  #arrived({ subject, data, headers }: Msg): void {
    const waiting = this.#take(subject.slice(this.#inbox.length));
    // What came after its time is nobody's.
    if (waiting === undefined) return;
    const nobody = data.length === 0 && headers?.code === 503;
    if (nobody) waiting.reject(new Fault('unavailable'));
    else waiting.resolve(data);
  }

  /** NATS says apart from any answer that a subject is not permitted. */
  async #watch(): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (status.type !== 'error') continue;
      const { error } = status;
      if (!(error instanceof errors.PermissionViolationError)) continue;
      if (error.operation === 'publish')
        this.#end(({ subject }) => subject === error.subject, error);
    }
  }

  #end(of: (waiting: Waiting) => boolean, cause: Error | undefined): void {
    for (const [word, waiting] of [...this.#waiting]) {
      if (of(waiting)) this.#take(word)?.reject(new Fault('unavailable', undefined, { cause }));
    }
  }
}
