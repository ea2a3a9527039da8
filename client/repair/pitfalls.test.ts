/** What goes wrong with repairs elsewhere, one by one. docs/protocol/ratchet.md §9 */
import { encodePlaintext } from '@island/protocol/crypto/plaintext.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { contentTypes, open, seal } from '@island/protocol/crypto/sealed-envelope.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { arrivals } from '../messages/arrivals.ts';
import { messageRow, messagesAfter } from '../messages/messages.ts';
import { sessionsNamespace } from '../ratchets/ratchets.ts';
import { repairRow } from '../sending/outbox.ts';
import { repairStates } from './keeping.ts';
import { repairLimits } from './repair-limits.ts';
import { type Device, type Letter, settleAll, World } from './testing/world.ts';
import { unrecovered } from './unrecovered.ts';

t.setTimeout(240_000);

interface Two {
  world: World;
  alice: Device;
  bob: Device;
}

/** Two who have written to each other. */
async function friends(): Promise<Two> {
  const world = new World();
  const [alice] = await world.person('alice');
  const [bob] = await world.person('bob');
  if (!alice || !bob) throw new Error('nobody');
  await alice.say('bob', 'one');
  await settleAll(world, [alice, bob]);
  await bob.say('alice', 'two');
  await settleAll(world, [alice, bob]);
  return { world, alice, bob };
}

/** The same, and Bob has lost his sessions. */
async function broken(): Promise<Two> {
  const two = await friends();
  await two.bob.lose(sessionsNamespace);
  return two;
}

const minutes = (count: number): number => count * 60_000;
const whole = { recovering: 0, lost: 0 };

/** Asks as soon as it is due. */
async function ask(world: World, device: Device): Promise<number | false> {
  const due = await device.tend();
  if (due === false || due === Number.POSITIVE_INFINITY) return due;
  world.now = Math.max(world.now, due);
  await device.tend();
  return device.flush();
}

t.test('M7: what was lost with a session comes again, where and when it came first', async (t) => {
  const { world, alice, bob } = await broken();
  await alice.say('bob', 'three');
  await alice.say('bob', 'four');
  await alice.flush();
  const came = world.now;
  await bob.openAll();
  t.same(await bob.unread(), { recovering: 2, lost: 0 });
  t.same([...(await repairStates(bob.storage)).values()], ['suspect']);
  await ask(world, bob);
  t.same([...(await repairStates(bob.storage)).values()], ['resync']);
  const before = world.now;
  await settleAll(world, [alice, bob]);
  t.same(await bob.heard(), ['one', 'three', 'four']);
  t.same(await bob.unread(), whole);
  const times = (await bob.messages()).flatMap((each) =>
    each.type === 'message' && each.text !== 'one' ? each.receivedAt : [],
  );
  t.same(times, [came, came]);
  t.ok(before > came);
});

t.test('pitfall: resync loop: a resync that can’t be opened causes nothing', async (t) => {
  const { world, alice, bob } = await broken();
  await alice.say('bob', 'three');
  await alice.flush();
  await bob.openAll();
  await alice.lose('prekeys');
  t.equal(await ask(world, bob), 1);
  const sends = world.sends.length;
  await alice.openAll();
  t.equal((await repairStates(alice.storage)).size, 0);
  t.same(await alice.unread(), whole, 'nor is anything missed');
  t.equal(await alice.flush(), 0);
  await alice.publishPrekeys(5000);
  world.now += minutes(9);
  await bob.tend();
  t.equal(await bob.flush(), 0, 'he asks again in ten minutes, not before');
  await settleAll(world, [alice, bob]);
  t.same(await bob.heard(), ['one', 'three']);
  t.ok(world.sends.length - sends <= 4);
});

t.test('pitfall: resync loop: who gets no answer asks less and less, then never', async (t) => {
  const { world, alice, bob } = await broken();
  await alice.say('bob', 'three');
  await alice.flush();
  await bob.openAll();
  const times: number[] = [];
  const begun = world.now;
  for (;;) {
    const due = await bob.tend();
    if (await bob.flush()) times.push(world.now);
    if (due === false || due === Number.POSITIVE_INFINITY) break;
    world.now = Math.max(world.now + 1, due);
  }
  const gaps = times.slice(1).map((time, i) => Math.round((time - (times[i] ?? 0)) / 60_000));
  t.same(gaps.slice(0, 4), [10, 20, 40, 80]);
  for (const time of times) {
    const within = times.filter((each) => each > time - repairLimits.sentFor && each <= time);
    t.ok(within.length <= repairLimits.asksPerDay);
  }
  t.ok(world.now - begun >= repairLimits.patience);
  t.same(await bob.unread(), { recovering: 0, lost: 1 }, 'and it is said that it is lost');
  t.ok(times.length <= 6, `${times.length} questions`);
  t.equal((await repairStates(bob.storage)).size, 0);
});

t.test('pitfall: resync race: whenever it dies, it asks once in ten minutes', async (t) => {
  for (let half = 0; half < 12; half++) {
    const { world, alice, bob } = await broken();
    await alice.say('bob', 'three');
    await alice.flush();
    await bob.openAll();
    const bundles = world.bundles;
    bob.dieAt(half);
    const until = world.now + minutes(9);
    while (world.now < until) {
      await bob.tend();
      await bob.flush();
      world.now += 30_000;
    }
    t.ok(world.bundles - bundles <= 2, 'a bundle that was fetched before it died is not used');
    const asked = world.sends.filter(({ from }) => from === bob.key).length - 1;
    // The same envelopes leave again when the answer was lost.
    t.ok(asked <= 2, `${asked} requests, died at ${half}`);
    bob.restart();
    await settleAll(world, [alice, bob]);
    t.same(await bob.heard(), ['one', 'three']);
  }
});

t.test('pitfall: resync exfiltration: a device gets only what was made for it', async (t) => {
  const { world, alice, bob } = await friends();
  await alice.say('bob', 'secret');
  await alice.flush();
  await settleAll(world, [alice, bob]);
  const second = await world.join('bob');
  const hashes = (await alice.storage.list('sent')).map(({ key }) =>
    fromHex((key.split(' ')[1] ?? '').padEnd(64, '0')),
  );
  t.ok(hashes.length >= 2);
  const body = { kind: 'resync', session: randomBytes(16), failed: hashes } as const;
  const plaintext = encodePlaintext({ id: randomBytes(16), sentAt: world.now, body });
  const only = alice.account.device;
  await second.storage.commit({ append: [repairRow('alice', { only }, plaintext)] });
  await settleAll(world, [alice, bob, second]);
  t.same(await second.heard(), []);
  await alice.say('bob', 'to both');
  await settleAll(world, [alice, bob, second]);
  t.same(await second.heard(), ['to both']);
});

t.test('pitfall: archived-session promotion: a clone of the home is left behind', async (t) => {
  const { world, alice, bob } = await friends();
  const clone = await bob.clone();
  await bob.lose(sessionsNamespace);
  await alice.say('bob', 'three');
  await settleAll(world, [alice, bob]);
  await bob.say('alice', 'healed');
  await settleAll(world, [alice, bob]);
  await clone.say('alice', 'from the clone');
  await clone.flush();
  await alice.openAll();
  t.ok((await alice.heard()).includes('from the clone'), 'the old session still receives');
  await alice.say('bob', 'after it');
  await alice.flush();
  const copies = bob.mailbox.map(({ body }): Letter => ({ body, opened: false }));
  await clone.open(copies);
  t.notOk((await clone.heard()).includes('after it'), 'and never sends again');
  await settleAll(world, [alice, bob]);
  t.ok((await bob.heard()).includes('after it'));
});

t.test('M7: both sides ask at once, and agree', async (t) => {
  const { world, alice, bob } = await broken();
  await alice.lose(sessionsNamespace);
  // Both began a new session since, which the other one lost.
  await Promise.all([alice.say('bob', 'a1'), bob.say('alice', 'b1')]);
  await Promise.all([alice.flush(), bob.flush()]);
  await Promise.all([alice.lose(sessionsNamespace), bob.lose(sessionsNamespace)]);
  await Promise.all([alice.lose('prekeys'), bob.lose('prekeys')]);
  await Promise.all([alice.publishPrekeys(7000), bob.publishPrekeys(7000)]);
  await Promise.all([alice.openAll(), bob.openAll()]);
  await Promise.all([ask(world, alice), ask(world, bob)]);
  const sends = world.sends.length;
  await settleAll(world, [alice, bob]);
  t.same(await bob.heard(), ['one', 'a1']);
  t.same(await alice.heard(), ['two', 'b1']);
  t.ok(world.sends.length - sends <= 6, `${world.sends.length - sends} more requests`);
  await Promise.all([alice.say('bob', 'a2'), bob.say('alice', 'b2')]);
  await settleAll(world, [alice, bob]);
  t.same(
    [...(await alice.heard()), ...(await bob.heard())],
    ['two', 'b1', 'b2', 'one', 'a1', 'a2'],
  );
});

t.test('M7: what was on its way while it was asked is asked for in the same repair', async (t) => {
  const { world, alice, bob } = await broken();
  await alice.say('bob', 'three');
  await alice.flush();
  await bob.openAll();
  await ask(world, bob);
  for (const text of ['four', 'five', 'six']) await alice.say('bob', text);
  await alice.flush();
  const { bundles, now } = world;
  for (let round = 0; round < 5; round++) {
    for (const device of [bob, alice]) {
      await device.openAll();
      await device.tend();
      await device.flush();
    }
    world.now += 3_000;
  }
  t.same((await bob.heard()).sort(), ['five', 'four', 'one', 'six', 'three']);
  t.same(await bob.unread(), whole);
  t.equal(world.bundles, bundles, 'without a second session');
  t.ok(world.now - now < minutes(1));
});

t.test('M7: hundreds of failures are one repair, and what is too much is counted', async (t) => {
  const { world, alice, bob } = await broken();
  const count = 560;
  for (let i = 0; i < count; i++) await alice.say('bob', `many ${i}`);
  await alice.flush();
  const { bundles } = world;
  await bob.openAll();
  await settleAll(world, [alice, bob]);
  const heard = (await bob.heard()).filter((text) => text.startsWith('many')).length;
  const { recovering, lost } = await bob.unread();
  t.equal(recovering, 0);
  t.equal(heard + lost, count);
  t.ok(heard >= 400, `${heard} came`);
  t.ok(world.bundles - bundles <= 2);
});

t.test('M7: a device that is gone is not asked', async (t) => {
  const { world, alice, bob } = await broken();
  const second = await world.join('alice');
  await alice.say('bob', 'three');
  await alice.flush();
  await bob.openAll();
  world.remove(alice);
  const sends = world.sends.length;
  await settleAll(world, [bob, second]);
  t.equal(world.sends.length, sends);
  t.same(await bob.unread(), { recovering: 0, lost: 1 });
});

t.test('M7: what its sender has no more is said to be lost, once, as a number', async (t) => {
  const { world, alice, bob } = await broken();
  for (const text of ['three', 'four', 'five']) await alice.say('bob', text);
  await alice.flush();
  await alice.lose('sent');
  await settleAll(world, [alice, bob]);
  const said = (await bob.messages()).filter(({ type }) => type === 'unreadable');
  t.equal(said.length, 1);
  t.match(said[0], { state: 'lost', claims: 'alice', count: 3 });
});

t.test('what was taken back, or has disappeared, is not sent again', async (t) => {
  const { world, alice, bob } = await broken();
  for (const text of ['kept', 'deleted']) await alice.say('bob', text);
  await alice.flush();
  for (const message of await messagesAfter(alice.storage, '')) {
    if (message.type !== 'sent' || message.text !== 'deleted') continue;
    await alice.storage.commit({ put: [messageRow({ ...message, text: '', deleted: true })] });
  }
  await settleAll(world, [alice, bob]);
  t.same(await bob.heard(), ['one', 'kept']);
  t.same(await bob.unread(), whole, 'nobody misses it');
});

t.test('M7: one’s own devices repair their sessions without a word', async (t) => {
  const world = new World();
  const [one, two] = await world.person('alice', 2);
  const [bob] = await world.person('bob');
  if (!one || !two || !bob) throw new Error('nobody');
  const all = [one, two, bob];
  const sentBy = async (device: Device) =>
    (await device.messages()).flatMap((each) => (each.type === 'sent' ? each.text : []));
  await one.say('bob', 'one');
  await two.say('bob', 'two');
  await settleAll(world, all);
  t.same((await sentBy(two)).sort(), ['one', 'two']);
  await two.lose(sessionsNamespace);
  await one.say('bob', 'three');
  await settleAll(world, all);
  t.same((await sentBy(two)).sort(), ['one', 'three', 'two']);
  t.same(await two.unread(), whole);
  t.same((await bob.heard()).sort(), ['one', 'three', 'two']);
});

t.test('a request of a repair has an envelope of one size for every device', async (t) => {
  const world = new World();
  const [alice] = await world.person('alice');
  const [bob, phone] = await world.person('bob', 2);
  if (!alice || !bob || !phone) throw new Error('nobody');
  const all = [alice, bob, phone];
  await alice.say('bob', 'one');
  await settleAll(world, all);
  for (const device of [bob, phone]) await device.say('alice', 'hello');
  await settleAll(world, all);
  await bob.lose(sessionsNamespace);
  await alice.say('bob', 'two');
  const from = world.sends.length;
  await settleAll(world, all);
  t.same(await bob.heard(), ['one', 'two']);
  t.same(await phone.heard(), ['one', 'two'], 'and comes once where it came before');
  t.equal(phone.dropped, 0);
  const toBob = world.sends.slice(from).filter((send) => send.from === alice.key);
  t.ok(toBob.length >= 3);
  for (const { sizes } of toBob) t.equal(sizes.length, 2);
  t.ok(toBob.slice(1).every(({ sizes: [a, b] }) => a === b));
});

t.test('duplicates and replays are no failures', async (t) => {
  const { world, alice, bob } = await friends();
  await alice.say('bob', 'three');
  await alice.flush();
  const letters = bob.mailbox.map(({ body }): Letter => ({ body, opened: false }));
  await bob.openAll();
  await bob.open(letters);
  // The island can't seal, but a sender can send the same message in another envelope.
  const { dik } = bob.account;
  const resealed = letters.map(({ body }): Letter => {
    return { body: seal(dik.public, open(dik, body)), opened: false };
  });
  await bob.open(resealed);
  t.same(await bob.unread(), whole);
  t.equal((await repairStates(bob.storage)).size, 0);
  const sends = world.sends.length;
  await settleAll(world, [alice, bob]);
  t.equal(world.sends.length, sends);
});

t.test('forged failures: what no device on a list can have sent makes no work', async (t) => {
  const { world, alice, bob } = await friends();
  const { dik } = bob.account;
  const certificate = world.certificates.get(alice.key) ?? new Uint8Array(0);
  const message = Uint8Array.from([1, 0x41, ...randomBytes(16), ...randomBytes(500)]);
  const letter = (body: Uint8Array): Letter => ({ body, opened: false });
  const sealedTo = (type: (typeof contentTypes)[keyof typeof contentTypes]) =>
    letter(seal(dik.public, { certificate, type, message }));
  const { bundles, sends } = { bundles: world.bundles, sends: world.sends.length };
  await bob.open([letter(randomBytes(700))]);
  await bob.open([sealedTo(contentTypes.repair), sealedTo(contentTypes.cover)]);
  t.same(await bob.unread(), whole);
  t.equal((await repairStates(bob.storage)).size, 0);
  t.same([world.bundles, world.sends.length], [bundles, sends]);

  // With her certificate the island could go further: five questions a day, and nothing is sent again.
  for (let hour = 0; hour < 24; hour++) {
    for (let i = 0; i < 40; i++) {
      const forged = Uint8Array.from([1, 0x41, ...randomBytes(16), ...randomBytes(500)]);
      const body = seal(dik.public, { certificate, type: contentTypes.ratchet, message: forged });
      bob.mailbox.push(letter(body));
    }
    for (let round = 0; round < 6; round++) {
      for (const device of [bob, alice]) {
        await device.openAll();
        await device.tend();
        await device.flush();
      }
      world.now += minutes(10);
    }
  }
  const asked = world.sends.slice(sends).filter(({ from }) => from === bob.key).length;
  t.ok(world.bundles - bundles <= 6, `${world.bundles - bundles} sessions`);
  t.ok(asked <= 5 * (repairLimits.bodies + 2 * repairLimits.bodies), `${asked} requests`);
  t.same((await bob.heard()).length, 1);
  await settleAll(world, [alice, bob]);
  await alice.say('bob', 'still here');
  await settleAll(world, [alice, bob]);
  t.ok((await bob.heard()).includes('still here'));
});

t.test('resyncs that come too often are ignored', async (t) => {
  const { world, alice, bob } = await friends();
  const only = alice.account.device;
  for (let i = 0; i < 100; i++) {
    const body = { kind: 'resync', session: randomBytes(16), failed: [randomBytes(32)] } as const;
    const plaintext = encodePlaintext({ id: randomBytes(16), sentAt: world.now, body });
    await bob.storage.commit({ append: [repairRow('alice', { only }, plaintext)] });
  }
  await bob.flush();
  await alice.openAll();
  const answers = await alice.flush();
  t.equal(answers, repairLimits.answersPerDay);
});

t.test('one message is sent again three times at most', async (t) => {
  const { world, alice, bob } = await friends();
  await alice.say('bob', 'again');
  await alice.flush();
  const [sent] = (await alice.storage.list('sent')).slice(-1);
  await bob.openAll();
  const hash = fromHex((sent?.key.split(' ')[1] ?? '').padEnd(64, '0'));
  const only = alice.account.device;
  let resent = 0;
  for (let i = 0; i < 6; i++) {
    const body = { kind: 'resync', session: randomBytes(16), failed: [hash] } as const;
    const plaintext = encodePlaintext({ id: randomBytes(16), sentAt: world.now, body });
    await bob.storage.commit({ append: [repairRow('alice', { only }, plaintext)] });
    await bob.flush();
    await alice.openAll();
    resent += (Number(await alice.flush()) || 0) - 1;
    await bob.openAll();
  }
  t.ok(resent <= repairLimits.resends, `${resent}`);
});

for (const atOnce of [false, true])
  t.test(
    `attack: no message is sent more than three times when all its copies are named, ${atOnce ? 'in one batch' : 'one after another'}`,
    async (t) => {
      const { world, alice, bob } = await friends();
      await alice.say('bob', 'again');
      await alice.flush();
      const [first] = (await alice.storage.list('sent')).slice(-1);
      const key = first?.key ?? '';
      await bob.openAll();
      const only = alice.account.device;
      const of = async () =>
        (await alice.storage.list('sent')).filter((row) => row.key.startsWith(bob.key));
      const before = new Set((await of()).map((row) => row.key));
      for (let i = 0; i < 6; i++) {
        const copies = (await of()).filter((row) => row.key === key || !before.has(row.key));
        const failed = copies.map((row) => fromHex((row.key.split(' ')[1] ?? '').padEnd(64, '0')));
        const body = { kind: 'resync', session: randomBytes(16), failed } as const;
        const plaintext = encodePlaintext({ id: randomBytes(16), sentAt: world.now, body });
        await bob.storage.commit({ append: [repairRow('alice', { only }, plaintext)] });
        await bob.flush();
        if (atOnce && i < 5) continue;
        await alice.openAll();
        await alice.flush();
        await bob.openAll();
      }
      const copies = (await of()).length - before.size;
      t.equal(copies, repairLimits.resends);
    },
  );

t.test('M7: a home that was put back from an old copy heals without a person', async (t) => {
  const { world, alice, bob } = await friends();
  const copy = await bob.copy();
  await bob.say('alice', 'after the copy');
  await alice.say('bob', 'before it came back');
  await settleAll(world, [alice, bob]);
  await alice.say('bob', 'on its way');
  await alice.flush();
  await bob.restore(copy);
  await settleAll(world, [alice, bob]);
  t.ok((await bob.heard()).includes('on its way'));
  await bob.say('alice', 'and back');
  await settleAll(world, [alice, bob]);
  t.ok((await alice.heard()).includes('and back'));
  t.same(await bob.unread(), whole);
});

t.test('M7: the last resort repairs, too', async (t) => {
  const { world, alice, bob } = await broken();
  world.exhausted = true;
  await alice.say('bob', 'three');
  await settleAll(world, [alice, bob]);
  t.same(await bob.heard(), ['one', 'three']);
});

t.test('pitfall: resync downgrade: an older copy of a device can’t begin a session', async (t) => {
  const { world, alice, bob } = await friends();
  const clone = await bob.clone();
  await bob.restore(await bob.copy());
  await bob.say('alice', 'of the second generation');
  await settleAll(world, [alice, bob]);
  t.ok((await alice.heard()).includes('of the second generation'));
  await clone.lose(sessionsNamespace);
  const [row] = await alice.storage.list(sessionsNamespace);
  const body = { kind: 'resync', session: randomBytes(16), failed: [randomBytes(32)] } as const;
  const plaintext = encodePlaintext({ id: randomBytes(16), sentAt: world.now, body });
  const begins = { replaces: body.session };
  const only = alice.account.device;
  await clone.storage.commit({ append: [repairRow('alice', { only, begins }, plaintext)] });
  t.equal(await clone.flush(), 1);
  await alice.openAll();
  const [after] = await alice.storage.list(sessionsNamespace);
  t.same(after?.bytes, row?.bytes, 'her sessions are as they were');
  t.equal(await alice.flush(), 0);
  await alice.say('bob', 'to the real one');
  await settleAll(world, [alice, bob]);
  t.ok((await bob.heard()).includes('to the real one'));
  t.notOk((await clone.heard()).includes('to the real one'));
});

t.test('who shows what comes sees the outcome: the message, or how many are lost', async (t) => {
  const { world, alice, bob } = await broken();
  const stop = new AbortController();
  const shown: string[] = [];
  const showing = (async () => {
    for await (const group of arrivals(bob.storage, stop.signal))
      for (const each of group)
        shown.push(each.type === 'message' ? each.text : `${each.state} ${each.count ?? ''}`);
  })();
  for (const text of ['three', 'four']) await alice.say('bob', text);
  await settleAll(world, [alice, bob]);
  await bob.lose(sessionsNamespace);
  for (const text of ['five', 'six']) await alice.say('bob', text);
  await alice.flush();
  await alice.lose('sent');
  await settleAll(world, [alice, bob]);
  await eventually(async () => shown.includes('lost 2'));
  stop.abort();
  await showing;
  const outcomes = shown.filter((each) => !each.startsWith('recovering'));
  t.same(outcomes, ['one', 'three', 'four', 'lost 2']);
  t.ok(shown.length - outcomes.length <= 4, 'no placeholder is shown twice');
  t.same(await unrecovered(bob.storage, 'alice'), { recovering: 0, lost: 2 });
});
