/** M3: the same scripts played by our chains and by the sender keys of Signal's own library. */
import * as fc from 'fast-check';
import t from 'tap';
import { Fault } from '../wire/fault.ts';
import { accountId } from '../wire/ids.ts';
import { admitChain } from './chain-admission.ts';
import { CryptoFault } from './crypto-fault.ts';
import { decodePost } from './post.ts';
import { decodePostPlaintext } from './post-plaintext.ts';
import { equal } from './primitives.ts';
import { openPost, openRun, type ReceivedChain } from './received-chain.ts';
import { channelKeyOf, makeChain, sealPost } from './sender-chain.ts';
import { channel, log, now, one, plaintextOf, space } from './testing/channel.ts';
import { SignalGroupDevice } from './testing/signal-groups.ts';

const people = [accountId('01'.repeat(16)), accountId('02'.repeat(16)), accountId('03'.repeat(16))];
const who = fc.nat(people.length - 1);
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('post' as const),
      sender: who,
      many: fc.integer({ min: 1, max: 12 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('admit' as const), reader: who, sender: who }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      reader: who,
      pick: fc.nat(),
      claim: fc.option(who, { freq: 6 }),
      damage: fc.option(fc.nat(), { freq: 6 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('catch up' as const),
      reader: who,
      sender: who,
      from: fc.nat(),
      count: fc.integer({ min: 1, max: 20 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rotate' as const), sender: who }) },
);

interface Sent {
  sender: number;
  signal: { by: SignalGroupDevice; bytes: Uint8Array<ArrayBuffer> };
  ours: Uint8Array;
  text: string;
}

const flip = <B extends Uint8Array>(bytes: B, place: number | null): B => {
  if (place === null) return bytes;
  const copy = bytes.slice() as B;
  copy[place % copy.length] = (copy[place % copy.length] ?? 0) ^ 1;
  return copy;
};

/** Ours of one reader: the chains that it was given. */
class OurReader {
  chains: ReceivedChain[] = [];
  admit(sender: number, offer: ReturnType<typeof channelKeyOf>): void {
    const author = people[sender] as (typeof people)[0];
    const { chain } = admitChain(this.chains, offer, { author, device: one });
    this.#keep(chain);
  }
  #keep(chain: ReceivedChain): void {
    this.chains = [...this.chains.filter(({ id }) => !equal(id, chain.id)), chain];
  }
  read(claimed: number, bytes: Uint8Array): string | undefined {
    const context = {
      author: people[claimed] as (typeof people)[0],
      device: one,
      logHash: log.logHash,
    };
    try {
      const post = decodePost(bytes);
      const chain = this.chains.find(({ id }) => equal(id, post.chain));
      if (!chain) return undefined;
      const opened = openPost(chain, post, context);
      this.#keep(opened.chain);
      return textOf(opened.plaintext);
    } catch (error) {
      if (error instanceof Fault || error instanceof CryptoFault) return undefined;
      throw error;
    }
  }
  catchUp(sender: number, all: readonly Uint8Array[]): (string | undefined)[] {
    const author = people[sender] as (typeof people)[0];
    const posts = all.map(decodePost);
    const [first] = posts;
    const chain = this.chains.find(({ id }) => first && equal(id, first.chain));
    if (!chain) return all.map(() => undefined);
    const context = { author, device: one, logHash: log.logHash };
    const run = openRun(
      chain,
      posts.map((post) => ({ post, context })),
    );
    this.#keep(run.chain);
    return run.results.map(({ plaintext }) => plaintext && textOf(plaintext));
  }
}

function textOf(plaintext: Uint8Array): string {
  const { body } = decodePostPlaintext(plaintext);
  return body.kind === 'text' ? body.text : '';
}

async function theirs(
  reader: SignalGroupDevice,
  sent: Sent,
  claimed: SignalGroupDevice,
  damage: number | null,
): Promise<string | undefined> {
  try {
    return Buffer.from(
      await reader.decrypt(claimed.address, flip(sent.signal.bytes, damage)),
    ).toString();
  } catch {
    // Whatever it says: it took nothing.
    return undefined;
  }
}

t.test(
  'loss, order, repetition, damage, late joining, wrong names: the same is read and refused as by libsignal',
  async (t) => {
    let decisions = 0;
    let read = 0;
    const play = async (
      steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[],
    ) => {
      let made = 0;
      const device = () => new SignalGroupDevice(`d${made++}`);
      const signal = people.map(device);
      const readers = people.map((_, i) => new SignalGroupDevice(`r${i}`));
      const chains = people.map(() => makeChain({ space, channel, epoch: 5 }, now));
      const ours = people.map(() => new OurReader());
      const sent: Sent[] = [];
      for (const act of steps) {
        if (act.do === 'post') {
          for (let i = 0; i < act.many; i++) {
            const { sender } = act;
            const by = signal[sender] as SignalGroupDevice;
            const text = `${sender}:${sent.length}`;
            await by.offer();
            const bytes = await by.encrypt(new Uint8Array(Buffer.from(text)));
            const author = { author: people[sender] as (typeof people)[0], device: one, ...log };
            const sealed = sealPost(
              chains[sender] as (typeof chains)[0],
              author,
              plaintextOf(text),
            );
            chains[sender] = sealed.chain;
            sent.push({ sender, signal: { by, bytes }, ours: sealed.post, text });
          }
        } else if (act.do === 'rotate') {
          signal[act.sender] = device();
          chains[act.sender] = makeChain({ space, channel, epoch: 5 }, now);
        } else if (act.do === 'admit') {
          const by = signal[act.sender] as SignalGroupDevice;
          await readers[act.reader]?.admit(by.address, await by.offer());
          ours[act.reader]?.admit(
            act.sender,
            channelKeyOf(chains[act.sender] as (typeof chains)[0], log),
          );
        } else if (act.do === 'catch up') {
          const own = sent.filter(({ sender }) => sender === act.sender);
          const newest = own.filter(({ signal: { by } }) => by === own.at(-1)?.signal.by);
          const some = newest.slice(act.from % (newest.length + 1)).slice(0, act.count);
          const reader = readers[act.reader] as SignalGroupDevice;
          const expected: (string | undefined)[] = [];
          for (const each of some) expected.push(await theirs(reader, each, each.signal.by, null));
          const answer = ours[act.reader]?.catchUp(
            act.sender,
            some.map((each) => each.ours),
          );
          if (JSON.stringify(answer) !== JSON.stringify(expected)) return false;
          decisions += some.length;
          read += expected.filter((text) => text !== undefined).length;
        } else {
          const each = sent[act.pick % Math.max(1, sent.length)];
          if (!each) continue;
          const claim = act.claim ?? each.sender;
          const by = claim === each.sender ? each.signal.by : (signal[claim] as SignalGroupDevice);
          const expected = await theirs(
            readers[act.reader] as SignalGroupDevice,
            each,
            by,
            act.damage,
          );
          const answer = ours[act.reader]?.read(claim, flip(each.ours, act.damage));
          if (answer !== expected || (answer !== undefined && answer !== each.text)) return false;
          decisions++;
          if (answer !== undefined) read++;
        }
      }
      return true;
    };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }), play),
      {
        numRuns: 80,
      },
    );
    t.ok(read > 300 && decisions - read > 300, `${decisions} decisions, ${read} read`);
    t.comment(`${decisions} decisions, ${read} read`);
  },
);
