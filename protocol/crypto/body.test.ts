import * as fc from 'fast-check';
import t from 'tap';
import { accountId } from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { hex } from '../wire/text.ts';
import { type Body, decodeBody, encodeBody } from './body.ts';
import { channelKeyOf } from './sender-chain.ts';
import { annsChain, channel, log, space } from './testing/channel.ts';
import type { TextBody } from './text-body.ts';

const id = Uint8Array.from({ length: 16 }, (_, i) => i);
const peer = accountId('0b'.repeat(16));
const target = { whose: 'yours', id } as const;
const samples: Body[] = [
  { kind: 'text', text: 'Grüezi' },
  {
    kind: 'text',
    text: '@bob ja',
    reply: target,
    mentions: [{ account: peer, start: 0, length: 4 }],
    timer: 60,
    attachments: [id, id],
  },
  { kind: 'text', text: '', attachments: [id] },
  { kind: 'text', text: 'ja', timer: 60, seen: { size: 3, root: new Uint8Array(32).fill(9) } },
  { kind: 'edit', id, revision: 3, text: 'doch' },
  { kind: 'delete', id },
  { kind: 'reaction', target, put: false, emoji: '👩🏽‍🚀' },
  { kind: 'receipt', read: false, ids: [id, id] },
  { kind: 'typing', began: false },
  { kind: 'timer', seconds: 0 },
  { kind: 'delivery-key', epoch: 7, key: id },
  { kind: 'resync', session: id, failed: [new Uint8Array(32)] },
  { kind: 'sync', peer, peerName: 'bob', plaintext: id },
  { kind: 'marks', marks: [{ peer, readUpTo: 1_795_000_000_000 }] },
  { kind: 'contact', state: 'unblocked' },
  { kind: 'empty' },
  {
    kind: 'resent',
    fates: [
      { hash: new Uint8Array(32), fate: 'follows', id },
      { hash: new Uint8Array(32).fill(1), fate: 'nothing' },
      { hash: new Uint8Array(32).fill(2), fate: 'gone' },
    ],
  },
  channelKeyOf(annsChain('body'), log),
  { kind: 'channel-key-wanted', space, channel, chain: id },
  { kind: 'channel-history', bundle: id },
  { kind: 'channel-marks', marks: [{ channel, readUpTo: 2 ** 40 }] },
];
const malformed = { name: 'Fault', code: 'malformed' };
const tooLarge = { name: 'Fault', code: 'too_large' };

t.test('every kind of body comes back as it was', async (t) => {
  for (const body of samples) t.same(decodeBody(encodeBody(body)), body, body.kind);
});

t.test('a kind that this version does not know is unknown', async (t) => {
  for (const kind of [0, 0x13, 0xff])
    t.throws(() => decodeBody(Uint8Array.of(kind)), { name: 'Fault', code: 'unknown_type' });
});

t.test('bodies out of form are refused by whoever writes and whoever reads them', async (t) => {
  const root = new Uint8Array(32);
  const mention = { account: peer, start: 0, length: 2 };
  const key = channelKeyOf(annsChain('body'), log);
  const smallOrder = Uint8Array.of(1, ...new Uint8Array(31));
  const wrong: [string, Body, { code: string }][] = [
    ['nothing said', { kind: 'text', text: '' }, malformed],
    ['half a surrogate', { kind: 'text', text: '\ud800' }, malformed],
    ['a text too long', { kind: 'text', text: 'x'.repeat(limits.textBytes + 1) }, tooLarge],
    ['a mention past the end', { kind: 'text', text: 'x', mentions: [mention] }, malformed],
    [
      'mentions over each other',
      { kind: 'text', text: 'xyz', mentions: [mention, { ...mention, start: 1 }] },
      malformed,
    ],
    ['an empty list of mentions', { kind: 'text', text: 'x', mentions: [] }, malformed],
    ['a life of no seconds', { kind: 'text', text: 'x', timer: 0 }, malformed],
    ['five attachments', { kind: 'text', text: 'x', attachments: [id, id, id, id, id] }, tooLarge],
    ['seen of an empty log', { kind: 'text', text: 'x', seen: { size: 0, root } }, malformed],
    ['seen of half an entry', { kind: 'text', text: 'x', seen: { size: 1.5, root } }, malformed],
    ['a short root', { kind: 'text', text: 'x', seen: { size: 1, root: id } }, malformed],
    ['an edit to nothing', { kind: 'edit', id, revision: 1, text: '' }, malformed],
    ['a short id', { kind: 'delete', id: id.subarray(1) }, malformed],
    ['words as a reaction', { kind: 'reaction', target, put: true, emoji: 'yes' }, malformed],
    ['a line break', { kind: 'reaction', target, put: true, emoji: '\n' }, malformed],
    [
      'a reaction too long',
      { kind: 'reaction', target, put: true, emoji: '👍'.repeat(9) },
      tooLarge,
    ],
    ['no receipts', { kind: 'receipt', read: true, ids: [] }, malformed],
    ['too many', { kind: 'receipt', read: true, ids: Array<Uint8Array>(65).fill(id) }, tooLarge],
    ['a timer of two years', { kind: 'timer', seconds: 63_072_000 }, malformed],
    ['a chain of no epoch', { ...key, epoch: 0 }, malformed],
    ['a chain of an epoch to come', { ...key, epoch: 8 }, malformed],
    ['something before the first post', { ...key, prev: new Uint8Array(32).fill(1) }, malformed],
    ['a short chain key', { ...key, chainKey: id }, malformed],
    ['a signing key of small order', { ...key, signing: smallOrder }, { code: 'not_canonical' }],
    ['no history', { kind: 'channel-history', bundle: new Uint8Array(0) }, malformed],
    ['a key of 15 bytes', { kind: 'delivery-key', epoch: 1, key: id.subarray(1) }, malformed],
  ];
  for (const [why, body, fault] of wrong) t.throws(() => encodeBody(body), fault, why);
  t.throws(() => decodeBody(Uint8Array.of(0x01, 32, 0, 1, 0x78)), malformed, 'an unknown part');
  const seen = (size: number[]) => Uint8Array.of(0x01, 16, ...size, ...root, 0, 1, 0x78);
  t.same(decodeBody(seen([0, 0, 0, 0, 0, 0, 0, 1])), {
    ...{ kind: 'text', text: 'x' },
    seen: { size: 1, root },
  });
  t.throws(() => decodeBody(seen([0, 0, 0, 0, 0, 0, 0, 0])), malformed, 'of nothing');
  t.throws(() => decodeBody(seen([0, 32, 0, 0, 0, 0, 0, 0])), malformed, 'of 2^53 entries');
  t.throws(() => decodeBody(Uint8Array.of(0x06, 0)), malformed, 'neither began nor stopped');
  const fate = (...rest: number[]) => Uint8Array.of(0x0e, 1, ...new Uint8Array(32), ...rest);
  t.throws(() => decodeBody(fate(4, ...new Uint8Array(16))), malformed, 'a fourth fate');
  t.throws(() => decodeBody(fate(3, ...id)), malformed, 'an id of what is gone');
});

t.test('any text with any parts comes back as it was', async () => {
  const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 });
  const any = fc.record<TextBody>({
    kind: fc.constant('text'),
    text: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 500 }),
    reply: fc.record({ whose: fc.constantFrom('mine', 'yours'), id: bytes16 }),
    timer: fc.integer({ min: 1, max: 31_536_000 }),
    attachments: fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), {
      minLength: 1,
      maxLength: 4,
    }),
    seen: fc.record({
      size: fc.maxSafeInteger().filter((size) => size > 0),
      root: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    }),
  });
  await fc.assert(
    fc.property(
      any,
      (body) => hex(encodeBody(decodeBody(encodeBody(body)))) === hex(encodeBody(body)),
    ),
  );
});

t.test('fuzz: the decoder of bodies throws faults only', async (t) => {
  const encoded = samples.map(encodeBody);
  await fuzzDecoder(t, {
    decode: decodeBody,
    encode: encodeBody,
    samples: encoded,
    headless: true,
  });
});
