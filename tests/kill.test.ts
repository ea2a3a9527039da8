/** kill -9, everywhere: whatever is killed comes back by itself; without its supervisor nothing lives on. */

import { askInvite } from '@island/appliance/operator.ts';
import type { StatusReport } from '@island/appliance/status-report.ts';
import t from 'tap';
import { bootIsland, processesOf, until } from './island.ts';

const pidOf = ({ units }: StatusReport, name: string): number =>
  units.find((unit) => unit.name === name)?.pid ?? 0;

t.test('kill -9 of any process: the supervisor restarts it and the island heals', async (t) => {
  await using island = await bootIsland();
  const names = (await island.status()).units.map(({ name }) => name);
  for (const name of names) {
    const before = await island.status();
    const pid = pidOf(before, name);
    process.kill(pid, 'SIGKILL');
    const since = Date.now();
    await until(async () => {
      const now = await island.status();
      return now.ready && ![0, pid].includes(pidOf(now, name));
    });
    await until(() => island.answers());
    // Services connect to each other again by themselves.
    await until(() =>
      askInvite(island.data, 1, 3600).then(
        () => true,
        () => false,
      ),
    );
    t.pass(`${name} was killed, and after ${Date.now() - since} ms all is well`);
    const after = await island.status();
    const others = names.filter(
      (other) => other !== name && pidOf(after, other) !== pidOf(before, other),
    );
    t.same(others, [], 'nothing else was restarted');
  }
});

t.test('kill -9 of everything but the supervisor at once', async (t) => {
  await using island = await bootIsland();
  const { units } = await island.status();
  for (const { pid } of units) if (pid !== null) process.kill(pid, 'SIGKILL');
  await until(async () =>
    (await island.status()).units.every(({ restarts, state }) => restarts > 0 && state === 'ready'),
  );
  await until(() => island.answers());
  t.equal((await island.run('invite')).code, 0);
});

t.test('kill -9 of the supervisor: all its processes end, and the next up works', async (t) => {
  await using island = await bootIsland();
  const before = island.welcome;
  await island.stop('SIGKILL');
  await until(() => processesOf(island.data).length === 0, 15_000);
  t.same(processesOf(island.data), [], 'no orphan is left');
  t.equal((await island.run('status')).code, 1);
  t.same(await island.start(), before);
  t.ok(await island.answers());
});
