/**
 * The promise under disturbance: two people exchange messages while everything of the island dies once
 * and the island is stopped and started. What the island took arrives exactly once and in order, and
 * nobody has to do anything but start it again.
 */
import t from 'tap';
import { bootIsland, type TestIsland, until } from './island.ts';
import {
  accepted,
  numbered,
  people,
  type Talking,
  talk,
  textsFrom,
  untilLine,
} from './islander.ts';

// Quiet, it takes about a minute.
t.setTimeout(400_000);

const total = 1000;
/** Lines written and not yet accepted, for each of the two. */
const ahead = 24;

/** Writes lines up to a limit that is raised as the test goes on. */
function feed(
  talking: Talking,
  lines: readonly string[],
): { allow(limit: number): void; done(): number } {
  let written = 0;
  let limit = 0;
  const timer = setInterval(() => {
    const until = Math.min(limit, accepted(talking) + ahead, lines.length);
    for (; written < until; written++) talking.write(`${lines[written]}\n`);
    if (written === lines.length) clearInterval(timer);
  }, 10);
  return {
    allow: (next) => {
      limit = next;
    },
    done: () => accepted(talking),
  };
}

async function killUnit(island: TestIsland, name: string): Promise<void> {
  const pid = (await island.status()).units.find((unit) => unit.name === name)?.pid;
  if (!pid) throw new Error(`there is no ${name}`);
  process.kill(pid, 'SIGKILL');
  await until(async () => {
    const now = await island.status();
    const unit = now.units.find((each) => each.name === name);
    return now.ready && unit?.pid !== null && unit?.pid !== pid;
  }, 60_000);
}

async function restart(island: TestIsland, signal: NodeJS.Signals): Promise<void> {
  await island.stop(signal);
  await island.start();
}

t.test(
  'M1, T2: 1,000 messages each way while every process is killed and the island restarts',
  async (t) => {
    await using island = await bootIsland();
    await using who = await people(island, 'alice', 'bob');
    const units = (await island.status()).units.map(({ name }) => name);
    t.same([...units].sort(), ['caddy', 'control', 'core', 'front', 'nats', 'pkid', 'redis']);
    const disturbances: [string, () => Promise<void>][] = [
      ...units.map((name): [string, () => Promise<void>] => [
        `kill -9 ${name}`,
        () => killUnit(island, name),
      ]),
      ['stop and start', () => restart(island, 'SIGTERM')],
      ['kill -9 of the supervisor, and start', () => restart(island, 'SIGKILL')],
      ['stop and start again', () => restart(island, 'SIGTERM')],
    ];
    const alice = talk(who.homeOf('alice'), 'chat', 'bob');
    const bob = talk(who.homeOf('bob'), 'chat', 'alice');
    await Promise.all(
      [alice, bob].map((each) => untilLine(each, ({ state }) => state === 'online')),
    );
    const fromAlice = numbered('alice', total);
    const fromBob = numbered('bob', total);
    const feeds = [feed(alice, fromAlice), feed(bob, fromBob)];
    const least = () => Math.min(...feeds.map((each) => each.done()));

    for (const [i, [what, disturb]] of disturbances.entries()) {
      const since = performance.now();
      const start = least();
      const portion = Math.ceil((total * (i + 1)) / disturbances.length);
      for (const each of feeds) each.allow(portion);
      await until(() => least() >= start + 10);
      await disturb();
      await until(() => least() >= portion, 60_000);
      t.pass(
        `${what}: all is well ${Math.round(performance.now() - since)} ms later, ${least()} taken of each`,
      );
    }

    await until(
      () => textsFrom(alice, 'bob').length >= total && textsFrom(bob, 'alice').length >= total,
      60_000,
    );
    alice.end();
    bob.end();
    t.same(await Promise.all([alice.ended, bob.ended]), [0, 0], 'both end by themselves');
    t.same(textsFrom(alice, 'bob'), fromBob, 'all of bob’s arrived once, in order');
    t.same(textsFrom(bob, 'alice'), fromAlice, 'all of alice’s arrived once, in order');
    const odd = [...alice.lines, ...bob.lines].filter(
      ({ type }) => type === 'failed' || type === 'unreadable' || type === 'error',
    );
    t.same(odd, []);
  },
);
