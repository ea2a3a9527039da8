/**
 * A channel of a whole running island, with 200 people at their sockets, beside a persistent room of as many at XMPP
 * servers that keep every message of it: what it costs to bring a post to everybody. They take turns.
 */
import { loadavg } from 'node:os';
import { makeChain } from '@island/client/testing/edge.ts';
import { islandRoom } from './island-room.ts';
import { startEjabberd } from './peers/ejabberd.ts';
import { startProsody } from './peers/prosody.ts';
import { xmppRoom } from './peers/xmpp-room.ts';
import { type Room, room, type Spoken, speak } from './room-load.ts';
import { type Effort, type Measured, median, type Scenario } from './scenario.ts';

type Name = 'island' | 'ejabberd' | 'prosody';
interface Rounds {
  all: Record<Name, Spoken[]>;
  notes: string[];
}

/** Most posts in one round. */
const most = 8000;
const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);
const perCpu = ({ deliveries, cpu }: Spoken): number => deliveries / sum(cpu.values());

async function run({ quick }: Effort): Promise<Rounds> {
  await using held = new AsyncDisposableStack();
  const tls = await makeChain(['localhost']);
  // First, because they may not be there.
  const ejabberd = held.use(await startEjabberd(tls));
  const prosody = held.use(await startProsody(tls));
  const island = held.use(await islandRoom());
  const rooms: Record<Name, Room> = {
    ejabberd: held.use(await xmppRoom({ name: 'ejabberd', ...ejabberd }, tls)),
    prosody: held.use(
      await xmppRoom({ name: 'prosody', pid: prosody.pid, port: prosody.tlsPort }, tls),
    ),
    island,
  };
  const loadBefore = loadavg()[0] ?? 0;
  const [seconds, names] = [quick ? 2 : 4, ['island', 'ejabberd', 'prosody'] as const];
  const all: Record<Name, Spoken[]> = { island: [], ejabberd: [], prosody: [] };
  const rows = { ejabberd: ejabberd.rows(), prosody: prosody.rows() };
  for (let round = -1; round < (quick ? 1 : 5); round++)
    for (const name of names) {
      const spoken = await speak(rooms[name], seconds, most);
      // What is young costs more: the first round is to warm up.
      if (round >= 0) all[name].push(spoken);
    }
  const stored = {
    ejabberd: ejabberd.rows() - rows.ejabberd,
    prosody: prosody.rows() - rows.prosody,
  };
  const load = `load average ${loadBefore.toFixed(1)} before, ${(loadavg()[0] ?? 0).toFixed(1)} after`;
  return {
    all,
    notes: [
      `channels, rooms: ${room.occupants} people, ${room.inFlight} posts of 1 KB on the way, everybody in turn, ${load}; ejabberd ${ejabberd.version}, prosody ${prosody.version}.`,
      ...names.map((name) => shown(name, all[name])),
      `  Stored by ejabberd ${stored.ejabberd}, by prosody ${stored.prosody} messages; the island stores every post once (${island.postBytes} bytes).`,
      '  All three are reached over TLS. Not equal: between the processes of the island there is mTLS besides, and the body of an XMPP message has 1,024 bytes.',
      `  Caddy has ${(island.edge / 1024).toFixed(0)} KB more memory for each socket.`,
    ],
  };
}

function shown(name: Name, rounds: readonly Spoken[]): string {
  const each = rounds
    .map((spoken) => `${(spoken.rate / 1000).toFixed(1)}/${(perCpu(spoken) / 1000).toFixed(1)}`)
    .join(', ');
  const names = [...(rounds[0]?.cpu.keys() ?? [])];
  const parts = names
    .map((one) => [
      one,
      median(rounds.map(({ cpu, deliveries }) => ((cpu.get(one) ?? 0) * 1e6) / deliveries)),
    ])
    .filter(([, cost]) => Number(cost) >= 0.1)
    .map(([one, cost]) => `${one} ${Number(cost).toFixed(1)}`);
  return `  ${name}: thousand deliveries a second / a CPU second: ${each}; µs of CPU for one: ${parts.join(', ')}`;
}

let running: Promise<Rounds> | undefined;

const against =
  (yardstick: Name) =>
  async (effort: Effort): Promise<Measured> => {
    running ??= run(effort);
    const { all, notes } = await running;
    const [ours, other] = [all.island, all[yardstick]].map((rounds) => median(rounds.map(perCpu)));
    return { ours: ours ?? Number.NaN, yardstick: other ?? Number.NaN, notes };
  };

const unit = 'deliveries per CPU second, all processes';

export const scenarios: readonly Scenario[] = [
  {
    name: 'channels: room of 200',
    unit,
    target: 5,
    better: 'higher',
    yardstickName: 'ejabberd, a persistent room, archived (SQLite, WAL)',
    measure: against('ejabberd'),
  },
  {
    name: 'channels: room of 200, prosody',
    unit,
    better: 'higher',
    yardstickName: 'prosody, a persistent room, archived (SQLite, WAL, FULL)',
    measure: against('prosody'),
  },
];
