/** `island verify` on a real island: what is built holds, and what it has not seen before is a failure. */

import { classifyListeners } from '@island/appliance/verify/listeners.ts';
import { promiseIds } from '@island/appliance/verify/promises.ts';
import { openScene } from '@island/appliance/verify/scene.ts';
import type { VerifyReport } from '@island/appliance/verify/verify.ts';
import t from 'tap';
import { bootIsland, runIsland } from './island.ts';

const built = [
  ...['A1', 'A2', 'A3', 'A4', 'A5', 'M1', 'M2', 'M3', 'M5', 'M6', 'M7'],
  ...['T2', 'T3', 'T4', 'T6', 'K1', 'K2', 'K3'],
];

t.test('verify finds every promise that is built to hold, and changes nothing', async (t) => {
  await using island = await bootIsland();
  const { code, stdout, stderr } = await island.run('verify', '--json');
  t.equal(code, 0, stderr);
  const report = JSON.parse(stdout) as VerifyReport;
  t.same(
    report.promises.map(({ id }) => id),
    promiseIds,
  );
  for (const { id, state, evidence } of report.promises) {
    t.equal(state, built.includes(id) ? 'holds' : 'not-built', `${id}: ${evidence[0] ?? ''}`);
    if (state === 'holds') t.ok(evidence.length > 2, `${id} has evidence`);
  }
  t.ok(
    report.promises
      .find(({ id }) => id === 'T2')
      ?.evidence.every((line) => !line.includes('ACCEPTED')),
  );

  const only = await island.run('verify', '--only', 'T3,t4', '--evidence');
  t.match(only, { code: 0, stdout: /^ *T3 +holds[\s\S]+ T4 +holds/ });
  t.notMatch(only.stdout, /T2|K1/);
  t.match(await island.run('verify', '--only', 'X1'), { code: 2, stderr: /no promise "X1"/ });

  const before = island.welcome.invite;
  await island.stop();
  t.equal((await island.start()).invite, before, 'the first invite is still there to be used');

  await t.test('T2 an unknown listener is a failure, and so is a missing one', async (t) => {
    const scene = await openScene(island.data);
    const { nats, ...internal } = scene.island.internal;
    const moved = {
      ...scene,
      island: { ...scene.island, internal: { ...internal, nats: nats + 1 } },
    };
    const against = (await classifyListeners(moved)).filter(({ good }) => !good);
    t.same(
      against.map(({ text }) => text),
      [
        `nats listens on tcp 127.0.0.1:${nats}: UNKNOWN`,
        `nats does not listen on 127.0.0.1:${nats + 1}`,
      ],
    );
  });
});

t.test('verify without an island says so', async (t) => {
  const ran = await runIsland(['verify', '--data', '/nonexistent/island']);
  t.match(ran, { code: 1, stdout: '', stderr: /No island is running/ });
});
