/** Typing is told seldom, and ends by itself. */
import { mock } from 'node:test';
import t from 'tap';
import { typingNotices, typists } from './typing.ts';

t.test(
  'it is told once in five seconds, and its end only where it is believed to go on',
  async (t) => {
    const told: string[] = [];
    const clock = { now: 0 };
    const { typing, stopped } = typingNotices(
      async (to, began) => void told.push(`${to} ${began}`),
      () => clock.now,
    );
    for (clock.now = 0; clock.now < 12_000; clock.now += 100) await typing('bob');
    t.same(told, ['bob true', 'bob true', 'bob true']);
    await stopped('bob');
    await stopped('bob');
    t.same(told.splice(0), ['bob true', 'bob true', 'bob true', 'bob false']);
    await typing('bob');
    clock.now += 10_001;
    await stopped('bob');
    t.same(told, ['bob true'], 'the other side has ended it by itself');
  },
);

t.test('whoever is not heard of for ten seconds has stopped', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const told: string[] = [];
  using writing = typists((from, began) => void told.push(`${from} ${began}`));
  writing.heard('bob', true);
  mock.timers.tick(6_000);
  writing.heard('bob', true);
  mock.timers.tick(6_000);
  t.same(told, ['bob true']);
  mock.timers.tick(4_000);
  t.same(told, ['bob true', 'bob false']);
  writing.heard('bob', false);
  writing.heard('carol', true);
  writing.heard('carol', false);
  t.same(told.slice(2), ['carol true', 'carol false']);
});
