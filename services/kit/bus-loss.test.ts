/** The bus when NATS goes away, hangs or comes back, and when certificates are renewed. */
import t from 'tap';
import { type Bus, connectBus } from './bus.ts';
import { answering, busIsland } from './testing/bus-island.ts';
import { eventually, faultCode } from './testing/outcome.ts';

const island = await busIsland();
t.teardown(() => island[Symbol.asyncDispose]());
const { bus: gateway } = await island.kit('gateway');
const { bus: directory } = await island.kit('directory');
let hold: Promise<unknown> | undefined;
directory.handle(answering, 'echo', async (request) => {
  await hold;
  return request;
});
await directory.settled();
const lines = (event: string) =>
  island.log.lines.filter((line) => line.includes(`"${event}"`)).length;

t.test(
  'NATS killed with -9: calls under way fail at once, later ones wait for it to return',
  async (t) => {
    const gate = Promise.withResolvers<void>();
    hold = gate.promise;
    const start = performance.now();
    const underWay = faultCode(gateway.call(answering, 'echo', { value: 1 }));
    await gateway.settled();
    await island.nats.end('SIGKILL');
    t.equal(await underWay, 'unavailable');
    t.ok(performance.now() - start < 2000, 'without waiting for the time-out');
    gate.resolve();
    hold = undefined;
    await eventually(() => lines('bus_lost') >= 2);
    const waiting = Array.from({ length: 20 }, (_, value) =>
      gateway.call(answering, 'echo', { value }),
    );
    await island.nats.start();
    const answers = await Promise.allSettled(waiting);
    // The handler may reconnect a moment after the caller: then there is nobody to ask, and that is said.
    for (const answer of answers) {
      if (answer.status === 'rejected') t.equal(answer.reason.code, 'unavailable');
    }
    await directory.settled();
    t.same(await gateway.call(answering, 'echo', { value: 2 }), { value: 2 });
  },
);

t.test('after a loss listeners listen again before they are told of it', async (t) => {
  const seen: number[] = [];
  using told = gateway.subscribe(answering, 'told', 'a', ({ value }) => seen.push(value));
  await told.ready;
  const restored = Promise.withResolvers<void>();
  const forget = gateway.onReconnect(() => {
    // An event that is published from now on arrives.
    void gateway.settled().then(restored.resolve);
  });
  await island.nats.end('SIGKILL');
  await eventually(() => lines('bus_lost') >= 4);
  directory.publish(answering, 'told', 'a', { value: 1 });
  await island.nats.start();
  await restored.promise;
  forget();
  directory.publish(answering, 'told', 'a', { value: 2 });
  await eventually(() => seen.includes(2));
  t.ok(seen.length <= 2, 'what was published meanwhile comes at most once');
});

t.test('calls while NATS stays away fail after the time a caller waits', async (t) => {
  await using identity = await island.pki.identity('gateway');
  await using hasty = await connectBus({
    port: island.nats.port,
    identity,
    log: island.log,
    timeout: 200,
  });
  await island.nats.end('SIGKILL');
  const codes = await Promise.all(
    Array.from({ length: 100 }, (_, value) => faultCode(hasty.call(answering, 'echo', { value }))),
  );
  t.ok(codes.every((code) => code === 'unavailable'));
  await island.nats.start();
  await hasty.settled();
});

t.test('a bus whose NATS is away can be closed', async (t) => {
  await using identity = await island.pki.identity('gateway');
  const bus = await connectBus({ port: island.nats.port, identity, log: island.log });
  await island.nats.end('SIGKILL');
  const start = performance.now();
  await bus[Symbol.asyncDispose]();
  t.ok(performance.now() - start < 2000);
  await island.nats.start();
});

t.test(
  'renewing both ends ten times under load loses no call and no event, and doubles none',
  async (t) => {
    const asker = await island.pki.renewable('gateway');
    const teller = await island.pki.renewable('directory');
    const open = (identity: typeof asker): Promise<Bus> =>
      connectBus({ port: island.nats.port, identity, log: island.log });
    await using asking = await open(asker);
    await using telling = await open(teller);
    const handled: number[] = [];
    telling.handle(answering, 'sum', async (request) => {
      handled.push(request.value);
      return request;
    });
    const heard: number[] = [];
    using told = asking.subscribe(answering, 'told', '*', ({ value }) => heard.push(value));
    await Promise.all([told.ready, telling.settled()]);
    const answers: Promise<unknown>[] = [];
    let sent = 0;
    const timer = setInterval(() => {
      telling.publish(answering, 'told', `k${sent % 7}`, { value: sent });
      answers.push(asking.call(answering, 'sum', { value: sent }));
      sent += 1;
    }, 1);
    const before = lines('bus_renewed');
    const lost = lines('bus_lost');
    for (let round = 1; round <= 10; round++) {
      await Promise.all([asker.renew(), teller.renew()]);
      await eventually(() => lines('bus_renewed') >= before + round * 2);
    }
    clearInterval(timer);
    await Promise.all(answers);
    await eventually(() => heard.length >= sent);
    await Promise.all([asking.settled(), telling.settled()]);
    t.equal(handled.length, sent, `${sent} calls`);
    t.equal(new Set(handled).size, sent);
    t.equal(heard.length, sent);
    t.equal(new Set(heard).size, sent);
    t.equal(lines('bus_lost'), lost, 'a renewal is not a loss');
  },
);

t.test('a NATS that hangs is given up and found again', async (t) => {
  await using identity = await island.pki.identity('gateway');
  await using hasty = await connectBus({
    port: island.nats.port,
    identity,
    log: island.log,
    timeout: 300,
  });
  await island.nats.hang();
  t.equal(await faultCode(hasty.call(answering, 'echo', { value: 1 })), 'unavailable');
  island.nats.signal('SIGCONT');
  await directory.settled();
  await hasty.settled();
  t.same(await hasty.call(answering, 'echo', { value: 2 }), { value: 2 });
});
