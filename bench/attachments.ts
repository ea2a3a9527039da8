/**
 * An attachment of a whole running island, through its edge, beside a bare Node HTTPS server that writes
 * the same bytes to the same disk: ours are sealed twice and hashed on the way. The two take turns.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { openAccount } from '@island/client/account/account.ts';
import { deleteAttachment } from '@island/client/attachments/deletion.ts';
import { downloadAttachment } from '@island/client/attachments/download.ts';
import { fileSource } from '@island/client/attachments/source.ts';
import { uploadAttachment } from '@island/client/attachments/upload.ts';
import { register } from '@island/client/joining/registration.ts';
import { openWallet } from '@island/client/payment/wallet.ts';
import { nodePlatform } from '@island/client/platform-node.ts';
import { openSession } from '@island/client/sign-in/session.ts';
import { memoryStorage } from '@island/client/storage/memory.ts';
import { makeChain } from '@island/client/testing/edge.ts';
import type { AttachmentDescriptor } from '@island/protocol/crypto/attachment-descriptor.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { tokenClasses } from '@island/protocol/wire/token.ts';
import { childEnvironment } from '@island/services/kit/config.ts';
import { raiseIsland } from './running-island.ts';
import { type Effort, median, type Scenario } from './scenario.ts';

const mebibyte = 1_048_576;

/** MiB a second, medians. */
interface Figures {
  up: { ours: number; yardstick: number };
  down: { ours: number; yardstick: number };
  notes: string[];
}

async function run({ quick }: Effort): Promise<Figures> {
  const size = (quick ? 32 : 128) * mebibyte;
  const rounds = quick ? 1 : 5;
  await using held = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'island-bench-'));
  held.defer(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'file');
  await write(file, size);
  const ours = await islandSide(folder, file, held);
  const bare = await bareSide(folder, file, held);
  const rates: Record<'up' | 'down', { ours: number[]; yardstick: number[] }> = {
    up: { ours: [], yardstick: [] },
    down: { ours: [], yardstick: [] },
  };
  for (let round = -1; round < rounds; round++) {
    for (const [name, side] of [
      ['ours', ours],
      ['yardstick', bare],
    ] as const) {
      const [up, down] = [await rate(size, side.up), await rate(size, side.down)];
      await side.forget();
      if (round < 0) continue;
      rates.up[name].push(up);
      rates.down[name].push(down);
    }
  }
  const both = ({ ours, yardstick }: { ours: number[]; yardstick: number[] }) => ({
    ours: median(ours),
    yardstick: median(yardstick),
  });
  const note = `attachments: ${size / mebibyte} MiB, medians of ${rounds}; client, edge and service share ${availableParallelism()} cores; ours is sealed by the client and again by the island, and every part is on the disk before it is answered`;
  return { up: both(rates.up), down: both(rates.down), notes: [note] };
}

interface Side {
  up(): Promise<void>;
  /** What went up last. */
  down(): Promise<void>;
  forget(): Promise<void>;
}

async function rate(size: number, work: () => Promise<void>): Promise<number> {
  globalThis.gc?.();
  const since = performance.now();
  await work();
  return size / mebibyte / ((performance.now() - since) / 1000);
}

async function write(path: string, size: number): Promise<void> {
  await using file = await open(path, 'w');
  for (let at = 0; at < size; at += mebibyte) await file.write(randomBytes(mebibyte));
  await file.sync();
}

async function islandSide(folder: string, file: string, held: AsyncDisposableStack): Promise<Side> {
  const island = held.use(await raiseIsland());
  const storage = memoryStorage();
  const joining = { storage, platform: nodePlatform, now: Date.now };
  const link = await island.joinLink(1);
  const account = openAccount(
    (await register(joining, link, 'alice', { password: 'a pass phrase' })).account,
  );
  const transport = held.use(nodePlatform.transport(account.pinned));
  const session = openSession({ ...joining, transport, account });
  const wallet = openWallet({ storage, session, transport, now: Date.now });
  const to = join(folder, 'fetched');
  let descriptor: AttachmentDescriptor | undefined;
  const last = (): AttachmentDescriptor => {
    if (descriptor === undefined) throw new Error('nothing was sent');
    return descriptor;
  };
  return {
    async up() {
      await using source = await fileSource(file);
      descriptor = await uploadAttachment({
        transport,
        storage,
        tokens: (count, batchOf) => wallet.take(tokenClasses.media, count, batchOf),
        source,
        name: 'file',
        mime: 'application/octet-stream',
      });
    },
    down: () => downloadAttachment({ transport, descriptor: last(), to }),
    async forget() {
      await rm(to, { force: true });
      await deleteAttachment({ transport, descriptor: last() });
    },
  };
}

async function bareSide(folder: string, file: string, held: AsyncDisposableStack): Promise<Side> {
  const chain = await makeChain(['localhost']);
  const program = join(import.meta.dirname, 'peers/https-sink.ts');
  const sink = spawn(process.execPath, [program, folder], {
    env: childEnvironment({}),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  sink.stdin.end(JSON.stringify({ key: chain.key, cert: chain.certificates }));
  const ended = once(sink, 'close');
  held.defer(async () => {
    sink.kill('SIGTERM');
    await ended;
  });
  const [line] = await once(createInterface({ input: sink.stdout }), 'line');
  const to = { host: 'localhost', port: Number(line), ca: chain.root };
  const fetched = join(folder, 'bare');
  return {
    async up() {
      const asked = request({ ...to, method: 'PUT' });
      const answered = once(asked, 'response');
      await pipeline(createReadStream(file, { highWaterMark: 65_536 }), asked);
      const [response] = await answered;
      response.resume();
      await once(response, 'end');
    },
    async down() {
      const asked = request({ ...to, method: 'GET' });
      asked.end();
      const [response] = await once(asked, 'response');
      await using out = await open(fetched, 'w');
      for await (const chunk of response) await out.write(chunk);
      await out.sync();
    },
    forget: () => rm(fetched, { force: true }),
  };
}

let measured: Promise<Figures> | undefined;
const figures = (effort: Effort): Promise<Figures> => {
  measured ??= run(effort);
  return measured;
};

const common = {
  unit: 'MiB a second',
  better: 'higher' as const,
  yardstickName: 'a bare Node HTTPS server that writes to disk',
};

export const scenarios: readonly Scenario[] = [
  {
    ...common,
    name: 'attachments: up',
    target: 0.8,
    async measure(effort) {
      const { up, notes } = await figures(effort);
      return { ...up, notes };
    },
  },
  {
    ...common,
    name: 'attachments: down',
    target: 0.8,
    measure: async (effort) => (await figures(effort)).down,
  },
];
