/**
 * Random scripts over three devices with loss of state, reordering, repetition, crashes between commits and
 * old copies put back: afterwards everybody is in touch, what was opened has arrived or is counted, and nobody
 * asked more than they may. A failing script is printed with its seed. docs/protocol/ratchet.md §9
 */
import fc from 'fast-check';
import t from 'tap';
import { sessionsNamespace } from '../ratchets/ratchets.ts';
import { repairStates } from './keeping.ts';
import { repairLimits } from './repair-limits.ts';
import { type Device, type Letter, settleAll, World } from './testing/world.ts';

t.setTimeout(600_000);

const who = fc.integer({ min: 0, max: 2 });
const event = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('say' as const), who }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('flush' as const), who }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('open' as const),
      who,
      order: fc.constantFrom('straight' as const, 'backwards' as const, 'odd ones first' as const),
      most: fc.integer({ min: 1, max: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('again' as const), who }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('tend' as const), who }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('restart' as const), who }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('die' as const),
      who,
      half: fc.integer({ min: 0, max: 7 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('lose' as const), who }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('copy' as const), who }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('restore' as const), who }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('wait' as const),
      seconds: fc.constantFrom(1, 5, 60, 700, 7_000),
    }),
  },
);
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never;

class Play {
  readonly world = new World();
  devices: Device[] = [];
  /** By device: letters that it has acknowledged. */
  readonly old = new Map<Device, Letter[]>();
  readonly copies = new Map<Device, Awaited<ReturnType<Device['copy']>>>();
  /** Texts said to Alice, and to Bob. */
  readonly said: Record<string, string[]> = { alice: [], bob: [] };
  /** Homes that forgot what they had acknowledged: elsewhere the archive gives it back. */
  readonly forgetful = new Set<Device>();
  count = 0;

  async begin(): Promise<this> {
    const alice = await this.world.person('alice');
    const bob = await this.world.person('bob', 2);
    this.devices = [...alice, ...bob];
    await this.world.meet(...this.devices);
    return this;
  }

  device(at: number): Device {
    const device = this.devices[at];
    if (!device) throw new Error('nobody');
    return device;
  }

  async say(device: Device): Promise<string> {
    const to = device.account.name === 'alice' ? 'bob' : 'alice';
    const text = `${device.key} ${++this.count}`;
    if (await device.say(to, text)) this.said[to]?.push(text);
    return text;
  }

  async do(event: Event): Promise<void> {
    if (event.type === 'wait') {
      this.world.now += event.seconds * 1000;
      return;
    }
    const device = this.device(event.who);
    switch (event.type) {
      case 'say':
        await this.say(device);
        return;
      case 'flush':
        await device.flush();
        return;
      case 'open':
        return this.open(device, event.order, event.most);
      case 'again': {
        const again = (this.old.get(device) ?? []).slice(-3);
        await device.open(again.map(({ body }): Letter => ({ body, opened: false })));
        return;
      }
      case 'tend':
        await device.tend();
        return;
      case 'restart':
        device.restart();
        return;
      case 'die':
        device.dieAt(event.half);
        return;
      case 'lose':
        device.restart();
        await device.lose(sessionsNamespace);
        return;
      case 'copy':
        this.copies.set(device, await device.copy());
        return;
      case 'restore': {
        const copy = this.copies.get(device);
        if (!copy) return;
        this.forgetful.add(device);
        await device.restore(copy);
        return;
      }
    }
  }

  async open(device: Device, order: string, most: number): Promise<void> {
    const letters = device.mailbox.slice(0, most);
    if (order === 'backwards') letters.reverse();
    if (order === 'odd ones first')
      letters.sort((a, b) => (device.mailbox.indexOf(b) % 2) - (device.mailbox.indexOf(a) % 2));
    if (await device.open(letters))
      this.old.set(device, [...(this.old.get(device) ?? []), ...letters]);
  }

  /** What was queued in a home of before its copy never left. */
  anybodyForgot(): boolean {
    return this.forgetful.size > 0;
  }

  /** Sessions that may have been begun: each pair asks so often a day, and each event may force one. */
  bound(hours: number, events: number): number {
    const pairs = this.devices.length * (this.devices.length - 1);
    return pairs * repairLimits.asksPerDay * Math.ceil(hours / 24 + 1) + 2 * events;
  }
}

const runs = 40;

t.test('M7: whatever happens, it heals, and nothing is missed in silence', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 10, maxLength: 70 }), async (events) => {
      const play = await new Play().begin();
      const { world } = play;
      const begun = world.now;
      for (const each of events) await play.do(each);
      for (const device of play.devices) device.restart();
      await settleAll(world, play.devices);
      // Two rounds, each way: whoever has followed the other hears them at once.
      for (let round = 0; round < 2; round++) {
        const said = [];
        for (const device of play.devices) said.push([device, await play.say(device)] as const);
        await settleAll(world, play.devices);
        for (const [from, text] of said) {
          for (const device of play.devices) {
            if (device.account.name === from.account.name) continue;
            const heard = await device.heard();
            if (!heard.includes(text))
              throw new Error(`${device.key} has not heard "${text}" of ${from.key}`);
          }
        }
      }
      for (const device of play.devices) {
        const heard = await device.heard();
        if (new Set(heard).size !== heard.length) throw new Error(`${device.key} heard it twice`);
        const { recovering, lost } = await device.unread();
        if (recovering > 0) throw new Error(`${device.key} still waits for ${recovering}`);
        const missing = (play.said[device.account.name] ?? []).filter(
          (text) => !heard.includes(text),
        );
        if (!play.anybodyForgot() && missing.length > lost)
          throw new Error(`${device.key} misses ${missing.join(', ')}, and counts ${lost}`);
        const states = [...(await repairStates(device.storage)).values()];
        if (states.some((state) => state !== 'ok')) throw new Error(`${device.key}: ${states}`);
      }
      const hours = (world.now - begun) / 3_600_000;
      if (world.bundles > play.bound(hours, events.length))
        throw new Error(`${world.bundles} sessions in ${hours} hours`);
    }),
    { numRuns: runs },
  );
});
