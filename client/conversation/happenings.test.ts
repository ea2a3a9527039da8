/** What is done to a message is told after the message, whichever of them came first. */
import { accountId } from '@island/protocol/wire/ids.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { actRow } from '../messages/acts.ts';
import { arrivals } from '../messages/arrivals.ts';
import { arrival } from '../messages/messages.ts';
import { memoryStorage } from '../storage/memory.ts';
import { happenings } from './happenings.ts';
import { openTold } from './told.ts';

const bob = accountId('b0'.repeat(16));
const id = (n: number): string => n.toString(16).padStart(32, '0');
const at = 1_700_000_000_000;

const message = (n: number) =>
  arrival({
    ...{ type: 'message', id: id(n), from: 'bob', peer: bob, text: `message ${n}` },
    ...{ sentAt: at, receivedAt: at },
  });
type Body = Parameters<typeof actRow>[0]['body'];
const act = (n: number, body: Body) =>
  actRow(
    {
      ...{ id: id(n), direction: 'in', peer: bob, name: 'bob', sentAt: at, receivedAt: at },
      body,
    },
    {},
  );
const edit = (n: number, of: number, revision: number) =>
  act(n, { kind: 'edit', id: fromHex(id(of)), revision, text: `edit ${revision} of ${of}` });
const taking = (n: number, of: number) => act(n, { kind: 'delete', id: fromHex(id(of)) });

/** A program that tells everything; it tells messages once the gate is open. */
async function teller() {
  const storage = memoryStorage();
  const stop = new AbortController();
  const lines: string[] = [];
  const gate = { open: Promise.resolve() };
  return {
    storage,
    lines,
    gate,
    async run() {
      const told = await openTold(storage);
      const messages = async () => {
        for await (const group of arrivals(storage, stop.signal)) {
          await gate.open;
          for (const each of group) if (each.type === 'message') lines.push(each.text);
          told.add(group.map(({ key }) => key));
        }
      };
      const acts = async () => {
        for await (const each of happenings(storage, stop.signal, { told }))
          lines.push(each.type === 'edited' ? each.text : each.type);
      };
      return Promise.all([messages(), acts()]);
    },
    stop: () => stop.abort(),
  };
}

t.test('pitfall: an edit is told before its message', async (t) => {
  const { storage, run, gate, stop, lines } = await teller();
  await storage.commit({ append: [message(1)] });
  const shut = Promise.withResolvers<void>();
  gate.open = shut.promise;
  const running = run();
  // The first was there before and is still to be told; so is the second, which comes now.
  const timer = act(9, { kind: 'timer', seconds: 60 });
  await eventually(async () => {
    await storage.commit({ append: [timer] });
    return lines.includes('timer');
  });
  const timers = lines.length;
  await storage.commit({ append: [edit(10, 1, 1), message(2), edit(11, 2, 1), edit(12, 2, 2)] });
  await storage.commit({ append: [timer] });
  await eventually(() => lines.filter((line) => line === 'timer').length > timers);
  t.same([...new Set(lines)], ['timer'], 'nothing else may be told yet');
  shut.resolve();
  const rest = () => lines.filter((line) => line !== 'timer');
  await eventually(() => rest().length === 5);
  t.ok(rest().indexOf('message 1') < rest().indexOf('edit 1 of 1'));
  t.same(
    rest().filter((line) => line.endsWith('2')),
    ['message 2', 'edit 1 of 2', 'edit 2 of 2'],
  );
  stop();
  await running;
});

t.test(
  'an edit whose message comes later is told then; one of what was taken back never',
  async (t) => {
    const { storage, run, stop, lines } = await teller();
    const running = run();
    const timer = act(9, { kind: 'timer', seconds: 60 });
    await eventually(async () => {
      await storage.commit({ append: [timer] });
      return lines.length > 0;
    });
    await storage.commit({ append: [edit(10, 1, 1), edit(11, 2, 1), taking(12, 2)] });
    await storage.commit({ append: [message(1), message(2)] });
    await eventually(() => lines.includes('edit 1 of 1') && lines.includes('deleted'));
    const rest = lines.filter((line) => line !== 'timer');
    t.same(rest.sort(), ['deleted', 'edit 1 of 1', 'message 1']);
    t.ok(lines.indexOf('message 1') < lines.indexOf('edit 1 of 1'));
    stop();
    await running;
  },
);
