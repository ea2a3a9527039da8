import t from 'tap';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { admitChain } from './chain-admission.ts';
import {
  decodeReceivedChain,
  decodeSenderChain,
  encodeReceivedChain,
  encodeSenderChain,
} from './chain-storage.ts';
import { openRun } from './received-chain.ts';
import { channelKeyOf } from './sender-chain.ts';
import { annsChain, from, log, mallory, postAll, readerOf } from './testing/channel.ts';

const begun = annsChain('storage');
const { chain, posts } = postAll(begun, Array.from({ length: 70 }, String));
const reader = readerOf(begun);
const { chain: read } = openRun(reader, [...posts.slice(0, 3), ...posts.slice(60, 67)]);
const shared = admitChain([], channelKeyOf(chain, log), { ...from, sharedBy: mallory }).chain;

t.test('chains are stored and go on where they were', async (t) => {
  for (const each of [begun, chain]) t.same(decodeSenderChain(encodeSenderChain(each)), each);
  for (const each of [reader, read, shared])
    t.same(decodeReceivedChain(encodeReceivedChain(each)), each);
  const again = decodeReceivedChain(encodeReceivedChain(read));
  t.same(openRun(again, posts), openRun(read, posts));
  t.equal(encodeSenderChain(begun).length, 58 + 68 + 8 + 32 + 32);
  t.ok(encodeReceivedChain({ ...read, read: new Uint8Array(9).fill(1) }).length < 400);
});

t.test('fuzz: the decoders of stored chains throw faults only', async (t) => {
  await fuzzDecoder(t, {
    decode: decodeSenderChain,
    encode: encodeSenderChain,
    samples: [begun, chain].map(encodeSenderChain),
  });
  await fuzzDecoder(t, {
    decode: decodeReceivedChain,
    encode: encodeReceivedChain,
    samples: [reader, read, shared].map(encodeReceivedChain),
  });
});
