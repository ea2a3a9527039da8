import t from 'tap';
import { limits } from '../wire/limits.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { decodeBody, encodeBody } from './body.ts';
import { type ChannelBody, decodeChannelBody, encodeChannelBody } from './channel-body.ts';
import { decodePlaintext, encodePlaintext } from './plaintext.ts';
import { decodePostPlaintext, encodePostPlaintext } from './post-plaintext.ts';
import { channelKeyOf } from './sender-chain.ts';
import { ann, annsChain, bob, channel, log, now, space } from './testing/channel.ts';

const id = Uint8Array.from({ length: 16 }, (_, i) => i);
const target = { author: bob, id };
const seen = { seq: 9, hash: new Uint8Array(32).fill(9) };
const samples: ChannelBody[] = [
  { kind: 'text', text: 'Grüezi' },
  {
    kind: 'text',
    text: '@bob ja',
    reply: target,
    mentions: [{ account: bob, start: 0, length: 4 }],
    everyone: true,
    attachments: [id, id],
  },
  { kind: 'text', text: '', attachments: [id] },
  { kind: 'edit', id, revision: 3, text: 'doch' },
  { kind: 'delete', id },
  { kind: 'reaction', target, put: false, emoji: '👩🏽‍🚀' },
  { kind: 'pin', target, put: true },
];
const malformed = { name: 'Fault', code: 'malformed' };
const tooLarge = { name: 'Fault', code: 'too_large' };
const unknown = { name: 'Fault', code: 'unknown_type' };

t.test('every kind of body comes back as it was', async (t) => {
  for (const body of samples) {
    t.same(decodeChannelBody(encodeChannelBody(body)), body, body.kind);
    const plaintext = { id, sentAt: now, seen, body };
    t.same(decodePostPlaintext(encodePostPlaintext(plaintext)), plaintext, body.kind);
  }
});

t.test('bodies out of form are refused by whoever writes and whoever reads them', async (t) => {
  const wrong: [string, ChannelBody, { code: string }][] = [
    ['nothing said', { kind: 'text', text: '' }, malformed],
    ['a text too long', { kind: 'text', text: 'x'.repeat(limits.textBytes + 1) }, tooLarge],
    [
      'a mention past the end',
      { kind: 'text', text: 'x', mentions: [{ account: ann, start: 0, length: 2 }] },
      malformed,
    ],
    ['five attachments', { kind: 'text', text: 'x', attachments: [id, id, id, id, id] }, tooLarge],
    ['an edit to nothing', { kind: 'edit', id, revision: 1, text: '' }, malformed],
    ['a short id', { kind: 'delete', id: id.subarray(1) }, malformed],
    ['words as a reaction', { kind: 'reaction', target, put: true, emoji: 'yes' }, malformed],
  ];
  for (const [why, body, fault] of wrong) t.throws(() => encodeChannelBody(body), fault, why);
  t.throws(() => decodeChannelBody(Uint8Array.of(1, 16, 0, 1, 0x78)), malformed, 'unknown part');
  t.throws(() => decodeChannelBody(Uint8Array.of(5, ...id, ...id, 3)), malformed, 'neither');
});

t.test(
  'pitfall: SKDM over a sender key: no key of a chain fits into a post, no post into a message',
  async (t) => {
    const key = channelKeyOf(annsChain('confusion'), log);
    const bodies = [
      key,
      { kind: 'channel-key-wanted', space, channel, chain: id },
      { kind: 'channel-history', bundle: id },
    ] as const;
    const plain = { id, sentAt: now };
    for (const body of bodies) {
      t.same(decodeBody(encodeBody(body)), body, `${body.kind} in a message`);
      t.throws(() => decodeChannelBody(encodeBody(body)), unknown, `${body.kind} in a post`);
      const message = encodePlaintext({ ...plain, body });
      t.throws(
        () => decodePostPlaintext(message),
        unknown,
        `a message with ${body.kind} as a post`,
      );
      const post = encodePostPlaintext({ ...plain, seen, body: { kind: 'delete', id } });
      // The head of a post before the body of a message.
      const mixed = new Uint8Array([...post.subarray(0, 66), ...encodeBody(body)]);
      t.throws(() => decodePostPlaintext(mixed), unknown, `${body.kind} behind the head of a post`);
    }
    for (const body of samples) {
      const post = encodePostPlaintext({ ...plain, seen, body });
      t.throws(() => decodePlaintext(post), unknown, `${body.kind} of a post as a message`);
    }
  },
);

t.test('what was seen is nothing, or something', async (t) => {
  const body = samples[0] as ChannelBody;
  const hash = new Uint8Array(32);
  const plain = { id, sentAt: now, body };
  t.doesNotThrow(() => encodePostPlaintext({ ...plain, seen: { seq: 0, hash } }));
  t.throws(() => encodePostPlaintext({ ...plain, seen: { seq: 1, hash } }), malformed);
  t.throws(() => encodePostPlaintext({ ...plain, seen: { ...seen, seq: 0 } }), malformed);
  t.throws(() => encodePostPlaintext({ ...plain, id: id.subarray(1), seen }), malformed);
  const long = {
    kind: 'text',
    text: 'x'.repeat(8000),
    attachments: [new Uint8Array(200)],
  } as const;
  t.throws(() => encodePostPlaintext({ ...plain, seen, body: long }), tooLarge);
});

t.test('fuzz: the decoders of posts’ bodies and plaintexts throw faults only', async (t) => {
  await fuzzDecoder(t, {
    decode: decodeChannelBody,
    encode: encodeChannelBody,
    samples: samples.map(encodeChannelBody),
    headless: true,
  });
  await fuzzDecoder(t, {
    decode: decodePostPlaintext,
    encode: encodePostPlaintext,
    samples: samples.map((body) => encodePostPlaintext({ id, sentAt: now, seen, body })),
  });
});
