import t from 'tap';
import { faults, isFaultCode } from './fault.ts';
import {
  type ClientFrame,
  decodeClientFrame,
  decodeServerFrame,
  encodeClientFrame,
  encodeServerFrame,
  faultFrame,
  type ServerFrame,
} from './frames.ts';
import { accountId, channelId, deviceId, envelopeId, spaceId } from './ids.ts';
import { limits } from './limits.ts';
import { fuzzDecoder } from './testing/decoder-fuzz.ts';

const channel = channelId('0c'.repeat(16));
const space = spaceId('0d'.repeat(16));
const account = accountId('0a'.repeat(16));
const post = Uint8Array.of(5, 6, 7);
const fromClient: ClientFrame[] = [
  { type: 'hello', access: 'header.payload.signature' },
  { type: 'ack', seq: 2 ** 40 },
  { type: 'ping', nonce: 0 },
  { type: 'witness', vkey: 'pi-kt/a/member/b+0a0b0c0d+BA==' },
  { type: 'post', request: 1, channel, lists: 3, post },
  { type: 'watch', channels: [channel, channelId('0e'.repeat(16))] },
  { type: 'unwatch', channels: [channel] },
  { type: 'typing', channel, began: true },
  { type: 'typing', channel, began: false },
  { type: 'presence', state: 'away' },
];
const id = envelopeId('0b'.repeat(16));
const placed = { seq: 9, accepted: 5, author: account, device: deviceId(2) };
const fromServer: ServerFrame[] = [
  { type: 'ready', account, device: deviceId(1), head: 12 },
  { type: 'envelope', seq: 13, id, request: false, body: Uint8Array.of(1, 2, 3) },
  { type: 'envelope', seq: 14, id, request: true, body: Uint8Array.of(4) },
  { type: 'fault', code: 'rate_limited', text: 'Slower.' },
  { type: 'pong', nonce: Number.MAX_SAFE_INTEGER },
  { type: 'cosign', size: 1_000_003 },
  { type: 'posted', request: 0xffff_ffff, seq: 9 },
  { type: 'refused', request: 7, channel, code: 'lists_stale', number: 4 },
  { type: 'post', channel, item: { ...placed, post } },
  { type: 'post', channel, item: { ...placed, gone: new Uint8Array(32).fill(8) } },
  { type: 'space', space, seq: 5, lists: 6 },
  { type: 'typing', channel, account, began: true },
  { type: 'presence', space, account, state: 'off' },
  { type: 'behind', channel, seq: 0 },
  { type: 'watching', channel, head: 77 },
  { type: 'removed', channel, seqs: [1, 2 ** 40] },
];

t.test('every frame comes back as it was encoded', async (t) => {
  for (const frame of fromClient) t.same(decodeClientFrame(encodeClientFrame(frame)), frame);
  for (const frame of fromServer) t.same(decodeServerFrame(encodeServerFrame(frame)), frame);
});

t.test('T6: the largest envelope fits into one frame', async (t) => {
  const body = new Uint8Array(limits.envelopeBytes);
  const frame = encodeServerFrame({ type: 'envelope', seq: 1, id, request: true, body });
  t.ok(frame.length <= limits.frameBytes);
});

t.test('T6: the largest post fits into one frame, in both directions', async (t) => {
  const largest = new Uint8Array(limits.postBytes);
  const sent = encodeClientFrame({ type: 'post', request: 1, channel, lists: 0, post: largest });
  t.ok(sent.length <= limits.frameBytes);
  const told = encodeServerFrame({ type: 'post', channel, item: { ...placed, post: largest } });
  t.ok(told.length <= limits.frameBytes);
  const above = {
    type: 'post',
    request: 1,
    channel,
    lists: 0,
    post: new Uint8Array(8449),
  } as const;
  t.throws(() => decodeClientFrame(encodeClientFrame(above)), { code: 'too_large' });
});

t.test('a WATCH names 1 to 64 channels, a POST has a request other than 0', async (t) => {
  for (const count of [0, 65]) {
    const channels = Array.from({ length: count }, () => channel);
    const frame = encodeClientFrame({ type: 'watch', channels });
    t.throws(() => decodeClientFrame(frame), { code: 'malformed' });
  }
  const none = encodeClientFrame({ type: 'post', request: 0, channel, lists: 0, post });
  t.throws(() => decodeClientFrame(none), { code: 'malformed' });
});

t.test('T6: a client frame of 16 KiB and one byte is refused before it is looked at', async (t) => {
  const frame = new Uint8Array(limits.frameBytes + 1);
  t.throws(() => decodeClientFrame(frame), { name: 'Fault', code: 'too_large' });
});

t.test('a frame of the other direction is an unknown type', async (t) => {
  for (const frame of fromServer) {
    const bytes = encodeServerFrame(frame);
    t.throws(() => decodeClientFrame(bytes), { name: 'Fault', code: 'unknown_type' });
  }
  for (const frame of fromClient) {
    const bytes = encodeClientFrame(frame);
    t.throws(() => decodeServerFrame(bytes), { name: 'Fault', code: 'unknown_type' });
  }
});

t.test('a flag of an envelope that does not exist is refused', async (t) => {
  const body = Uint8Array.of(1);
  const frame = encodeServerFrame({ type: 'envelope', seq: 1, id, request: true, body });
  frame[2 + 8 + 16] = 2;
  t.throws(() => decodeServerFrame(frame), { name: 'Fault', code: 'malformed' });
});

t.test('every fault has a frame, and a code that is not in the table has none', async (t) => {
  for (const code of Object.keys(faults)) {
    if (!isFaultCode(code)) continue;
    t.same(decodeServerFrame(faultFrame(code)), { type: 'fault', code, text: faults[code].text });
  }
  const known = encodeServerFrame({ type: 'fault', code: 'internal', text: '' });
  known[4] = 'X'.charCodeAt(0);
  t.throws(() => decodeServerFrame(known), { name: 'Fault', code: 'malformed' });
});

t.test('fuzz: the client-frame decoder throws faults only', async (t) => {
  await fuzzDecoder(t, {
    decode: decodeClientFrame,
    encode: encodeClientFrame,
    samples: fromClient.map(encodeClientFrame),
  });
});

t.test('fuzz: the server-frame decoder throws faults only', async (t) => {
  await fuzzDecoder(t, {
    decode: decodeServerFrame,
    encode: encodeServerFrame,
    samples: fromServer.map(encodeServerFrame),
  });
});
