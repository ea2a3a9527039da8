/** Turns at scarce work. docs/protocol/accounts.md §3 */
import t from 'tap';
import { createTurns } from './turns.ts';

const gate = () => Promise.withResolvers<void>();

t.test('no more than the lanes run at once, and all run in the end', async (t) => {
  const turns = createTurns({ lanes: 2, waiting: 100, waitingEach: 100 });
  let running = 0;
  let most = 0;
  const work = async () => {
    running += 1;
    most = Math.max(most, running);
    await Promise.resolve();
    running -= 1;
    return running;
  };
  const all = await Promise.all(Array.from({ length: 50 }, () => turns.take('a', work)));
  t.equal(all.length, 50);
  t.equal(most, 2);
});

t.test('one who floods waits behind himself, not before others', async (t) => {
  const turns = createTurns({ lanes: 1, waiting: 100, waitingEach: 100 });
  const first = gate();
  const order: string[] = [];
  const all = [turns.take('flood', () => first.promise)];
  for (let i = 0; i < 5; i++) all.push(turns.take('flood', async () => void order.push('flood')));
  all.push(turns.take('ada', async () => void order.push('ada')));
  first.resolve();
  await Promise.all(all);
  t.same(order.slice(0, 2), ['flood', 'ada']);
});

t.test('who would wait too long is told so at once', async (t) => {
  const turns = createTurns({ lanes: 1, waiting: 2, waitingEach: 2 });
  const first = gate();
  const work = () => first.promise;
  const taken = [turns.take('a', work), turns.take('a', work)];
  const last = turns.take('a', work);
  await t.rejects(turns.take('a', work), { code: 'unavailable' }, 'two of one asker wait');
  taken.push(turns.take('b', work));
  await t.rejects(last, { code: 'unavailable' }, 'two wait in all: one of each');
  await t.rejects(turns.take('c', work), { code: 'unavailable' }, 'nobody waits with more');
  first.resolve();
  await Promise.all(taken);
  await turns.take('c', work);
});

t.test('pitfall: a few who fill the queue keep nobody out who asks for less', async (t) => {
  const turns = createTurns({ lanes: 1, waiting: 8, waitingEach: 4 });
  const first = gate();
  const order: string[] = [];
  const running = turns.take('x', () => first.promise);
  const flood = ['x', 'y'].flatMap((asker) =>
    Array.from({ length: 4 }, () => turns.take(asker, async () => void order.push(asker))),
  );
  const outcomes = Promise.allSettled(flood);
  const ada = turns.take('ada', async () => void order.push('ada'));
  const bea = turns.take('bea', async () => void order.push('bea'));
  await t.rejects(
    turns.take('x', async () => undefined),
    { code: 'unavailable' },
  );
  first.resolve();
  await Promise.all([running, ada, bea]);
  t.equal((await outcomes).filter(({ status }) => status === 'rejected').length, 2);
  t.same(order.slice(0, 4).toSorted(), ['ada', 'bea', 'x', 'y'], 'all in turn');
});

t.test('work that fails makes room for the next', async (t) => {
  const turns = createTurns({ lanes: 1, waiting: 3, waitingEach: 3 });
  const failed = new Error('failed');
  await t.rejects(
    turns.take('a', () => {
      throw failed;
    }),
    failed,
  );
  await t.rejects(
    turns.take('a', () => Promise.reject(failed)),
    failed,
  );
  t.equal(await turns.take('a', async () => 1), 1);
});
