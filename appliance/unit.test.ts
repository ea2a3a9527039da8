/** A supervised process, with small shell scripts in the place of engines. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { untilDone } from './engine-control.ts';
import { openLogFolder } from './log-folder.ts';
import { identify } from './process-identity.ts';
import { Unit, type UnitPlan } from './unit.ts';

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`still not so: ${condition}`);
    await wait(10);
  }
}

/** A unit that runs `script` and answers when the file `ready` is there. */
function shell(t: Test, script: string, plan: Partial<UnitPlan> = {}) {
  const dir = t.testdir();
  const ready = join(dir, 'ready');
  const logs = openLogFolder(join(dir, 'log'));
  let changes = 0;
  const unit = new Unit(
    {
      name: 'nats',
      label: 'the script',
      command: ['/bin/sh', '-c', script],
      env: { PATH: '/usr/bin:/bin', READY: ready },
      answers: (signal) =>
        untilDone(async () => {
          if (!existsSync(ready)) throw new Error('not yet');
        }, signal),
      patience: 5000,
      ...plan,
    },
    logs,
    { changed: () => changes++, certificate: () => undefined },
  );
  t.teardown(async () => {
    await unit.stop();
    logs[Symbol.dispose]();
  });
  return { unit, ready, logs, changes: () => changes };
}

t.test('it starts when what it needs is there, and not before', async (t) => {
  const { unit } = shell(t, 'touch "$READY"; exec sleep 600');
  const needs = Promise.withResolvers<void>();
  unit.run(needs.promise);
  await wait(50);
  t.equal(unit.pid, undefined);
  t.equal(unit.state, 'waiting');
  needs.resolve();
  await unit.up;
  t.equal(unit.state, 'ready');
});

t.test('killed, it is started again at once, and counted', async (t) => {
  const { unit, changes } = shell(t, 'touch "$READY"; exec sleep 600');
  unit.run(Promise.resolve());
  await unit.up;
  const before = unit.pid;
  process.kill(before ?? 0, 'SIGKILL');
  await until(() => unit.restarts >= 1 && unit.state === 'ready' && unit.pid !== before);
  t.not(unit.pid, before);
  t.equal(changes(), 3, 'each start and end was told');
});

t.test('what never starts is told with its last words', async (t) => {
  const { unit, logs } = shell(t, 'echo "the moon is not full" >&2; exit 3');
  unit.run(Promise.resolve());
  await t.rejects(unit.up, {
    name: 'Stated',
    message: `the script does not start. Its last words: the moon is not full (More in ${logs.path('nats')})`,
  });
});

t.test('a program that is not there is told, not thrown', async (t) => {
  const { unit } = shell(t, '', { command: ['/nowhere/at-all'] });
  unit.run(Promise.resolve());
  await t.rejects(unit.up, { name: 'Stated' });
});

t.test('SIGTERM first; SIGKILL for what does not listen', async (t) => {
  const polite = shell(
    t,
    'trap "echo bye; exit 0" TERM; touch "$READY"; while :; do sleep 0.05; done',
  );
  polite.unit.run(Promise.resolve());
  await polite.unit.up;
  await polite.unit.stop();
  t.match(await polite.logs.tail('nats'), /bye/);
  t.equal(polite.unit.state, 'stopped');

  const deaf = shell(t, 'trap "" TERM; touch "$READY"; while :; do sleep 0.05; done', {
    patience: 200,
  });
  deaf.unit.run(Promise.resolve());
  await deaf.unit.up;
  const pid = deaf.unit.pid ?? 0;
  await deaf.unit.stop();
  t.equal(identify(pid), undefined);
});

t.test('what no longer answers is ended and started again', async (t) => {
  const script = 'touch "$READY"; exec sleep 600';
  const { unit, ready } = shell(t, script, { askEvery: 20 });
  unit.run(Promise.resolve());
  await unit.up;
  const before = unit.pid;
  await wait(200);
  t.equal(unit.pid, before, 'as long as it answers it is left alone');
  rmSync(ready);
  await until(() => unit.restarts >= 1 && unit.state === 'ready' && unit.pid !== before);
  t.not(unit.pid, before);
});

t.test('stopped while it waits for its needs, or before it answers, it ends', async (t) => {
  const waiting = shell(t, 'exec sleep 600');
  waiting.unit.run(new Promise(() => undefined));
  await waiting.unit.stop();
  t.equal(waiting.unit.state, 'stopped');
  const mute = shell(t, 'exec sleep 600');
  mute.unit.run(Promise.resolve());
  await until(() => mute.unit.pid !== undefined);
  await mute.unit.stop();
  await t.rejects(mute.unit.up, { message: 'the script was stopped.' });
});

t.test('a log is appended to across restarts', async (t) => {
  const script = 'echo one life; [ -e "$READY" ] && exec sleep 600; touch "$READY"; exit 1';
  const { unit, logs } = shell(t, script);
  unit.run(Promise.resolve());
  const text = () => (existsSync(logs.path('nats')) ? readFileSync(logs.path('nats'), 'utf8') : '');
  await until(() => text().split('one life').length >= 3);
  await unit.up;
  t.ok(unit.restarts >= 1, 'both lives are in it');
});
