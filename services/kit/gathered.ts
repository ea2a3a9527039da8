/** Small questions asked together: one round at a time, and whatever comes meanwhile makes up the next. A lone one waits for nobody. */

interface Waiting<Item, Answer> {
  item: Item;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/**
 * @param ask answers all items of a round with one answer; what it throws, each of them gets
 * @param most items in one round
 */
export function gathered<Item, Answer>(
  ask: (items: readonly Item[]) => Promise<Answer>,
  most: number,
): (item: Item) => Promise<Answer> {
  let waiting: Waiting<Item, Answer>[] = [];
  let working = false;

  async function work(): Promise<void> {
    while (waiting.length > 0) {
      const round = waiting.slice(0, most);
      waiting = waiting.slice(most);
      try {
        const answer = await ask(round.map(({ item }) => item));
        for (const { resolve } of round) resolve(answer);
      } catch (error) {
        for (const { reject } of round) reject(error);
      }
    }
    working = false;
  }

  return (item) => {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    waiting.push({ item, resolve, reject });
    if (!working) {
      working = true;
      queueMicrotask(() => void work());
    }
    return promise;
  };
}
