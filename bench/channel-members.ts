/**
 * A large channel as its members' clients make it: everybody joins by one link, keys go to all devices, and come anew
 * after each change of who may read. Real clients and services in one process, without the edge; receivers but a few
 * have mailboxes and no program running.
 */
import { createHash } from 'node:crypto';
import { type Islander, openIslander } from '@island/client/islander.ts';
import { recover } from '@island/client/joining/recovery.ts';
import { register } from '@island/client/joining/registration.ts';
import { memoryStorage } from '@island/client/storage/memory.ts';
import type { Storage } from '@island/client/storage/storage.ts';
import { type RealIsland, realIsland } from '@island/client/testing/real-island.ts';
import type { ChannelId, SpaceId } from '@island/protocol/wire/ids.ts';
import { eventually } from '@island/services/kit/testing/outcome.ts';
import type { Effort, Measured, Scenario } from './scenario.ts';

/** What was used up between two looks. */
interface Spent {
  seconds: number;
  cpu: number;
  requests: number;
  /** Of sealed keys, as they go into mailboxes. */
  keyBytes: number;
  envelopes: number;
}

interface Person {
  name: string;
  storage: Storage;
}

/** Counts requests and keys on their way. */
function meter(island: RealIsland) {
  let [requests, keyBytes, envelopes] = [0, 0, 0];
  island.line.before = ({ path, body }) => {
    requests += 1;
    island.requests.length = 0;
    if (path !== '/v1/spaces/keys') return undefined;
    for (const { body: sealed } of body['envelopes'] as { body: string }[]) {
      keyBytes += Math.floor((sealed.length * 3) / 4);
      envelopes += 1;
    }
    return undefined;
  };
  return async (work: () => Promise<unknown>): Promise<Spent> => {
    const before = { requests, keyBytes, envelopes, at: performance.now() };
    const cpu = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(cpu);
    return {
      seconds: (performance.now() - before.at) / 1000,
      cpu: (user + system) / 1e6,
      requests: requests - before.requests,
      keyBytes: keyBytes - before.keyBytes,
      envelopes: envelopes - before.envelopes,
    };
  };
}

/** Nobody signs in here: the slow hash of a password is not what is measured. */
const quick = async (password: Uint8Array, salt: Uint8Array): Promise<Uint8Array> =>
  createHash('sha256').update(password).update(salt).digest();

/** Somebody with two devices; the second one has a mailbox and is not running. */
async function somebody(island: RealIsland, name: string): Promise<Person> {
  const storage = memoryStorage();
  const { now } = island.clock;
  const platform = () => ({ ...island.platform(), argon2id: quick });
  const credentials = { password: name };
  const made = await register(
    { storage, platform: platform(), now },
    await island.link(),
    name,
    credentials,
  );
  const [code = ''] = made.codes;
  const second = { storage: memoryStorage(), platform: platform(), now };
  await recover(second, island.recoverLink(name), { credentials, code });
  return { name, storage };
}

const open = (island: RealIsland, { storage }: Person): Promise<Islander> =>
  openIslander({
    ...{ storage, platform: island.platform(), now: island.clock.now },
    on: () => undefined,
  });

/** One after the other would take the time of one; several at once is what a storm is. */
async function several<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

async function posted(
  { channels, spaces }: Islander,
  space: SpaceId,
  channel: ChannelId,
  text: string,
): Promise<void> {
  const id = await channels.post(space, channel, { kind: 'text', text });
  await eventually(async () => {
    const { posts } = await channels.view(space, channel, { limit: 5 });
    return posts.some((post) => 'id' in post && post.id === id && post.state === 'sent');
  }, 120_000);
  await spaces.known(space);
}

const figures = ({ seconds, cpu, requests, keyBytes, envelopes }: Spent, by = 1): string =>
  `${(seconds / by).toFixed(2)} s, ${(cpu / by).toFixed(2)} s of CPU, ${Math.round(requests / by)} requests, ${Math.round(envelopes / by)} envelopes with ${(keyBytes / by / 1024).toFixed(0)} KiB of keys`;

async function run(effort: Effort): Promise<Measured> {
  const sizes = effort.quick ? [10, 20] : [50, 100, 200];
  const rotations = effort.quick ? 5 : 50;
  await using island = await realIsland();
  const spent = meter(island);
  const notes: string[] = [];
  const owner = await somebody(island, 'owner');
  const people: Person[] = [];
  await using host = await open(island, owner);
  host.startReceiving();
  host.startSending();
  const { space } = await host.spaces.create('Large');
  const [channel] = [...(await host.spaces.known(space)).channels.keys()];
  if (channel === undefined) throw new Error('no channel');
  const link = await host.spaces.invite(space, { expires: 0, uses: 0, role: 0 });
  let perDevice = 0;
  for (const size of sizes) {
    const fresh = Array.from({ length: size - 1 - people.length }, (_, at) => people.length + at);
    const made: Person[] = [];
    await several(fresh, async (at) => void made.push(await somebody(island, `member${at}`)));
    people.push(...made);
    const joins = await spent(() =>
      several(made, async (person) => {
        await using one = await open(island, person);
        await one.spaces.join(link);
      }),
    );
    notes.push(`${size} members: each join ${figures(joins, made.length)}.`);
    const first = await spent(() => posted(host, space, channel, 'first'));
    notes.push(`${size} members: the first post with its keys ${figures(first)}.`);
    const rotation = await spent(async () => {
      for (let turn = 0; turn < rotations; turn++) {
        await host.spaces.act(space, { op: 'rekey', channel });
        await posted(host, space, channel, `after ${turn}`);
      }
    });
    notes.push(`${size} members: each of ${rotations} rotations ${figures(rotation, rotations)}.`);
    const plain = await spent(async () => {
      for (let turn = 0; turn < rotations; turn++)
        await posted(host, space, channel, `plain ${turn}`);
    });
    notes.push(`${size} members: each post besides ${figures(plain, rotations)}.`);
    perDevice = rotation.keyBytes / rotation.envelopes;
  }
  const devices = (sizes.at(-1) ?? 0) * 2 - 1;
  const page = await host.session.call('posts', { channel, count: 1, before: 2 ** 31 });
  const [item] = page.items;
  const bytes = item && 'post' in item ? item.post.length : 0;
  return { ours: bytes, yardstick: perDevice * devices, notes };
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'channel-members: a post',
    unit: 'bytes to the island for a post that all devices read',
    better: 'lower',
    yardstickName: 'the same sealed for each device',
    measure: run,
  },
];
