/** The way of a message while parts of the island are killed: POST /v1/send to socket, exactly once and in order. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { sendPath } from '@island/protocol/wire/routes.ts';
import { freePorts } from '@island/provisioning/ports.ts';
import t, { type Test } from 'tap';
import { envelope, type TestEnvelope, testLists } from '../delivery/testing/lists.ts';
import { testPayer } from '../delivery/testing/payer.ts';
import type { RunningService } from '../kit/service.ts';
import { testIsland } from '../kit/testing/kit.ts';
import { gatewayService } from './service.ts';
import { type TestSocket, testEdge } from './testing/edge.ts';
import { testTokens } from './testing/tokens.ts';

const [gatewayPort = 0] = await freePorts(1);
const island = await testIsland(['gateway', 'directory', 'accounts'], {
  settings: { gatewayPort },
});
t.teardown(() => island[Symbol.asyncDispose]());
const lists = testLists((await island.kit('directory')).bus);
const tokens = await testTokens((await island.kit('accounts')).bus);
const identity = await island.pki.identity('edge');
t.teardown(() => identity[Symbol.asyncDispose]());
const edge = testEdge(identity, gatewayPort);

/** Delivery in a process of its own. */
const config = join(island.pki.dir, 'core.json');
const { keys: _keys, ...settings } = island.config('core', ['delivery']);
await writeFile(config, JSON.stringify(settings), { mode: 0o600 });
const wire = JSON.stringify(island.keyWire('delivery'));
let core: ChildProcess;
async function startCore(): Promise<void> {
  core = fork(join(import.meta.dirname, '../delivery/testing/run.ts'), [config, wire], {
    silent: true,
  });
  await once(core, 'message');
}
async function killCore(): Promise<void> {
  const gone = once(core, 'exit');
  core.kill('SIGKILL');
  await gone;
}
await startCore();
t.teardown(killCore);
const payer = await testPayer((await island.kit('gateway')).bus, await island.kit('delivery'));

let gateway: RunningService = await gatewayService.start(await island.kit('gateway'));
t.teardown(() => gateway[Symbol.asyncDispose]());

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** One sender: one message at a time, each repeated under its id until it is accepted. */
async function send(account: AccountId, envelopes: readonly TestEnvelope[]): Promise<number> {
  let tries = 0;
  for (const one of envelopes) {
    const body = await payer.body(account, [one]);
    for (let status = 0; status !== 202; ) {
      tries += 1;
      const reply = await edge.ask(sendPath, { method: 'POST', body }).catch(() => undefined);
      status = reply?.status ?? 0;
      if (status !== 202) await pause(20);
    }
  }
  return tries;
}

/** A client that reconnects, acknowledges, and keeps what it has not seen before. */
function receive(account: AccountId) {
  const got: { seq: number; id: string }[] = [];
  const seen = new Set<string>();
  let again = 0;
  let stopped = false;
  async function connected(socket: TestSocket): Promise<void> {
    for (let at = 0; !stopped && socket.closed === undefined; await pause(5)) {
      for (; at < socket.frames.length; at++) {
        const frame = socket.frames[at];
        if (frame?.type !== 'envelope') continue;
        if (seen.has(frame.id)) again += 1;
        else got.push({ seq: frame.seq, id: frame.id });
        seen.add(frame.id);
        socket.send({ type: 'ack', seq: frame.seq });
        await pause(40);
      }
    }
  }
  const running = (async () => {
    while (!stopped) {
      const socket = await edge.hello(await tokens.sign(account)).catch(() => undefined);
      if (socket === undefined) await pause(50);
      else {
        await connected(socket);
        socket[Symbol.dispose]();
      }
    }
  })();
  return {
    got,
    again: () => again,
    async stop() {
      stopped = true;
      await running;
    },
  };
}

async function survives(t: Test, account: AccountId, trouble: () => Promise<void>): Promise<void> {
  const senders = Array.from({ length: 3 }, () =>
    Array.from({ length: 25 }, () => envelope(1, 200)),
  );
  await payer.keyOf(account);
  const client = receive(account);
  const sending = Promise.all(senders.map((envelopes) => send(account, envelopes)));
  await trouble();
  const tries = (await sending).reduce((sum, count) => sum + count, 0);
  for (const until = performance.now() + 20_000; client.got.length < 75; await pause(10)) {
    if (performance.now() > until) break;
  }
  await client.stop();
  t.comment(`${tries} requests for 75 messages, ${client.again()} handed out again`);
  t.equal(client.got.length, 75, 'every acknowledged message, once');
  const seqs = client.got.map(({ seq }) => seq);
  t.strictSame(
    seqs,
    [...seqs].sort((a, b) => a - b),
    'in order of seq',
  );
  t.equal(new Set(seqs).size, 75, 'no seq twice');
  for (const envelopes of senders) {
    const order = client.got.filter(({ id }) => envelopes.some((one) => one.id === id));
    t.strictSame(
      order.map(({ id }) => id),
      envelopes.map(({ id }) => id),
      'in order of their sender',
    );
  }
}

const long = { timeout: 90_000 };

t.test(
  'delivery killed with -9 three times: exactly once, in order, numbers not used again',
  long,
  (t) =>
    survives(t, lists.person(1), async () => {
      for (let i = 0; i < 3; i++) {
        await pause(150);
        await killCore();
        await startCore();
      }
    }),
);

t.test('NATS killed with -9 twice: exactly once, in order', long, (t) =>
  survives(t, lists.person(1), async () => {
    for (let i = 0; i < 2; i++) {
      await pause(200);
      await island.nats.end('SIGKILL');
      await pause(100);
      await island.nats.start();
    }
  }),
);

t.test('the gateway stopped and started: clients resume by sequence', long, (t) =>
  survives(t, lists.person(1), async () => {
    await pause(300);
    await gateway[Symbol.asyncDispose]();
    gateway = await gatewayService.start(await island.kit('gateway'));
  }),
);

t.test('Redis killed: sending, receiving and signing in with a token go on', long, async (t) => {
  await island.redis.end('SIGKILL');
  t.teardown(() => island.redis.start());
  await survives(t, lists.person(1), async () => undefined);
});
