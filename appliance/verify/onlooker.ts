/**
 * A real client in a home of its own, which has seen nothing of the log yet, and whose line to the island somebody
 * may change: it asks the real island over the SDK, with tokens of a throw-away person.
 */

import { openWallet } from '@island/client/payment/wallet.ts';
import { openLookups } from '@island/client/people/lookups.ts';
import { openPeople, type People } from '@island/client/people/people.ts';
import { Problem } from '@island/client/problem.ts';
import { memoryStorage } from '@island/client/storage/memory.ts';
import type { Storage } from '@island/client/storage/storage.ts';
import { readHead } from '@island/client/transparency/head.ts';
import { type Latch, readLatch } from '@island/client/transparency/latch.ts';
import { readPins, replacePins, shownPins } from '@island/client/transparency/pins.ts';
import { openProving } from '@island/client/transparency/proving.ts';
import { vrfKeyLogged } from '@island/client/transparency/vrf-pin.ts';
import type { HttpAnswer, Transport } from '@island/client/transport/transport.ts';
import type { LogPins } from '@island/protocol/transparency/answer.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { SaidLog } from '@island/protocol/wire/routes.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import type { Device } from './device.ts';

/** Who stands between the client and the island, and what they put in place of what it says. */
export interface Between {
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

/** `pinned`: what this home has known of the log for long, and seen to, made of what the island says of it. */
export function onlooker(
  purse: Purse,
  between: Between = {},
  pinned?: (said: SaidLog) => LogPins,
): Onlooker {
  const storage = memoryStorage();
  return atHome(purse, between, storage, async () => {
    if (!pinned || (await readPins(storage))) return;
    const pins = pinned(await shownPins(purse.transport));
    await replacePins(storage, pins);
    await storage.commit({ put: [vrfKeyLogged(pins.vrf)] });
  });
}

function atHome(
  purse: Purse,
  between: Between,
  storage: Storage,
  begun: () => Promise<void> = async () => undefined,
): Onlooker {
  const { joining, session, transport } = purse;
  const now = Date.now;
  const wallet = openWallet({ storage: joining.storage, session, transport, now });
  const changed = changing(transport, () => it.between);
  const proving = openProving({ storage, transport: changed, now });
  const people = openPeople(
    storage,
    openLookups({ storage, wallet, transport: changed, proving }),
    now,
  );
  const it: Onlooker = {
    between,
    people,
    async ask(name) {
      await begun();
      return outcomeOf(() => people.refresh(name));
    },
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
    const { answer: proved } = between();
    if (request.path === '/v1/lookup/proof' && proved !== undefined) {
      const changed = await proved(fromBase64url(String(bodyOf(answer)['answer'])));
      return { ...answer, body: encode({ answer: base64url(changed) }) };
    }
    return answer;
  },
});

const bodyOf = ({ body }: HttpAnswer): Body => JSON.parse(Buffer.from(body).toString('utf8'));
const encode = (body: Body): Uint8Array => Buffer.from(JSON.stringify(body));
