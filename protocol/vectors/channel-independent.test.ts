/** The vectors of channels read by somebody who has only the document: other libraries, no code of `crypto/`. */
import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import t from 'tap';
import { hex, type Json, join, read, text, u32 } from './testing/stranger.ts';

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const u64 = (value: number): Uint8Array => join(u32(Math.floor(value / 2 ** 32)), u32(value >>> 0));
const u16 = (value: number): Uint8Array => u32(value).subarray(2);
const step = (key: Uint8Array, by: number) => hmac(sha256, key, Uint8Array.of(by));

function padded(plaintext: Uint8Array): Uint8Array {
  const size = [256, 512, 1024, 2048, 4096, 8192].find((each) => plaintext.length < each) ?? 0;
  const out = new Uint8Array(size);
  out.set(join(plaintext, Uint8Array.of(0x80)));
  return out;
}

t.test('channel.md §5, §6: every post, from the chain key on', async (t) => {
  const { chain, author, device, logSeq, logHash, posts } = await read('channel');
  const signing = hex(chain.signingSeed);
  t.equal(toHex(ed25519.getPublicKey(signing)), chain.signing);
  let key = hex(chain.chainKey);
  let prev: Uint8Array = new Uint8Array(32);
  for (const [i, each] of posts.entries()) {
    const messageKey = step(key, 1);
    key = step(key, 2);
    t.equal(toHex(messageKey), each.messageKey);
    const post = hex(each.post);
    const nonce = post.subarray(78, 94);
    const places = join(hex(chain.channel), u64(logSeq), hex(chain.chain), u32(i));
    const header = join(Uint8Array.of(1, 0xa1), places, prev, nonce);
    const keys = hkdf(sha256, messageKey, nonce, text('PI/1/SK/MK'), 76);
    const ad = join(text('PI/1/SK\0'), header, hex(author), u32(device), hex(logHash));
    const plain = padded(hex(each.plaintext));
    const input = join(text('PI/1/sig/channel-post\0'), sha256(ad), plain);
    const signed = join(ed25519.sign(input, signing), plain);
    const all = join(ad, keys.subarray(44));
    const sealed = chacha20poly1305(keys.subarray(0, 32), keys.subarray(32, 44), all).encrypt(
      signed,
    );
    t.equal(toHex(join(header, keys.subarray(44), u16(sealed.length), sealed)), each.post);
    prev = sha256(join(text('PI/1/hash/post\0'), post));
    t.equal(toHex(prev), each.hash);
  }
});

t.test('channel.md §7: the running hash of the feed', async (t) => {
  const { posts } = await read('channel');
  let feed: Uint8Array = new Uint8Array(32);
  for (const { item, feed: expected } of posts) {
    const who = join(hex(item.author), u32(item.device), hex(item.leaf));
    const fields = join(feed, u64(item.seq), u64(item.accepted), who);
    feed = sha256(join(text('PI/1/hash/feed\0'), fields));
    t.equal(toHex(feed), expected);
  }
});

const place = (each: Json): Uint8Array =>
  join(
    join(hex(each.chain), u32(each.iteration), hex(each.chainKey)),
    join(hex(each.signing), hex(each.prev)),
  );

t.test('channel.md §8: what a device is given', async (t) => {
  const { given } = await read('channel');
  const [key, wanted] = given;
  const { body } = key;
  const log = join(u64(body.epoch), u64(body.logSeq), hex(body.logHash));
  const home = join(hex(body.space), hex(body.channel));
  t.equal(toHex(join(Uint8Array.of(0x0f), home, log, place(body))), key.bytes);
  t.equal(toHex(join(Uint8Array.of(0x10), home, hex(wanted.body.chain))), wanted.bytes);
});

t.test('channel.md §9: a bundle, a report, and the report sealed', async (t) => {
  const { bundle, bundleBytes, dsk, report, reportBytes, dik, reader, device, sealed } =
    await read('channel');
  const home = join(hex(bundle.space), hex(bundle.channel));
  const who = join(hex(bundle.sharer), u32(bundle.device), hex(bundle.recipient));
  const [chain] = bundle.chains;
  const shared = join(hex(chain.author), u32(chain.device), u64(chain.epoch), place(chain));
  const fields = join(Uint8Array.of(1, 0xa4), home, who, Uint8Array.of(1), shared);
  const input = join(text('PI/1/sig/channel-history\0'), fields);
  t.equal(toHex(join(fields, ed25519.sign(input, hex(dsk.seed)))), bundleBytes);

  const posts = report.posts.map((each: Json) => join(u64(each.seq), hex(each.messageKey)));
  const words = text(report.comment);
  const about = join(Uint8Array.of(posts.length), ...posts, Uint8Array.of(2), u16(words.length));
  t.equal(toHex(join(Uint8Array.of(1, 0xa3), home, about, words)), reportBytes);

  const bytes = hex(sealed);
  const head = bytes.subarray(0, -101);
  const slot = bytes.subarray(-100);
  t.equal(toHex(slot.subarray(0, 20)), toHex(join(hex(reader), u32(device))));
  const ephemeral = slot.subarray(20, 52);
  const label = text('PI/1/report-slot');
  const secret = x25519.getSharedSecret(hex(dik.private), ephemeral);
  const slotKeys = hkdf(sha256, secret, join(label, hex(dik.public), ephemeral), label, 44);
  const slotAd = join(sha256(head), slot.subarray(0, 20));
  const cek = chacha20poly1305(slotKeys.subarray(0, 32), slotKeys.subarray(32), slotAd).decrypt(
    slot.subarray(52),
  );
  const nonce = head.subarray(2, 26);
  const keys = hkdf(sha256, cek, nonce, text('PI/1/report'), 64);
  t.equal(toHex(keys.subarray(32)), toHex(head.subarray(26, 58)));
  const body = xchacha20poly1305(keys.subarray(0, 32), nonce, head.subarray(0, 58));
  t.equal(toHex(body.decrypt(head.subarray(60))), reportBytes);
});
