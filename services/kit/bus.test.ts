/** Calls and events between services over a real nats-server with mTLS. */
import { Fault } from '@island/protocol/wire/fault.ts';
import t from 'tap';
import { connectBus } from './bus.ts';
import { busBytes, toBytes } from './bus-wire.ts';
import { answering, bareConnection, busIsland } from './testing/bus-island.ts';
import { eventually, faultCode } from './testing/outcome.ts';

const island = await busIsland();
t.teardown(() => island[Symbol.asyncDispose]());
const { bus: gateway } = await island.kit('gateway');
const { bus: directory } = await island.kit('directory');

let handle: (request: { value: number }) => Promise<{ value: number }> = async (request) => request;
directory.handle(answering, 'echo', (request) => handle(request));
await directory.settled();
const lines = (event: string) => island.log.lines.filter((line) => line.includes(`"${event}"`));

t.test('T3: a call is answered over mTLS, bytes as bytes', async (t) => {
  handle = async (request) => request;
  const bytes = new Uint8Array([0, 1, 255]);
  const answer = await gateway.call(answering, 'echo', { value: 2 ** 52, bytes });
  t.equal(answer.value, 2 ** 52);
  t.strictSame(answer.bytes, bytes);
  t.notOk(Buffer.isBuffer(answer.bytes), 'plain bytes, whose slice is a copy');
});

t.test('a fault reaches the caller with its code and its details', async (t) => {
  handle = async () => {
    throw new Fault('stale_devices', { missing: [2, 3], extra: [], epoch: 7 });
  };
  const error = await gateway
    .call(answering, 'echo', { value: 1 })
    .catch((caught: unknown) => caught);
  t.ok(error instanceof Fault);
  t.match(error, { code: 'stale_devices', details: { missing: [2, 3], extra: [], epoch: 7 } });
});

t.test(
  'an unknown error is `internal`, logged once, its text not sent and not logged',
  async (t) => {
    handle = async () => {
      throw new Error('the text of a message');
    };
    const before = lines('call_failed').length;
    const error = await gateway
      .call(answering, 'echo', { value: 1 })
      .catch((caught: unknown) => caught);
    t.match(error, { code: 'internal' });
    t.equal(lines('call_failed').length, before + 1);
    t.notMatch(island.log.lines.join(''), /text of a message/);
  },
);

t.test('a request that is not what the contract says is refused on both sides', async (t) => {
  let called = 0;
  handle = async (request) => {
    called += 1;
    return request;
  };
  const wrong = { value: 'text' } as unknown as { value: number };
  t.equal(await faultCode(gateway.call(answering, 'echo', wrong)), 'malformed');
  const bare = await bareConnection(island, 'gateway');
  for (const payload of [
    toBytes(wrong),
    new Uint8Array(0),
    new Uint8Array([0xff]),
    new Uint8Array(100_000).fill(0x81),
  ]) {
    const { data } = await bare.request('directory.call.echo', payload, { timeout: 2000 });
    t.strictSame(new Uint8Array(data), toBytes([0, 'malformed', null]));
  }
  await bare.close();
  t.equal(called, 0, 'no handler saw any of it');
  t.same(
    await gateway.call(answering, 'echo', { value: 5 }),
    { value: 5 },
    'and the service still answers',
  );
});

t.test('an answer that is not what the contract says is `internal` for the caller', async (t) => {
  handle = async () => ({ value: 'text' }) as unknown as { value: number };
  t.equal(await faultCode(gateway.call(answering, 'echo', { value: 1 })), 'internal');
  t.equal(lines('call_answer_wrong').length, 1, 'and noticed where it was made');
  const bare = await bareConnection(island, 'directory');
  for (const payload of [
    new Uint8Array([0xff]),
    toBytes([1, { value: 'text' }]),
    toBytes([0, 'no such code', null]),
    toBytes([2]),
  ]) {
    const rogue = bare.subscribe('directory.call.sum', {
      max: 1,
      callback: (_error, message) => void message.respond(payload),
    });
    await bare.flush();
    t.equal(await faultCode(gateway.call(answering, 'sum', { value: 1 })), 'internal');
    rogue.unsubscribe();
    await bare.flush();
  }
  await bare.close();
});

t.test('a call that nobody handles is `unavailable` at once', async (t) => {
  const start = performance.now();
  t.equal(await faultCode(gateway.call(answering, 'unanswered', { value: 1 })), 'unavailable');
  t.ok(performance.now() - start < 1000);
});

t.test('a call without an answer is `unavailable` after the time a caller waits', async (t) => {
  await using identity = await island.pki.identity('gateway');
  await using hasty = await connectBus({
    port: island.nats.port,
    identity,
    log: island.log,
    timeout: 150,
  });
  const { promise, resolve } = Promise.withResolvers<{ value: number }>();
  handle = () => promise;
  t.equal(await faultCode(hasty.call(answering, 'echo', { value: 1 })), 'unavailable');
  resolve({ value: 1 });
});

t.test('a message over 1 MiB is refused before it is sent', async (t) => {
  handle = async () => ({ value: 1 });
  const bytes = new Uint8Array(busBytes);
  t.equal(await faultCode(gateway.call(answering, 'echo', { value: 1, bytes })), 'too_large');
  t.throws(() => directory.publish(answering, 'told', 'a', { value: 1, bytes }), {
    code: 'too_large',
  });
  handle = async () => ({ value: 1, bytes });
  t.equal(
    await faultCode(gateway.call(answering, 'echo', { value: 1 })),
    'internal',
    'an answer as well',
  );
  handle = async (request) => request;
  const most = new Uint8Array(busBytes - 32);
  const answer = await gateway.call(answering, 'echo', { value: 1, bytes: most });
  t.equal(answer.bytes?.length, most.length);
});

t.test(
  'handlers at work are bounded, those waiting too; the rest is refused at once',
  async (t) => {
    await using identity = await island.pki.identity('directory');
    await using narrow = await connectBus({
      port: island.nats.port,
      identity,
      log: island.log,
      concurrency: 2,
    });
    let running = 0;
    let most = 0;
    const gate = Promise.withResolvers<void>();
    narrow.handle(answering, 'sum', async (request) => {
      running += 1;
      most = Math.max(most, running);
      await gate.promise;
      running -= 1;
      return request;
    });
    await narrow
      .subscribe(answering, 'told', 'ready', () => undefined)
      .ready.catch(() => undefined);
    const calls = Array.from({ length: 14 }, (_, value) =>
      faultCode(gateway.call(answering, 'sum', { value })),
    );
    const refused = await Promise.race(calls);
    t.equal(refused, 'unavailable');
    gate.resolve();
    const told = await Promise.all(calls);
    t.equal(told.filter((code) => code === 'resolved').length, 10, 'two at work, eight waiting');
    t.equal(most, 2);
  },
);

t.test('events arrive in order, by key or for all keys, and no more after disposal', async (t) => {
  const mine: number[] = [];
  const all: string[] = [];
  const one = gateway.subscribe(answering, 'told', 'a.1', ({ value }) => mine.push(value));
  using every = gateway.subscribe(answering, 'told', '*', ({ value }, key) =>
    all.push(`${key}=${value}`),
  );
  await Promise.all([one.ready, every.ready]);
  for (let value = 0; value < 50; value++) directory.publish(answering, 'told', 'a.1', { value });
  directory.publish(answering, 'told', 'a.2', { value: 50 });
  await eventually(() => all.length === 51);
  t.strictSame(
    mine,
    Array.from({ length: 50 }, (_, value) => value),
  );
  t.equal(all[50], 'a.2=50');
  one[Symbol.dispose]();
  directory.publish(answering, 'told', 'a.1', { value: 99 });
  await eventually(() => all.length === 52);
  t.equal(mine.length, 50);
});

t.test('a key cannot name other subjects', async (t) => {
  for (const key of ['', '>', '*', 'a.*', 'a b', 'a\r\nPUB x 0', 'a..b', '.a', 'a.']) {
    t.throws(() => directory.publish(answering, 'told', key, { value: 1 }), { code: 'malformed' });
    if (key !== '*')
      t.throws(() => gateway.subscribe(answering, 'told', key, () => undefined), {
        code: 'malformed',
      });
  }
});

t.test('a hostile event and a failing listener end nothing', async (t) => {
  const seen: number[] = [];
  using told = gateway.subscribe(answering, 'told', 'b', ({ value }) => {
    seen.push(value);
    if (value === 1) throw new Error('a bug');
  });
  await told.ready;
  const bare = await bareConnection(island, 'directory');
  for (const payload of [
    new Uint8Array([0xff]),
    toBytes({ value: 'text' }),
    new Uint8Array(500_000).fill(0x81),
  ]) {
    bare.publish('directory.event.told.b', payload);
  }
  await bare.flush();
  await bare.close();
  directory.publish(answering, 'told', 'b', { value: 1 });
  directory.publish(answering, 'told', 'b', { value: 2 });
  await eventually(() => seen.length === 2);
  t.strictSame(seen, [1, 2]);
  t.equal(lines('event_refused').length, 3);
});

t.test('closing a bus lets handlers at work answer, and refuses new calls', async (t) => {
  await using identity = await island.pki.identity('directory');
  const closing = await connectBus({ port: island.nats.port, identity, log: island.log });
  const [started, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  closing.handle(answering, 'sum', async (request) => {
    started.resolve();
    await gate.promise;
    return request;
  });
  await closing.settled();
  const answer = gateway.call(answering, 'sum', { value: 3 });
  await started.promise;
  const closed = closing[Symbol.asyncDispose]();
  t.equal(await faultCode(closing.call(answering, 'sum', { value: 1 })), 'unavailable');
  gate.resolve();
  t.same(await answer, { value: 3 });
  await closed;
});
