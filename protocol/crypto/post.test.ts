import * as fc from 'fast-check';
import t from 'tap';
import { seededRandom } from '../vectors/seeded.ts';
import { Reader, Writer } from '../wire/bytes.ts';
import { channelId, deviceId } from '../wire/ids.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { fromHex } from '../wire/text.ts';
import { pad } from './padding.ts';
import {
  decodePost,
  encodePost,
  linkOf,
  longestPost,
  openCiphertext,
  type Post,
  verifyPost,
} from './post.ts';
import { chacha, ed25519, hkdf } from './primitives.ts';
import { annHere, channel, mallory, plaintextOf } from './testing/channel.ts';

const random = seededRandom('post.test');
const messageKey = random(32);
const signing = ed25519.generate(random);
const padded = pad(plaintextOf('Grüezi'));
const head = {
  channel,
  logSeq: 7,
  chain: random(16),
  iteration: 3,
  prev: random(32),
  nonce: random(16),
};
const make = (over: Partial<typeof head> = {}, text = padded) =>
  encodePost({ ...head, ...over }, annHere, { messageKey, signing }, text);
const bytes = make();
const undecryptable = { name: 'CryptoFault', code: 'undecryptable' };
const malformed = { name: 'Fault', code: 'malformed' };

const encodeAgain = (post: Post): Uint8Array =>
  new Writer(600)
    .u8(1)
    .u8(0xa1)
    .raw(fromHex(post.channel))
    .u64(post.logSeq)
    .raw(post.chain)
    .u32(post.iteration)
    .raw(post.prev)
    .raw(post.nonce)
    .raw(post.commitment)
    .var16(post.ciphertext)
    .done();

t.test('a post comes back as it was, and its plaintext with its key', async (t) => {
  const post = decodePost(bytes);
  t.match(post, { ...head, bytes });
  const opened = openCiphertext(post, annHere, messageKey);
  verifyPost(opened, signing.public);
  t.same(opened.padded, padded);
  t.equal(decodePost(make({}, pad(new Uint8Array(8191)))).bytes.length, longestPost);
});

t.test('posts out of form are refused', async (t) => {
  const zeros = new Uint8Array(32);
  t.throws(() => decodePost(make({ logSeq: 0 })), malformed, 'of no log');
  t.throws(() => decodePost(make({ iteration: 0 })), malformed, 'something before the first');
  t.throws(() => decodePost(make({ prev: zeros })), malformed, 'nothing before the fourth');
  t.doesNotThrow(() => decodePost(make({ iteration: 0, prev: zeros })));
  t.throws(() => decodePost(make({}, padded.subarray(1))), malformed, 'no size of padding');
});

t.test(
  'pitfall: forged author: whoever has the key of a post cannot put another name on it',
  async (t) => {
    const post = decodePost(bytes);
    const others = [
      { ...annHere, author: mallory },
      { ...annHere, device: deviceId(2) },
    ];
    for (const other of others)
      t.throws(() => openCiphertext(post, other, messageKey), undecryptable);
    // Mallory may read the channel, so she can seal what she likes; sign for Ann she can't.
    const own = ed25519.generate(random);
    const forged = encodePost(head, annHere, { messageKey, signing: own }, padded);
    const opened = openCiphertext(decodePost(forged), annHere, messageKey);
    t.throws(() => verifyPost(opened, signing.public), { name: 'Fault', code: 'bad_signature' });
  },
);

t.test(
  'pitfall: forged log hash: a post for one fork of the log is none for the other',
  async (t) => {
    const fork = { ...annHere, logHash: new Uint8Array(32).fill(0x71) };
    t.throws(() => openCiphertext(decodePost(bytes), fork, messageKey), undecryptable);
    t.throws(
      () => openCiphertext(decodePost(bytes), { ...fork, logHash: head.nonce }, messageKey),
      malformed,
    );
  },
);

t.test('pitfall: a signature of one post is none of another with the same words', async (t) => {
  const opened = openCiphertext(decodePost(bytes), annHere, messageKey);
  const other = openCiphertext(decodePost(make({ iteration: 4 })), annHere, messageKey);
  t.throws(() => verifyPost({ ...other, signature: opened.signature }, signing.public), {
    code: 'bad_signature',
  });
});

t.test('pitfall: key commitment: one ciphertext opens under one key only', async (t) => {
  // What Poly1305 would let through: sealed under the keys of another message key, committed to this one.
  const other = random(32);
  const from = new Reader(bytes);
  const before = from.raw(94);
  const commitment = from.raw(32);
  const keys = hkdf(head.nonce, other, 'PI/1/SK/MK', 76);
  const tail = new Writer(54).raw(fromHex(annHere.author)).u32(annHere.device).raw(annHere.logHash);
  const ad = new Writer(200)
    .raw(Buffer.from('PI/1/SK\0'))
    .raw(before)
    .raw(tail.done())
    .raw(commitment);
  const plain = new Writer(400).raw(random(64)).raw(padded).done();
  const sealed = chacha.seal(keys.subarray(0, 32), keys.subarray(32, 44), plain, ad.done());
  const two = decodePost(new Writer(600).raw(before).raw(commitment).var16(sealed).done());
  t.ok(chacha.open(keys.subarray(0, 32), keys.subarray(32, 44), two.ciphertext, ad.done()));
  t.throws(() => openCiphertext(two, annHere, other), undecryptable, 'the key that it opens under');
  t.throws(() => openCiphertext(two, annHere, messageKey), undecryptable);
});

t.test('no byte of a post can be changed', async () => {
  await fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ by;
      try {
        verifyPost(openCiphertext(decodePost(changed), annHere, messageKey), signing.public);
        return false;
      } catch (error) {
        return error instanceof Error && 'code' in error;
      }
    }),
  );
});

t.test('pitfall: gaps show: each post names the one before it', async (t) => {
  const second = decodePost(bytes);
  const third = decodePost(make({ iteration: 4, prev: second.hash }));
  t.equal(linkOf(undefined, second), 'gap');
  t.equal(linkOf(undefined, { iteration: 0, prev: new Uint8Array(32) }), 'first');
  t.equal(linkOf(second, third), 'follows');
  t.equal(linkOf(second, { ...third, iteration: 5 }), 'gap');
  t.equal(linkOf(second, { ...third, prev: head.prev }), 'broken', 'another one was there');
  t.equal(linkOf(third, second), 'broken', 'an older one');
  t.equal(channelId(third.channel), channel);
});

t.test('fuzz: the decoder of posts throws faults only', async (t) => {
  await fuzzDecoder(t, { decode: decodePost, encode: encodeAgain, samples: [bytes] });
});
