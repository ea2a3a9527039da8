/** Clients that die: what they had taken on goes on with the next one that opens their home. */
import t from 'tap';
import { bootIsland, until } from './island.ts';
import { numbered, people, talk, textsFrom, untilLine } from './islander.ts';

t.test(
  'M1: clients killed with -9 while they send and receive lose nothing and repeat nothing',
  async (t) => {
    const count = 150;
    await using island = await bootIsland();
    await using who = await people(island, 'alice', 'bob');
    const fromAlice = numbered('alice', count);

    // All lines are queued in one commit before the first is sent, then the sender dies three times on the way.
    let sender = talk(who.homeOf('alice'), 'send', 'bob', '-');
    sender.write(`${fromAlice.join('\n')}\n`);
    sender.end();
    const heard: string[] = [];
    let receiver = talk(who.homeOf('bob'), 'listen');
    for (const least of [20, 50, 90]) {
      await until(() => heard.length + textsFrom(receiver, 'alice').length >= least);
      sender.kill('SIGKILL');
      receiver.kill('SIGKILL');
      await Promise.all([sender.ended, receiver.ended]);
      heard.push(...textsFrom(receiver, 'alice'));
      receiver = talk(who.homeOf('bob'), 'listen');
      sender = talk(who.homeOf('alice'), 'listen');
    }
    await until(
      () => [...heard, ...textsFrom(receiver, 'alice')].at(-1) === fromAlice.at(-1),
      60_000,
    );
    heard.push(...textsFrom(receiver, 'alice'));
    receiver.kill('SIGTERM');
    sender.kill('SIGTERM');
    t.same(await Promise.all([sender.ended, receiver.ended]), [0, 0]);
    // What a killed program had shown it may show again, once; the messages themselves are there once.
    t.same(
      heard.filter((text, i) => heard.indexOf(text) === i),
      fromAlice,
    );
    const silent = talk(who.homeOf('bob'), 'listen');
    await untilLine(silent, ({ state }) => state === 'online');
    silent.kill('SIGTERM');
    await silent.ended;
    t.same(textsFrom(silent, 'alice'), []);
  },
);
