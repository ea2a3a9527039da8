/** What a session does as time passes: the clocks are the test's, bus and mailboxes are real. */
import { join } from 'node:path';
import {
  decodeServerFrame,
  encodeClientFrame,
  type ServerFrame,
} from '@island/protocol/wire/frames.ts';
import { type AccountId, deviceId } from '@island/protocol/wire/ids.ts';
import t from 'tap';
import { openBodies } from '../delivery/bodies.ts';
import { delivery } from '../delivery/contract.ts';
import { unpaid } from '../delivery/payment.ts';
import * as schema from '../delivery/schema.ts';
import { deliveryService } from '../delivery/service.ts';
import { envelope, testLists } from '../delivery/testing/lists.ts';
import { testPayer } from '../delivery/testing/payer.ts';
import { apply } from '../delivery/writes.ts';
import { unixDay } from '../kit/clock.ts';
import { openStore } from '../kit/store.ts';
import { testIsland } from '../kit/testing/kit.ts';
import { eventually } from '../kit/testing/outcome.ts';
import { openVault } from '../kit/vault.ts';
import { openAccess } from './access.ts';
import { openChannels } from './channels.ts';
import { Session } from './session.ts';
import { testTokens } from './testing/tokens.ts';

const island = await testIsland(['gateway', 'delivery', 'directory', 'accounts']);
t.teardown(() => island[Symbol.asyncDispose]());
const lists = testLists((await island.kit('directory')).bus);
const tokens = await testTokens((await island.kit('accounts')).bus);
const kit = await island.kit('delivery');
const file = join(kit.data, 'delivery.sqlite');
const migrations = join(import.meta.dirname, '../delivery/migrations');
const store = await openStore({ file, schema, migrations, log: island.log });
t.teardown(() => store[Symbol.asyncDispose]());
const vault = await openVault({ store, keys: kit.keys, log: island.log });
t.teardown(() => vault[Symbol.asyncDispose]());
/** Its key is there before delivery looks which there are. */
const sealer = await openBodies(vault, island.log).of(unixDay(kit.clock));
const service = await deliveryService.start(kit);
t.teardown(() => service[Symbol.asyncDispose]());
const { bus, cache, clock } = await island.kit('gateway');
if (cache === undefined) throw new Error('no cache');
const payer = await testPayer(bus, kit);
const access = openAccess({ bus, cache, clock });
const channels = openChannels(bus);
t.teardown(() => channels[Symbol.dispose]());

/** A commit whose event was never sent: as when delivery is killed between the two. */
const commitSilently = (account: AccountId) =>
  store.write((_db, sql) =>
    apply(
      [
        {
          kind: 'put',
          account,
          envelopes: [envelope(1)],
          paid: unpaid,
          admission: { overtaken: false },
        },
      ],
      sql,
      sealer,
    ),
  );

function session() {
  const frames: ServerFrame[] = [];
  const state = { ticks: 0, late: 0, pings: 0, buffered: 0, closed: 0, cut: false };
  const made = new Session({
    line: {
      send: (frame) => frames.push(decodeServerFrame(frame)),
      push: () => undefined,
      ping: () => {
        state.pings += 1;
      },
      close: (code) => {
        state.closed = code;
      },
      cut: () => {
        state.cut = true;
      },
      get buffered() {
        return state.buffered;
      },
    },
    access,
    bus,
    channels,
    log: island.log,
    ticks: () => state.ticks,
    now: () => Date.now() + state.late,
    admitted: () => undefined,
    ended: () => undefined,
  });
  /** Lets time pass, half a second a tick, the other side answering pings if it is there. */
  const pass = (seconds: number, there = true): void => {
    for (let passed = 0; passed < seconds; passed += 0.5) {
      state.ticks += 500;
      const before = state.pings;
      made.tick();
      if (there && state.pings > before) made.ponged();
    }
  };
  return { made, frames, state, pass };
}

async function ready(account: AccountId, seconds = 900) {
  const test = session();
  const hello = { type: 'hello', access: await tokens.sign(account, 1, { seconds }) } as const;
  test.made.receive(encodeClientFrame(hello), true);
  await eventually(() => test.frames.length > 0);
  return test;
}

const seqs = (frames: ServerFrame[]) =>
  frames.flatMap((frame) => (frame.type === 'envelope' ? [frame.seq] : []));

t.test('mail whose event was lost is found by the next look', async (t) => {
  const account = lists.person(1);
  const test = await ready(account);
  await commitSilently(account);
  test.pass(29);
  t.strictSame(seqs(test.frames), [], 'nobody told of it');
  test.pass(2);
  await eventually(() => seqs(test.frames).length === 1);
});

t.test('an event after a lost one makes the session ask for what is missing', async (t) => {
  const account = lists.person(1);
  const test = await ready(account);
  await commitSilently(account);
  await bus.call(delivery, 'put', await payer.put(account, [envelope(1)]));
  await eventually(() => seqs(test.frames).length === 2);
  t.strictSame(seqs(test.frames), [1, 2]);
});

t.test('a peer that shows no sign of life is cut off; one that answers pings stays', async (t) => {
  const there = await ready(lists.person(1));
  const gone = await ready(lists.person(1));
  there.pass(600);
  t.notOk(there.state.cut);
  t.ok(there.state.pings >= 19);
  gone.pass(31, false);
  t.equal(gone.state.pings, 1);
  t.notOk(gone.state.cut);
  gone.pass(31, false);
  t.ok(gone.state.cut);
});

t.test('a socket ends a minute after its access token expired', async (t) => {
  const test = await ready(lists.person(1), 100);
  // Far enough from the minute for the real time that signing and waiting took.
  test.state.late = 130_000;
  test.pass(1);
  t.equal(test.state.closed, 0);
  test.state.late = 170_000;
  test.pass(1);
  t.equal(test.state.closed, 4401);
  t.match(test.frames.at(-1), { type: 'fault', code: 'token_expired' });
});

t.test('a socket that takes nothing gets nothing more, and in the end is cut off', async (t) => {
  const account = lists.person(1);
  const test = await ready(account);
  test.state.buffered = 300_000;
  await commitSilently(account);
  test.pass(61);
  await test.made.look();
  t.strictSame(seqs(test.frames), []);
  test.state.buffered = 0;
  test.made.drained();
  await test.made.look();
  await eventually(() => seqs(test.frames).length === 1);
  test.state.buffered = 2_000_000;
  test.pass(1);
  t.ok(test.state.cut);
});

t.test('mail that expired or was acknowledged elsewhere is passed over', async (t) => {
  const account = lists.person(1);
  const test = await ready(account);
  for (let i = 0; i < 3; i++) await commitSilently(account);
  await bus.call(delivery, 'ack', { account, device: deviceId(1), seq: 3 });
  await test.made.look();
  t.strictSame(seqs(test.frames), []);
  await bus.call(delivery, 'put', await payer.put(account, [envelope(1)]));
  await eventually(() => seqs(test.frames).length === 1);
  t.strictSame(seqs(test.frames), [4]);
});
