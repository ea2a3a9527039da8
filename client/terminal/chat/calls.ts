/**
 * What a person calls the messages of a conversation that is open: the first that is shown 1, and so on. A
 * number stays with its message while others come; when older ones are shown before it, all are numbered anew.
 */
import type { ShownMessage } from '../../conversation/view.ts';
import type { Islander } from '../../islander.ts';
import { Mistake } from './talk.ts';

export interface Calls {
  numberOf(key: string): number;
  /** In this order, from 1. */
  anew(keys: readonly string[]): void;
  /** By number, or by the beginning of an id. Throws `Mistake`. */
  find(called: string): Promise<ShownMessage>;
  lastOfOurs(): Promise<ShownMessage | undefined>;
}

/** Messages that are looked through. */
const most = 5_000;

export function openCalls({ conversations }: Islander, name: string): Calls {
  let numbers = new Map<string, number>();

  async function first(
    wanted: (message: ShownMessage) => boolean,
  ): Promise<ShownMessage | undefined> {
    let before: string | undefined;
    for (let seen = 0; seen < most; ) {
      const page = await conversations.view(name, { last: 200, ...(before && { before }) });
      const found = page.findLast((each) => each.type === 'message' && wanted(each));
      if (found) return found as ShownMessage;
      seen += page.length;
      before = page[0]?.at;
      if (before === undefined) return undefined;
    }
    return undefined;
  }

  return {
    numberOf(key) {
      const known = numbers.get(key);
      if (known !== undefined) return known;
      numbers.set(key, numbers.size + 1);
      return numbers.size;
    },
    anew(keys) {
      numbers = new Map(keys.map((key, i) => [key, i + 1]));
    },
    async find(called) {
      const key = [...numbers].find(([, number]) => String(number) === called)?.[0];
      const byId = /^[0-9a-f]{8,32}$/.test(called);
      const message =
        key !== undefined
          ? await first((each) => each.key === key)
          : byId
            ? await first((each) => each.id.startsWith(called))
            : undefined;
      if (!message) throw new Mistake(`There is no message ${called} here.`);
      return message;
    },
    lastOfOurs: () => first(({ direction, deleted }) => direction === 'out' && !deleted),
  };
}
