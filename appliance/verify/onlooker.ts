/**
 * A real client in a home of its own, which has seen nothing of the log yet, and whose line to the island somebody
 * may change: it asks the real island over the SDK, with tokens of a throw-away person.
 */
import { openLookups } from '@island/client/messages/lookups.ts';
import { openPeople, type People } from '@island/client/messages/people.ts';
import { openWallet } from '@island/client/messages/wallet.ts';
import { Problem } from '@island/client/problem.ts';
import { memoryStorage } from '@island/client/storage/memory.ts';
import type { Storage } from '@island/client/storage/storage.ts';
import { readHead } from '@island/client/transparency/head.ts';
import { type Latch, readLatch } from '@island/client/transparency/latch.ts';
import { openProving } from '@island/client/transparency/proving.ts';
import type { HttpAnswer, Transport } from '@island/client/transport/transport.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import type { Device } from './device.ts';

/** Who stands between the client and the island, and what they put in place of what it says. */
export interface Between {
  /** Of the log in its public document. */
  log?: (said: Body) => Body;
  /** What is proved of somebody. */
  answer?: (answer: Uint8Array) => Uint8Array | Promise<Uint8Array>;
}

export interface Onlooker {
  /** May be changed at any time. */
  between: Between;
  /** Asks who somebody is: `accepted`, or by which name it was refused. */
  ask(name: string): Promise<string>;
  /** The same by a program that was started anew on the same home. */
  restarted(): Onlooker;
  people: People;
  latch(): Promise<Latch | undefined>;
  /** The size of the log that this home has seen; 0 for nothing. */
  seen(): Promise<number>;
}

type Purse = Pick<Device, 'joining' | 'session' | 'transport'>;

export const onlooker = (purse: Purse, between: Between = {}): Onlooker =>
  atHome(purse, between, memoryStorage());

function atHome(purse: Purse, between: Between, storage: Storage): Onlooker {
  const { joining, session, transport } = purse;
  const now = Date.now;
  const wallet = openWallet({ storage: joining.storage, session, transport, now });
  const changed = changing(transport, () => it.between);
  const proving = openProving({ storage, transport: changed, now });
  const people = openPeople(storage, openLookups({ wallet, transport: changed, proving }), now);
  const it: Onlooker = {
    between,
    people,
    ask: (name) => outcomeOf(() => people.refresh(name)),
    restarted: () => atHome(purse, it.between, storage),
    latch: () => readLatch(storage),
    seen: async () => (await readHead(storage))?.size ?? 0,
  };
  return it;
}

/** `accepted`, or the code of the refusal. Throws what is none, such as a line that breaks. */
export async function outcomeOf(work: () => Promise<unknown> | unknown): Promise<string> {
  try {
    await work();
    return 'accepted';
  } catch (error) {
    const said = error instanceof Problem || error instanceof Fault;
    if (said || error instanceof TransparencyFault) return error.code;
    throw error;
  }
}

type Body = Record<string, unknown>;

const changing = (transport: Transport, between: () => Between): Transport => ({
  ...transport,
  async apart(request) {
    const answer = await transport.apart(request);
    if (answer.status !== 200) return answer;
    const { log, answer: proved } = between();
    if (request.path === '/.well-known/island' && log !== undefined) {
      const said = bodyOf(answer);
      return { ...answer, body: encode({ ...said, log: log(said['log'] as Body) }) };
    }
    if (request.path === '/v1/lookup/proof' && proved !== undefined) {
      const changed = await proved(fromBase64url(String(bodyOf(answer)['answer'])));
      return { ...answer, body: encode({ answer: base64url(changed) }) };
    }
    return answer;
  },
});

const bodyOf = ({ body }: HttpAnswer): Body => JSON.parse(Buffer.from(body).toString('utf8'));
const encode = (body: Body): Uint8Array => Buffer.from(JSON.stringify(body));
