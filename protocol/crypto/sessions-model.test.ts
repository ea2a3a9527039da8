/**
 * Two devices, their stores, and an island that loses, repeats and reorders, played by random scripts
 * with crashes, backups restored and clocks that move. A failing script is printed with its seed.
 */
import fc from 'fast-check';
import t from 'tap';
import { SampleDevice } from '../vectors/sample-device.ts';
import { utf8Bytes } from '../wire/bytes.ts';
import { hex } from '../wire/text.ts';
import { CryptoFault } from './crypto-fault.ts';
import { equal } from './primitives.ts';
import { pi1 } from './ratchet-message.ts';
import { sessionIdOf, sessionTools } from './session.ts';
import { PeerSessions, type Received, sessionLimits } from './sessions.ts';
import { day, start } from './testing/devices.ts';

interface Envelope {
  readonly bytes: Uint8Array;
  /** Handed to the client, which has not acknowledged it. */
  handed: boolean;
}

/** What the two ends of a conversation share: the clock, and every message key under which a message has left. */
class World {
  now = start;
  readonly keys = new Map<string, string>();

  left(key: string, message: Uint8Array): void {
    const known = this.keys.get(key);
    if (known !== undefined && known !== hex(message))
      throw new Error('one message key for two messages');
    this.keys.set(key, hex(message));
  }
}

const text = new TextDecoder();

/** One device with a client that keeps the rules of sessions.ts. */
class Client {
  readonly device: SampleDevice;
  readonly mailbox: Envelope[] = [];
  readonly #world: World;
  #peer: Client | undefined;
  #sessions: PeerSessions | undefined;
  #generation = 1;
  #durable: Uint8Array | undefined;
  #received = new Set<string>();
  #backup: { bytes: Uint8Array | undefined; received: Set<string> } = {
    bytes: undefined,
    received: new Set(),
  };
  /** Since the last commit. */
  #held: { key: string; message: Uint8Array }[] = [];
  #opened: { envelope: Envelope; result: Received }[] = [];
  #sealKey = '';
  /** The session of a message that could not be opened. */
  #broken: Uint8Array | undefined;
  #count = 0;

  constructor(account: string, world: World) {
    this.device = new SampleDevice(account, 1);
    this.#world = world;
  }

  meet(peer: Client): void {
    this.#peer = peer;
    this.#sessions = new PeerSessions(this.#options());
  }

  get peer(): Client {
    if (this.#peer === undefined) throw new Error('nobody met');
    return this.#peer;
  }

  get sessions(): PeerSessions {
    if (this.#sessions === undefined) throw new Error('nobody met');
    return this.#sessions;
  }

  #options() {
    const profile = {
      ...pi1,
      seal: (...args: Parameters<typeof pi1.seal>) => {
        this.#sealKey = hex(args[0]);
        return pi1.seal(...args);
      },
    };
    const tools = { ...sessionTools, profile };
    return {
      ours: this.device.own,
      peer: this.peer.device.party,
      generation: this.#generation,
      tools,
    };
  }

  has(id: string): boolean {
    return (
      this.#received.has(id) ||
      this.#opened.some(({ result }) => text.decode(result.plaintext) === id)
    );
  }

  send(): string {
    const { now } = this.#world;
    if (this.#broken || !this.sessions.canSend(now)) {
      this.sessions.start(this.peer.device.bundle(this.#count % 3 !== 0), now, this.#broken);
      this.#broken = undefined;
    }
    const id = `${this.device.own.account.slice(0, 1)}${this.#generation}.${this.#count++}`;
    const { message, mayLeave } = this.sessions.encrypt(utf8Bytes(id), now);
    if (mayLeave) this.#leave(this.#sealKey, message);
    else this.#held.push({ key: this.#sealKey, message });
    return id;
  }

  #leave(key: string, message: Uint8Array): void {
    this.#world.left(key, message);
    this.peer.mailbox.push({ bytes: message, handed: false });
  }

  /** Opens one waiting message; answers whether anything was there. */
  open(pick: number): boolean {
    const waiting = this.mailbox.filter(({ handed }) => !handed);
    const envelope = waiting[pick % Math.max(waiting.length, 1)];
    if (envelope === undefined) return false;
    const before = Uint8Array.from(this.sessions.encode());
    try {
      const result = this.sessions.decrypt(envelope.bytes, this.#world.now, this.device);
      envelope.handed = true;
      const id = text.decode(result.plaintext);
      if (this.has(id)) throw new Error(`${id} was opened twice`);
      this.#opened.push({ envelope, result });
    } catch (error) {
      if (!(error instanceof CryptoFault)) throw error;
      if (!equal(this.sessions.encode(), before)) throw new Error(`state changed by ${error.code}`);
      // Opened before, but its commit is still to come: the island must keep it.
      const same = this.#opened.some((opened) => equal(opened.envelope.bytes, envelope.bytes));
      if (same) envelope.handed = true;
      else this.mailbox.splice(this.mailbox.indexOf(envelope), 1);
      if (!same && !['duplicate', 'replayed', 'too_old'].includes(error.code))
        this.#broken = sessionIdOf(envelope.bytes);
    }
    return true;
  }

  commit(reserve: number): void {
    const snapshot = this.sessions.snapshot(reserve);
    this.#durable = Uint8Array.from(snapshot.bytes);
    if (this.#durable.length > 9 * 90_000) throw new Error('the stored state has no bound');
    if (this.sessions.sessionIds().length > sessionLimits.inactive + 1)
      throw new Error('too many sessions');
    snapshot.stored();
    for (const { envelope, result } of this.#opened) {
      this.device.commit(result);
      this.#received.add(text.decode(result.plaintext));
      const at = this.mailbox.indexOf(envelope);
      if (at !== -1) this.mailbox.splice(at, 1);
    }
    this.#opened = [];
    for (const { key, message } of this.#held) this.#leave(key, message);
    this.#held = [];
  }

  #load(bytes: Uint8Array | undefined): void {
    const options = this.#options();
    this.#sessions = bytes
      ? PeerSessions.decode(bytes, options, this.#world.now)
      : new PeerSessions(options);
    this.#held = [];
    this.#opened = [];
    for (const envelope of this.mailbox) envelope.handed = false;
  }

  crash(): void {
    this.#load(this.#durable);
  }

  backUp(): void {
    this.#backup = { bytes: this.#durable, received: new Set(this.#received) };
  }

  /** From the last backup, as another day: a new generation, and prekeys that no backup knows. */
  restore(): void {
    this.#generation++;
    this.#received = new Set(this.#backup.received);
    this.device.forgetPrekeys();
    this.#load(this.#backup.bytes);
    this.#durable = Uint8Array.from(this.sessions.encode());
  }
}

type Act =
  | 'send'
  | 'open'
  | 'commit'
  | 'lose'
  | 'repeat'
  | 'crash'
  | 'back up'
  | 'restore'
  | 'wait';

interface Step {
  readonly who: 0 | 1;
  readonly act: Act;
  readonly value: number;
}

const often = (act: Act, weight: number) => ({ arbitrary: fc.constant(act), weight });
const step = fc.record<Step>({
  who: fc.constantFrom(0, 1),
  act: fc.oneof(
    often('send', 12),
    often('open', 14),
    often('commit', 8),
    often('lose', 2),
    often('repeat', 2),
    often('crash', 1),
    often('back up', 1),
    often('restore', 1),
    often('wait', 1),
  ),
  value: fc.nat(40),
});

function play(world: World, clients: readonly [Client, Client], { who, act, value }: Step): void {
  const client = clients[who];
  const { mailbox } = client;
  switch (act) {
    case 'send':
      client.send();
      break;
    case 'open':
      client.open(value);
      break;
    case 'commit':
      client.commit(value % 3 === 0 ? value : 0);
      break;
    case 'lose':
      mailbox.splice(value % Math.max(mailbox.length, 1), 1);
      break;
    case 'repeat': {
      const envelope = mailbox[value % Math.max(mailbox.length, 1)];
      if (envelope) mailbox.push({ bytes: envelope.bytes, handed: false });
      break;
    }
    case 'crash':
      client.crash();
      break;
    case 'back up':
      client.backUp();
      break;
    case 'restore':
      client.restore();
      break;
    case 'wait':
      // Also backwards: clocks are set.
      world.now += (value - 10) * day * 0.2;
  }
}

/** From here on nothing is lost; answers whether both directions work in the end. */
function settles(clients: readonly [Client, Client]): boolean {
  let ids: string[] = [];
  for (let round = 0; round < 6; round++) {
    ids = [];
    for (const client of clients) {
      ids.push(client.send());
      client.commit(0);
      while (client.peer.open(0));
      client.peer.commit(0);
    }
  }
  const [one, two] = clients;
  return two.has(ids[0] ?? '') && one.has(ids[1] ?? '');
}

t.test(
  'M1 two devices agree whatever happens between them, no message key serves twice, delivery resumes',
  (t) => {
    let steps = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 160, size: 'max' }), (script) => {
        const world = new World();
        const clients = [new Client('a', world), new Client('b', world)] as const;
        clients[0].meet(clients[1]);
        clients[1].meet(clients[0]);
        for (const next of script) play(world, clients, next);
        steps += script.length;
        return settles(clients);
      }),
      { numRuns: 150 },
    );
    t.ok(steps > 0, `${steps} steps`);
    t.end();
  },
);
