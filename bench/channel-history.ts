/**
 * A channel with very many posts, as the service reads it: the first screen, and a member with 30,000 unread ones.
 * The rows are those that the service writes, written in bulk; everything is asked for over the bus.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { emptyFeed, nextFeedHead } from '@island/protocol/crypto/feed.ts';
import { hashPost } from '@island/protocol/crypto/post.ts';
import { type AccountId, type ChannelId, deviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { Bus } from '@island/services/kit/bus.ts';
import type { Kit } from '@island/services/kit/service.ts';
import { openStore } from '@island/services/kit/store.ts';
import { testIsland } from '@island/services/kit/testing/kit.ts';
import { openVault } from '@island/services/kit/vault.ts';
import { spaces } from '@island/services/spaces/contract.ts';
import { idBytes } from '@island/services/spaces/database.ts';
import * as schema from '@island/services/spaces/schema.ts';
import { sealedRows } from '@island/services/spaces/sealed-rows.ts';
import { spacesService } from '@island/services/spaces/service.ts';
import { openBoard, testDirectory } from '@island/services/spaces/testing/board.ts';
import type { Effort, Measured, Scenario } from './scenario.ts';

const migrations = join(import.meta.dirname, '../services/spaces/migrations');
/** A short text after padding. */
const postBytes = 464;
const screen = 100;
const unread = 30_000;
/** Milliseconds: what a person waits for a first screen. */
const patience = 200;

/** Rows as `posts.ts` writes them, in transactions of 5,000. */
async function fill(
  { data, keys, log }: Kit,
  channel: ChannelId,
  author: AccountId,
  count: number,
): Promise<void> {
  await using held = new AsyncDisposableStack();
  const file = join(data, 'spaces.sqlite');
  const store = held.use(await openStore({ file, schema, migrations, log }));
  const vault = held.use(await openVault({ store, keys, log }));
  const rows = sealedRows(vault, log, { name: 'posts', column: 'post' });
  const of = idBytes(channel);
  const accepted = 2;
  let head = emptyFeed;
  while (head.seq < count) {
    const seal = await rows.sealer();
    await store.write(async (_db, sql) => {
      for (let i = 0; i < 5_000 && head.seq < count; i++) {
        const post = randomBytes(postBytes);
        const leaf = hashPost(post);
        head = nextFeedHead(head, {
          ...{ seq: head.seq + 1, accepted, author, device: deviceId(1), leaf },
        });
        const { seq, hash } = head;
        await sql.run(
          'INSERT INTO posts (channel, seq, accepted, author, device, chain, iteration, leaf, feed, post) VALUES (?, ?, ?, ?, 1, ?, 0, ?, ?, ?)',
          [of, seq, accepted, idBytes(author), randomBytes(16), leaf, hash, seal(of, seq, post)],
        );
      }
      await sql.run('UPDATE channels SET head = ?, feed = ? WHERE channel = ?', [
        ...[head.seq, head.hash, of],
      ]);
    });
  }
}

const quantile = (times: readonly number[], q: number): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length * q)] ?? 0;

async function timed(times: number, work: () => Promise<unknown>): Promise<number[]> {
  const found: number[] = [];
  for (let i = 0; i < times; i++) {
    const before = performance.now();
    await work();
    found.push(performance.now() - before);
  }
  return found;
}

/** Everything behind a place, page by page; resolves with the number of posts. */
async function catchUp(bus: Bus, account: AccountId, channel: ChannelId, from: number) {
  const count = limits.postsPerAnswer;
  for (let after = from; ; ) {
    const { items } = await bus.call(spaces, 'posts', { account, channel, after, count });
    const last = items.at(-1);
    if (last === undefined) return after - from;
    after = last.seq;
  }
}

async function run({ quick }: Effort): Promise<Measured> {
  const posts = quick ? 50_000 : 1_000_000;
  await using island = await testIsland(['gateway', 'directory', 'delivery', 'spaces', 'control']);
  const { bus } = await island.kit('gateway');
  const { bus: lists } = await island.kit('directory');
  testDirectory(lists);
  await lists.settled();
  await island.start(spacesService);
  const board = await openBoard(bus, 'history');
  const channel = await board.channel('long');
  const { account } = board.isle.owner;
  const filling = performance.now();
  await fill(await island.kit('spaces'), channel, account, posts);
  const filled = (performance.now() - filling) / 1000;
  await island.restart(spacesService);
  globalThis.gc?.();
  const resident = process.memoryUsage.rss();
  const first = await timed(1, () =>
    bus.call(spaces, 'posts', { account, channel, before: posts + 1, count: screen }),
  );
  const screens = await timed(300, () =>
    bus.call(spaces, 'posts', { account, channel, before: posts + 1, count: screen }),
  );
  const begun = performance.now();
  const cpu = process.cpuUsage();
  const read = await catchUp(bus, account, channel, posts - Math.min(unread, posts));
  const { user, system } = process.cpuUsage(cpu);
  const caught = (performance.now() - begun) / 1000;
  const grown = (process.memoryUsage.rss() - resident) / 2 ** 20;
  const p99 = quantile(screens, 0.99);
  return {
    ours: p99,
    yardstick: patience,
    notes: [
      `${posts} posts in one channel, written in ${filled.toFixed(0)} s. The first screen of ${screen} after a start: ${first[0]?.toFixed(1)} ms; then p50 ${quantile(screens, 0.5).toFixed(1)} ms, p99 ${p99.toFixed(1)} ms.`,
      `${read} unread posts: ${caught.toFixed(2)} s and ${((user + system) / 1e6).toFixed(2)} s of CPU of service, gateway's side of the bus and both codecs in one process; ${grown.toFixed(0)} MB more resident.`,
    ],
  };
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'channel-history: the first screen',
    unit: 'ms at the service, p99',
    target: 1,
    better: 'lower',
    yardstickName: 'what a person waits for',
    measure: run,
  },
];
