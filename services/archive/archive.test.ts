/** Archives over the bus: what is taken, what is refused, what is handed out. Real SQLite, real NATS. */

import { archiveRoutes } from '@island/protocol/wire/archive-routes.ts';
import type { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, deviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { decode } from '@island/protocol/wire/schema.ts';
import t from 'tap';
import { directory } from '../directory/contract.ts';
import { asText } from '../kit/http.ts';
import { testIsland } from '../kit/testing/kit.ts';
import { faultCode } from '../kit/testing/outcome.ts';
import { archive } from './contract.ts';
import { archiveService } from './service.ts';
import {
  listEpochNow,
  listOf,
  none,
  segmentAfter,
  somebody,
  type TestHead,
} from './testing/chain.ts';

const island = await testIsland(['gateway', 'accounts', 'archive']);
t.teardown(() => island[Symbol.asyncDispose]());
const { bus } = await island.kit('gateway');
const { bus: accounts } = await island.kit('accounts');
await island.start(archiveService);
const { bus: lists } = await island.kit('directory');
lists.handle(directory, 'current', async ({ account }) => ({ list: listOf(account) }));
await lists.settled();

const append = (account: AccountId, segment: Uint8Array, device = 1) =>
  bus.call(archive, 'append', { account, device: deviceId(device), segment });
const head = (account: AccountId) => bus.call(archive, 'head', { account });
const read = async (account: AccountId, after = 0) =>
  (await bus.call(archive, 'read', { account, after })).segments;
const refusal = (asked: Promise<unknown>): Promise<Fault> =>
  asked.then(
    () => Promise.reject(new Error('this was to be refused')),
    (fault: Fault) => fault,
  );

/** Appends `count` segments; what they are, and the head then. */
async function written(account: AccountId, count: number, bytes = 100) {
  let at: TestHead = none;
  const segments: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const next = segmentAfter(account, at, { bytes });
    await append(account, next.bytes);
    segments.push(next.bytes);
    at = next.head;
  }
  return { segments, head: at };
}

t.test(
  'A3: segments are handed out as they came, behind a number, and the head names the newest',
  async (t) => {
    const account = somebody();
    t.same(await head(account), none, 'nothing yet');
    t.same(await read(account), []);
    const { segments, head: last } = await written(account, 3);
    t.same(await head(account), last);
    t.same(await read(account), segments);
    t.same(await read(account, 2), segments.slice(2));
    t.same(await read(account, 3), []);
    t.same(await read(account, Number.MAX_SAFE_INTEGER), []);
    t.same(await read(somebody()), [], 'of another account nothing');
  },
);

t.test('A3: the very same newest segment again changes nothing', async (t) => {
  const account = somebody();
  const { segments, head: last } = await written(account, 2);
  const [first = new Uint8Array(), newest = new Uint8Array()] = segments;
  await Promise.all([append(account, newest), append(account, newest)]);
  t.same(await head(account), last);
  t.same(await read(account), segments);
  const older = await refusal(append(account, first));
  t.equal(older.code, 'archive_moved', 'an older one is not the newest');
  t.same(older.details, { seq: 2 });
});

t.test(
  'A3: what does not follow the newest segment is archive_moved with its number',
  async (t) => {
    const account = somebody();
    const { head: last, segments } = await written(account, 2);
    const cases: [string, TestHead][] = [
      ['another first', none],
      ['a fork', { seq: 1, hash: last.hash }],
      ['one left out', { seq: 3, hash: last.hash }],
      ['another hash', { seq: 2, hash: new Uint8Array(32).fill(1) }],
    ];
    for (const [what, at] of cases) {
      const fault = await refusal(append(account, segmentAfter(account, at).bytes));
      t.equal(fault.code, 'archive_moved', what);
      t.same(fault.details, { seq: 2 }, what);
    }
    t.same(await read(account), segments);
    const fresh = await refusal(append(somebody(), segments[0] ?? new Uint8Array()));
    t.equal(fresh.code, 'forbidden');
  },
);

t.test('A3: a segment is taken from the device that it names only, and in form only', async (t) => {
  const account = somebody();
  const { bytes } = segmentAfter(account, none, { device: 2 });
  t.equal(await faultCode(append(account, bytes, 1)), 'forbidden', 'of another device');
  t.equal(await faultCode(append(somebody(), bytes, 2)), 'forbidden', 'of another account');
  t.equal(await faultCode(append(account, bytes.subarray(0, -1), 2)), 'truncated');
  t.equal(await faultCode(append(account, Buffer.concat([bytes, bytes]), 2)), 'trailing_bytes');
  t.equal(await faultCode(append(account, new Uint8Array(), 2)), 'truncated');
  t.same(await head(account), none);
  await append(account, bytes, 2);
});

t.test(
  'A4 pitfall: a token without the device spoils no archive: nothing is kept that readers must refuse',
  async (t) => {
    const account = somebody();
    const { head: last } = await written(account, 1);
    const { bytes } = segmentAfter(account, last);
    const unsigned = bytes.slice();
    unsigned.set(new Uint8Array(64), unsigned.length - 64);
    t.equal(await faultCode(append(account, unsigned)), 'bad_signature');
    const changed = bytes.slice();
    changed.set([changed[200] === 0 ? 1 : 0], 200);
    t.equal(await faultCode(append(account, changed)), 'bad_signature');
    const device = limits.devices + 1;
    const gone = segmentAfter(account, last, { device });
    t.equal(await faultCode(append(account, gone.bytes, device)), 'forbidden', 'not on the list');
    const ahead = segmentAfter(account, last, { listEpoch: listEpochNow + 1 });
    t.equal(await faultCode(append(account, ahead.bytes)), 'forbidden', 'a list that is not');
    t.same(await head(account), last);
    await append(account, bytes);
  },
);

t.test(
  'A3 pitfall: epochs that fall: a device that has not heard of the newest list spoils no chain',
  async (t) => {
    const account = somebody();
    const first = segmentAfter(account, none, { listEpoch: 3, arkEpoch: 2 });
    await append(account, first.bytes);
    const after = (listEpoch: number, arkEpoch: number) =>
      append(account, segmentAfter(account, first.head, { listEpoch, arkEpoch }).bytes);
    t.equal(await faultCode(after(2, 2)), 'stale_list');
    t.equal(await faultCode(after(3, 1)), 'stale_record');
    await after(3, 2);
    t.equal((await head(account)).seq, 2);
  },
);

t.test(
  'A3: of 64 writings of the same segment number at once, by many devices, one gets it',
  async (t) => {
    const account = somebody();
    const before = await written(account, 1);
    const tries = Array.from({ length: 64 }, (_, at) =>
      segmentAfter(account, before.head, { device: (at % limits.devices) + 1 }),
    );
    const codes = await Promise.all(
      tries.map(({ bytes }, at) => faultCode(append(account, bytes, (at % limits.devices) + 1))),
    );
    t.equal(codes.filter((code) => code === 'resolved').length, 1);
    t.equal(codes.filter((code) => code === 'archive_moved').length, 63);
    const won = tries[codes.indexOf('resolved')];
    t.same(await head(account), won?.head);
    t.same(await read(account), [...before.segments, won?.bytes]);
  },
);

t.test('many people at once: each chain is whole', async (t) => {
  const people = Array.from({ length: 20 }, somebody);
  const all = await Promise.all(people.map((account) => written(account, 10)));
  for (const [at, account] of people.entries()) t.same(await read(account), all[at]?.segments);
});

t.test(
  'an answer with segments is no larger than a JSON body may be, and never empty before the end',
  async (t) => {
    const account = somebody();
    const { segments } = await written(account, 30, 30_000);
    const got: Uint8Array[] = [];
    for (
      let answer = await read(account);
      answer.length > 0;
      answer = await read(account, got.length)
    ) {
      const json = asText({ segments: answer });
      const size = JSON.stringify(json).length;
      t.ok(size <= limits.jsonBytes, `${answer.length} segments, ${size} bytes`);
      t.same(decode(archiveRoutes.archiveRead.answer, json), { segments: answer });
      got.push(...answer);
    }
    t.same(got, segments);
    const small = somebody();
    await written(small, 40, 1);
    t.equal((await read(small)).length, 40, 'many small ones in one answer');
  },
);

t.test(
  'an erased archive is empty at once and begins anew; repeated, erasing changes nothing',
  async (t) => {
    const account = somebody();
    const other = somebody();
    const theirs = await written(other, 2);
    const old = await written(account, 3);
    await accounts.call(archive, 'erase', { account, listEpoch: 5 });
    t.same(await head(account), none);
    t.same(await read(account), []);
    const late = segmentAfter(account, none, { listEpoch: 4 });
    t.equal(
      await faultCode(append(account, late.bytes)),
      'stale_list',
      'a device of the list before is too late',
    );
    const follows = segmentAfter(account, old.head, { listEpoch: 5 });
    t.equal(await faultCode(append(account, follows.bytes)), 'archive_moved');
    await accounts.call(archive, 'erase', { account, listEpoch: 5 });
    const fresh = segmentAfter(account, none, { listEpoch: 5 });
    await append(account, fresh.bytes);
    t.same(await read(account), [fresh.bytes]);
    t.same(await read(other), theirs.segments, 'nobody else notices');
    await accounts.call(archive, 'erase', { account: somebody() });
  },
);

t.test('nobody but the gateway writes or reads, nobody but accounts erases', async (t) => {
  const account = somebody();
  const { bytes } = segmentAfter(account, none);
  const device = deviceId(1);
  t.equal(
    await faultCode(accounts.call(archive, 'append', { account, device, segment: bytes })),
    'unavailable',
  );
  t.equal(await faultCode(accounts.call(archive, 'read', { account, after: 0 })), 'unavailable');
  t.equal(await faultCode(bus.call(archive, 'erase', { account })), 'unavailable');
});
