/** Turns come in the order in which they were taken, also when somebody gives up. */
import t from 'tap';
import { openTurns } from './turns.ts';

t.test('turns of one name come in their order, others do not wait', async (t) => {
  const turns = openTurns();
  const came: string[] = [];
  const take = (name: string, label: string, signal?: AbortSignal) => {
    const turn = turns.take(name);
    const come = turn.come(signal).then(() => came.push(label));
    return { turn, come };
  };
  const giving = new AbortController();
  const [first, second, third] = [
    take('bob', 'one'),
    take('bob', 'two', giving.signal),
    take('bob', 'three'),
  ];
  const other = take('carol', 'hers');
  await Promise.all([first.come, other.come]);
  t.same(came.sort(), ['hers', 'one']);

  giving.abort(new Error('gave up'));
  await t.rejects(second.come, { message: 'gave up' });
  second.turn[Symbol.dispose]();
  await Promise.resolve();
  t.equal(came.length, 2, 'the third does not overtake the first');
  first.turn[Symbol.dispose]();
  await third.come;
  t.equal(came.at(-1), 'three');
  third.turn[Symbol.dispose]();
  await take('bob', 'later').come;
  t.equal(came.at(-1), 'later');
});
