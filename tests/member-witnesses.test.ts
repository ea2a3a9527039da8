/**
 * A LAN island whose log three of its own people witness, each with `islander witness on` and a program that runs; nothing
 * outside is reached. docs/protocol/transparency.md §7.6, docs/operations.md §8
 */
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { askControl } from '@island/appliance/operator.ts';
import { parsePolicy, satisfied } from '@island/protocol/transparency/policy.ts';
import t from 'tap';
import { bootIsland, type TestIsland, until } from './island.ts';
import { people, runIslander, type Talking, talk, untilLine } from './islander.ts';

t.setTimeout(240_000);

async function fetched(island: TestIsland, path: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const ca = await readFile(island.welcome.caFile);
  request(new URL(path, island.welcome.address), { ca }, (response) => {
    text(response).then(resolve, reject);
  })
    .once('error', reject)
    .end();
  return promise;
}

/** Of `island witness`. */
interface Standing {
  policy: { number: number; text: string; needs: object[] };
  size: number;
  waiting?: number;
  problem?: string;
  witnesses: { name: string; class: string; signed: number; problem?: string }[];
}

t.test(
  'K1: two of three members witness their island: one may be off, two stop it, and it goes on when they are back',
  async (t) => {
    await using island = await bootIsland();
    await using homes = await people(island, 'alice', 'bob', 'carol');
    island.welcome.invite = null;
    const standing = async () =>
      (await askControl(island.data, { method: 'GET', path: '/witness' })) as Standing;
    const witness = async (name: string, action = 'status') =>
      JSON.parse((await runIslander(homes.homeOf(name), ['witness', action, '--json'])).stdout);
    const listening = new Map<string, Talking>();
    const listen = async (name: string): Promise<void> => {
      const running = talk(homes.homeOf(name), 'listen');
      listening.set(name, running);
      await untilLine(running, ({ state }) => state === 'online');
    };
    const stop = async (name: string): Promise<void> => {
      listening.get(name)?.kill('SIGTERM');
      await listening.get(name)?.ended;
      listening.delete(name);
    };
    /** A new name is a new entry. */
    const join = async (name: string): Promise<void> => {
      await using _homes = await people(island, name);
    };

    const names = ['alice', 'bob', 'carol'];
    const keys = new Map<string, string>();
    for (const name of names) keys.set(name, (await witness(name, 'on')).vkey);
    const early = await island.run('witness', 'add', '--member', keys.get('alice') ?? '');
    t.match(early, { code: 1, stderr: /has to be connected: there, npx islander witness on/ });
    await Promise.all(names.map(listen));
    // The key is said on the connection soon after that is there.
    const added = (name: string, ...args: string[]) =>
      until(async () => {
        const key = keys.get(name) ?? '';
        return (await island.run('witness', 'add', '--member', key, ...args)).code === 0;
      });
    for (const [n, name] of names.entries())
      await added(name, ...(n === 2 ? ['--quorum', '2'] : []));
    await until(async () => (await standing()).policy.number === 4);
    const set = await standing();
    t.match(set.policy.needs, [{ class: 'members', quorum: 2, of: 3 }]);
    t.same(
      set.witnesses.map((each) => each.class),
      ['member', 'member', 'member'],
    );
    const { stdout } = await island.run('witness');
    t.match(stdout, /^2 of 3 members have to sign each checkpoint/);
    t.match(stdout, /no witness of another operator/);
    const { log } = JSON.parse(await fetched(island, '/.well-known/island'));
    t.match(log, { witnessed: true, policyNumber: 4 });
    const cosigners = async () =>
      satisfied(parsePolicy(log.policy), await fetched(island, '/log/checkpoint'));
    t.match(await cosigners(), { ok: true });
    t.match(await witness('alice'), { on: true, vkey: keys.get('alice') });

    await stop('alice');
    const before = (await standing()).size;
    await join('dora');
    await until(async () => (await standing()).size > before);
    await until(async () => (await standing()).waiting === undefined);
    t.match(await cosigners(), { ok: true, cosigners: { length: 2 } }, 'one is off');

    await stop('bob');
    const stuck = (await standing()).size;
    await join('erin');
    await until(async () => (await standing()).waiting !== undefined);
    t.equal((await standing()).size, stuck, 'two are off: nothing new is published');
    const sent = await runIslander(homes.homeOf('carol'), ['send', 'erin', 'hi', '--json']);
    t.match(sent, { code: 1 }, 'and nobody new is taken for true');
    const { problem } = (await standing()).witnesses[1] ?? {};
    t.ok(problem === undefined || problem === 'unreachable');

    await Promise.all(['alice', 'bob'].map(listen));
    await until(async () => (await standing()).size > stuck);
    t.match(await cosigners(), { ok: true }, 'both are back');
    const now = await runIslander(homes.homeOf('carol'), ['send', 'erin', 'hi', '--json']);
    t.match(now, { code: 0 });

    for (const name of names) await stop(name);
  },
);
