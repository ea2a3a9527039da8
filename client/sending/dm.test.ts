/** Sending over a connection that fails in every way: in order, each once, and never anything in clear. */
import { Fault } from '@island/protocol/wire/fault.ts';
import type { Send } from '@island/protocol/wire/send.ts';
import t from 'tap';
import { problems } from '../problem.ts';
import { memoryStorage } from '../storage/memory.ts';
import { oddIsland } from '../testing/odd-island.ts';
import { person, reopen } from '../testing/person.ts';

const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `message ${i}`);

t.test(
  'M1: what is sent again after a lost answer is the same bytes under the same id, and nothing overtakes it',
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    await using bob = await person(island, 'bob');
    const tried: Send[] = [];
    let attempt = 0;
    const failures: (() => 'cut' | undefined)[] = [
      () => 'cut',
      () => {
        throw new Fault('unavailable');
      },
      () => {
        throw new Fault('storage_full');
      },
    ];
    island.twist.send = (send) => {
      tried.push(send);
      return failures[attempt++]?.();
    };
    // Every second acceptance is lost on its way back.
    let taken = 0;
    island.twist.sent = () => (taken++ % 2 === 0 ? 'cut' : undefined);
    const texts = numbered(4);
    t.same(
      await alice.sends('bob', ...texts),
      texts.map(() => 'accepted'),
    );
    t.same(
      await bob.hears(4),
      texts.map((text) => `alice: ${text}`),
    );
    t.equal(island.members.get('bob')?.mailbox.length, 4);
    const ids = tried.map(({ envelopes }) => envelopes[0]?.id ?? '');
    t.same(new Set(ids).size, 4, 'one id for each message');
    t.same(
      ids,
      [...ids].sort((a, b) => ids.indexOf(a) - ids.indexOf(b)),
      'one after the other',
    );
    for (const id of new Set(ids)) {
      const bodies = new Set(
        tried
          .flatMap(({ envelopes }) => envelopes)
          .filter((each) => each.id === id)
          .map(({ body }) => Buffer.from(body).toString('hex')),
      );
      t.equal(bodies.size, 1);
    }
  },
);

t.test('a limit is respected for as long as the island asks', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using _bob = await person(island, 'bob');
  const times: number[] = [];
  island.twist.send = () => {
    times.push(performance.now());
    if (times.length < 3) throw new Fault('rate_limited', { seconds: 1 });
    return undefined;
  };
  t.same(await alice.sends('bob', 'patience'), ['accepted']);
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
  t.ok(
    gaps.every((gap) => gap >= 990),
    gaps.join(),
  );
  t.match(
    alice.events.find(({ type }) => type === 'waiting'),
    { to: 'bob', error: { code: 'rate_limited' } },
  );
});

t.test(
  'M6: a stale device list is fetched again, three times at most before a pause, and nothing is lost',
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    await using bob = await person(island, 'bob');
    let refusals = 0;
    island.twist.send = () => {
      if (refusals++ < 6) throw new Fault('stale_devices', { missing: [], extra: [], epoch: 1 });
      return undefined;
    };
    t.same(await alice.sends('bob', 'settled'), ['accepted']);
    const fetches = island.requests.filter(({ path }) => path === '/v1/people/bob').length;
    t.equal(fetches, 1 + 3 + 2, 'once to meet, three times, and after the pause again');
    t.match(
      alice.events.find(({ type }) => type === 'waiting'),
      { error: { code: 'devices_unsettled' } },
    );
    t.same(await bob.hears(1), ['alice: settled']);
  },
);

t.test('what can never be sent fails with its reason and does not stop what follows', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  let first = true;
  island.twist.send = () => {
    if (!first) return undefined;
    first = false;
    throw new Fault('forbidden');
  };
  t.same(await alice.sends('bob', 'refused', 'taken'), ['This is not yours to do.', 'accepted']);
  t.same(await bob.hears(1), ['alice: taken']);
});

t.test('each recipient has a lane: one that waits does not hold up the other', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  await using _carol = await person(island, 'carol');
  const carols = island.members.get('carol')?.account;
  island.twist.send = (send) => {
    if (send.account === carols) throw new Fault('mailbox_full');
    return undefined;
  };
  await alice.islander.send('carol', ['waits']);
  t.same(await alice.sends('bob', 'goes'), ['accepted']);
  t.same(await bob.hears(1), ['alice: goes']);
});

t.test(
  'a message to somebody not met yet waits while the island is away, and fails when there is nobody',
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    await t.rejects(alice.islander.send('bob', ['hi']), { code: 'unknown_person' });
    island.twist.before = () => 'cut';
    const outcomes = alice.sends('bob', 'hi');
    await alice.event('waiting');
    delete island.twist.before;
    t.same(await outcomes, ['Nobody on this island has that name. Check the spelling.']);
  },
);

t.test(
  'M1 pitfall: counter reuse (crash): state and ciphertext are one commit, made before anything leaves',
  async (t) => {
    await using island = await oddIsland();
    const storage = memoryStorage();
    await using bob = await person(island, 'bob');
    const alice = await person(island, 'alice', storage);
    const seen = Promise.withResolvers<Send>();
    island.twist.send = (send) => {
      seen.resolve(send);
      return 'cut';
    };
    void alice.sends('bob', 'before the crash');
    const first = await seen.promise;
    const [waiting] = await storage.list('outbox');
    t.ok(
      Buffer.from(waiting?.bytes ?? []).includes(
        Buffer.from(first.envelopes[0]?.body ?? []).toString('base64url'),
      ),
      'it is on the disk',
    );
    t.equal((await storage.list('sessions')).length, 1);
    await alice.islander[Symbol.asyncDispose]();

    delete island.twist.send;
    await using again = await reopen('alice', storage);
    t.same(await again.sends('bob', 'after it'), ['accepted']);
    t.same(island.sends[0]?.envelopes, first.envelopes, 'the very same goes out');
    t.same(await bob.hears(2), ['alice: before the crash', 'alice: after it']);
  },
);

t.test('simultaneous initiation: both write first, both arrive, and both go on', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  t.same(await Promise.all([alice.sends('bob', 'a1', 'a2'), bob.sends('alice', 'b1', 'b2')]), [
    ['accepted', 'accepted'],
    ['accepted', 'accepted'],
  ]);
  t.same(await Promise.all([alice.hears(2), bob.hears(2)]), [
    ['bob: b1', 'bob: b2'],
    ['alice: a1', 'alice: a2'],
  ]);
  await Promise.all([alice.sends('bob', 'a3'), bob.sends('alice', 'b3')]);
  t.same(await Promise.all([alice.hears(1), bob.hears(1)]), [['bob: b3'], ['alice: a3']]);
});

t.test('limits of a message are told before anything is queued', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  await t.rejects(alice.islander.send('bob', ['']), { message: problems.message_empty });
  await t.rejects(alice.islander.send('bob', ['ok', 'x'.repeat(8001)]), { code: 'message_long' });
  await t.rejects(alice.islander.send('alice', ['x']), { code: 'yourself' });
  t.same(await alice.storage.list('outbox'), []);
  const longest = '\u{1f3dd}'.repeat(2000);
  t.same(await alice.sends('bob', longest, 'lone \ud800 surrogate'), ['accepted', 'accepted']);
  t.same(await bob.hears(2), [`alice: ${longest}`, 'alice: lone \ufffd surrogate']);
});

t.test('a row that somebody else changed while it is being sealed holds up nothing', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  await alice.islander.send('bob', []);
  const asked = Promise.withResolvers<void>();
  const held = Promise.withResolvers<undefined>();
  island.twist.before = (path) => {
    if (path !== '/v1/bundles') return undefined;
    asked.resolve();
    return held.promise;
  };
  const outcomes = alice.sends('bob', 'changed meanwhile');
  await asked.promise;
  const [row] = await alice.storage.list('outbox');
  await alice.storage.commit({
    put: [{ namespace: 'outbox', key: row?.key ?? '', bytes: row?.bytes ?? new Uint8Array(0) }],
  });
  held.resolve(undefined);
  t.same(await outcomes, ['accepted']);
  t.same(await bob.hears(1), ['alice: changed meanwhile']);
});
