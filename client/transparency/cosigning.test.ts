/** What a device signs as a witness, and what it refuses: a log that can lie, real storage. docs/protocol/transparency.md §7.6 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyEvidence } from '@island/protocol/transparency/conviction.ts';
import { cosignatureTime, verifierOf } from '@island/protocol/transparency/cosignature.ts';
import {
  addSignatures,
  parseNote,
  parseSignatureLines,
  parseVkey,
} from '@island/protocol/transparency/note.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { type TestLog, testLogOf } from '../../services/witness/testing/log.ts';
import { fileStorage } from '../storage/file.ts';
import { encodeRecord } from '../storage/record.ts';
import type { Storage } from '../storage/storage.ts';
import type { Transport } from '../transport/transport.ts';
import { type CosigningParts, cosign } from './cosigning.ts';
import { headPlace } from './head.ts';
import { latch, readLatch } from './latch.ts';
import { replacePins } from './pins.ts';
import { readWitness, retiredWitness, turnOff, turnOn } from './witness-key.ts';
import { openWitnessing } from './witnessing.ts';

const log = testLogOf(`pi-kt/${'a'.repeat(26)}`);
const none = new AbortController().signal;

/** A device with a home of its own, and an island that shows it what a test wants. */
async function device() {
  const dir = mkdtempSync(join(tmpdir(), 'member-witness-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const storage = fileStorage(dir);
  t.teardown(() => storage[Symbol.asyncDispose]());
  const pins = { vkey: log.vkey, vrf: new Uint8Array(32), policy: '', policyNumber: 1 };
  await replacePins(storage, pins);
  const { vkey } = await turnOn(storage, log.vkey);
  const island = {
    now: 1_800_000_000_000,
    /** What is to be signed. */
    shown: log as TestLog,
    size: 0,
    /** In place of the note, and of the proof's beginning. */
    note: undefined as string | undefined,
    old: undefined as number | undefined,
    /** What came back: sizes and signature lines; newer checkpoints. */
    signatures: [] as { size: number; line: string }[],
    newer: [] as string[],
    /** Before the answer to a signature goes out, and before each request is answered. */
    onSignature: async () => undefined as unknown,
    onRequest: async () => undefined as unknown,
  };
  const call = async (name: string, asked: Record<string, unknown>) => {
    if (name === 'witnessSignature') {
      island.signatures.push({ size: Number(asked['size']), line: String(asked['signature']) });
      await island.onSignature();
      return {};
    }
    if (name === 'witnessNewest') {
      island.newer.push(String(asked['newest']));
      return {};
    }
    await island.onRequest();
    if (island.size === 0) return {};
    const old = Math.min(island.old ?? Number(asked['old']), island.size);
    const request = Buffer.from(await island.shown.request(old, island.size)).toString();
    const at = request.indexOf('\n\n') + 2;
    return { request: request.slice(0, at) + (island.note ?? request.slice(at)) };
  };
  const transport = { address: 'https://island', apart: async () => ({ status: 404 }) };
  const parts: CosigningParts = {
    storage,
    session: {
      call: call as unknown as CosigningParts['session']['call'],
      transport: transport as unknown as Transport,
    },
    now: () => island.now,
  };
  const asks = (size: number, shown = log) => {
    Object.assign(island, { size, shown });
    return cosign(parts, none);
  };
  return { storage, island, vkey, asks, parts };
}

/** What the device's own client accepted. */
const accept = async (storage: Storage, size: number, from = log) =>
  storage.commit({
    put: [
      {
        ...headPlace,
        bytes: encodeRecord({
          ...{ size, root: await from.root(size), epoch: 0 },
          note: await from.checkpoint(size),
        }),
      },
    ],
  });

t.test('K1: a device signs what grew, with the time, after it was kept', async (t) => {
  const { storage, island, vkey, asks } = await device();
  t.equal(await asks(0), 'nothing');
  const kept: number[] = [];
  island.onSignature = async () => kept.push((await readWitness(storage))?.signed.size ?? 0);
  for (const size of [3, 8, 8, 13]) t.equal(await asks(size), 'signed');
  t.same(kept, [3, 8, 8, 13], 'before it left');
  for (const { size, line } of island.signatures) {
    const { text } = parseNote(await log.checkpoint(size));
    const [signature] = parseSignatureLines(line);
    t.ok(signature && verifierOf(parseVkey(vkey)).verify(text, signature.signature));
    t.equal(signature && cosignatureTime(signature.signature), 1_800_000_000);
  }
  island.now = 1_700_000_000_000;
  await asks(14);
  const [last] = parseSignatureLines(island.signatures.at(-1)?.line ?? '');
  t.equal(last && cosignatureTime(last.signature), 1_800_000_000, 'a clock that was put back');
  await turnOff(storage);
  t.equal(await asks(20), 'nothing', 'off');
  await turnOn(storage, log.vkey);
  t.equal((await readWitness(storage))?.vkey, vkey);
  t.equal((await readWitness(storage))?.signed.size, 14, 'the same witness');
});

t.test(
  'K2: a fork that a member witness is shown is refused with evidence, and stays refused',
  async (t) => {
    const { storage, island, asks } = await device();
    await asks(8);
    const fork = log.fork(5);
    await t.rejects(asks(8, fork), { code: 'directory_contradicted' });
    const evidence = (await readLatch(storage))?.evidence ?? '';
    t.equal(verifyEvidence(evidence, { vkey: log.vkey }).kind, 'fork');
    await t.rejects(asks(13), { code: 'directory_contradicted' }, 'nothing more is signed');
    t.equal(island.signatures.length, 1);
  },
);

t.test('K2: another history at a larger size is refused', async (t) => {
  const { storage, island, asks } = await device();
  await asks(8);
  await t.rejects(asks(13, log.fork(5)), { code: 'witness_refused' });
  island.note = await testLogOf('pi-kt/other').checkpoint(13);
  await t.rejects(asks(13), { code: 'witness_refused' }, 'another log');
  island.note = (await testLogOf('forger').checkpoint(13)).replaceAll('forger', log.origin);
  await t.rejects(asks(13), { code: 'witness_refused' }, 'another key');
  island.note = 'nothing';
  await t.rejects(asks(13), { code: 'witness_refused' });
  island.note = undefined;
  island.old = 5;
  await t.rejects(asks(13), { code: 'witness_refused' }, 'from another size than was asked');
  t.equal((await readWitness(storage))?.signed.size, 8);
  t.equal(island.signatures.length, 1);
});

t.test(
  'K2: an island that was put back is shown the larger checkpoint, and gets nothing',
  async (t) => {
    const { storage, island, asks } = await device();
    await asks(8);
    t.equal(await asks(5), 'behind');
    t.match(island.newer, [/^pi-kt\/a{26}\n8\n/]);
    await accept(storage, 13);
    t.equal(await asks(9), 'behind', 'also of what its client alone has seen');
    t.match(island.newer[1], /\n13\n/);
    t.equal(island.signatures.length, 1);
  },
);

t.test('K2: what its own client has accepted has to be in what it signs', async (t) => {
  const { storage, island, asks } = await device();
  await accept(storage, 8);
  t.equal(await asks(13), 'signed');
  const other = await device();
  await accept(other.storage, 8, log.fork(5));
  await t.rejects(other.asks(13), { code: 'witness_refused' }, 'larger');
  await t.rejects(other.asks(8), { code: 'directory_contradicted' }, 'of one size');
  t.equal(other.island.signatures.length, 0);
  const third = await device();
  await third.asks(8);
  await accept(third.storage, 8, log.fork(5));
  await t.rejects(third.asks(13), { code: 'directory_contradicted' }, 'two pasts');
  t.equal(island.signatures.length, 1);
});

t.test(
  'pitfall: two that sign at once: one is refused, whatever the island shows to whom',
  async (t) => {
    const { storage, island, asks } = await device();
    await asks(5);
    island.onRequest = async () => {
      island.onRequest = async () => undefined;
      // Another process of this home signs in between.
      t.equal(await asks(13), 'signed');
      Object.assign(island, { size: 9, shown: log });
    };
    await t.rejects(asks(9), { name: 'Conflict' });
    t.same(
      island.signatures.map(({ size }) => size),
      [5, 13],
    );
    t.equal((await readWitness(storage))?.signed.size, 13);
  },
);

t.test(
  'pitfall: a home that was put back signs nothing more with a key that knows better',
  async (t) => {
    const { storage, island, vkey, asks } = await device();
    await asks(5);
    const copy = (await storage.list('witness')).map(({ key, bytes }) => ({ key, bytes }));
    await asks(13);
    const line = parseSignatureLines(island.signatures.at(-1)?.line ?? '');
    await storage.commit({ put: copy.map((row) => ({ namespace: 'witness', ...row })) });
    island.note = addSignatures(await log.checkpoint(13), line);
    await t.rejects(asks(13), { code: 'witness_put_back' });
    t.match(await readWitness(storage), { on: false, vkey });
    t.equal((await readWitness(storage))?.cosigner, undefined);
    island.note = undefined;
    t.equal(await asks(13), 'nothing');
    t.not((await turnOn(storage, log.vkey)).vkey, vkey, 'turned on again it is another witness');
    t.equal(await asks(20), 'signed');
  },
);

t.test('pitfall: the same, where its client has accepted what it signed', async (t) => {
  const { storage, island, asks } = await device();
  await asks(5);
  const copy = (await storage.list('witness')).map(({ key, bytes }) => ({ key, bytes }));
  await asks(13);
  const line = parseSignatureLines(island.signatures.at(-1)?.line ?? '');
  await storage.commit({ put: copy.map((row) => ({ namespace: 'witness', ...row })) });
  await accept(storage, 13);
  const note = addSignatures(await log.checkpoint(13), line);
  const head = { size: 13, root: await log.root(13), epoch: 0, note };
  await storage.commit({ put: [{ ...headPlace, bytes: encodeRecord(head) }] });
  await t.rejects(asks(20), { code: 'witness_put_back' });
  t.equal((await readWitness(storage))?.on, false);
});

t.test('K2: a directory that is caught while it asks gets nothing', async (t) => {
  const { storage, island, asks } = await device();
  island.onRequest = async () => {
    await latch(storage, new TransparencyFault('forked'), 0);
  };
  await t.rejects(asks(5), { name: 'Conflict' });
  t.same(island.signatures, []);
  t.equal((await readWitness(storage))?.signed.size, 0);
});

t.test('pitfall: a home that was put back has no key of before', async (t) => {
  const { storage, vkey, asks } = await device();
  await asks(5);
  await storage.commit(await retiredWitness(storage));
  t.match(await readWitness(storage), { on: false, vkey, cosigner: undefined });
  t.same(
    (await storage.list('witness')).map(({ key }) => key),
    ['key'],
    'and of what it signed',
  );
  t.equal(await asks(8), 'nothing');
});

t.test(
  'K1: an island that asks for what is not signed again and again is told of once',
  async (t) => {
    const { island, parts } = await device();
    const told: string[] = [];
    const stop = new AbortController();
    const witnessing = openWitnessing({ ...parts, onRefused: (error) => told.push(error.message) });
    Object.assign(island, { size: 8, note: 'nothing\n1\n\n' });
    const running = witnessing.run(stop.signal);
    for (let asked = 1; asked <= 3; asked++) {
      const heard = Promise.withResolvers<void>();
      island.onRequest = async () => heard.resolve();
      if (asked === 1) witnessing.connected(() => undefined);
      else witnessing.asked();
      await heard.promise;
    }
    await eventually(() => told.length > 0);
    stop.abort();
    await running;
    t.equal(told.length, 1);
  },
);
