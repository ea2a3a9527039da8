/**
 * The vectors of tokens, sender certificates, safety numbers and attachments read by somebody who has only the
 * documents: other libraries, no code of `crypto/`. docs/protocol/encoding.md §7
 */
import { createHash } from 'node:crypto';
import { gcm } from '@noble/ciphers/aes.js';
import { ed25519, ristretto255_oprf } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import t from 'tap';
import { hex, type Json, join, read, text, u32 } from './testing/stranger.ts';

const { voprf } = ristretto255_oprf;
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const u16 = (value: number): Uint8Array => u32(value).subarray(2);
const u64 = (value: number): Uint8Array => join(u32(Math.floor(value / 2 ** 32)), u32(value >>> 0));
const split = (bytes: string): Uint8Array[] => (bytes.match(/.{64}/g) ?? []).map(hex);

t.test('tokens.md §2, §5: keys of a class and day, and what a token is', async (t) => {
  const { seed, keys, tokens } = await read('tokens');
  const secretOf = ({ class: kind, day }: Json): Uint8Array => {
    const info = join(text('PI/1/token-key'), Uint8Array.of(kind), u32(day));
    const key = voprf.deriveKeyPair(hex(seed), info);
    const known = keys.find((each: Json) => each.class === kind && each.day === day);
    if (known) t.equal(toHex(key.publicKey), known.public);
    return key.secretKey;
  };
  for (const key of keys) secretOf(key);
  for (const { token, bytes, id } of tokens) {
    const fields = [Uint8Array.of(token.class), u32(token.day), hex(token.input)];
    t.equal(toHex(join(...fields, hex(token.output))), bytes);
    t.equal(toHex(sha256(hex(bytes)).subarray(0, 16)), id);
  }
});

t.test('tokens.md §3, §4: noble takes the batch, and gets the same tokens of it', async (t) => {
  const { batch, keys, tokens } = await read('tokens');
  const { class: kind, day, secrets, request, answer } = batch;
  t.equal(secrets.map((secret: Json) => secret.blinded).join(''), request);
  const evaluated = split(answer.evaluated);
  const items = secrets.map((secret: Json, i: number) => {
    const input = join(text('PI/1/token'), Uint8Array.of(kind), u32(day), hex(secret.input));
    const [blind, blinded] = [hex(secret.blind), hex(secret.blinded)];
    return { input, blind, blinded, evaluated: evaluated[i] };
  });
  const outputs = voprf.finalizeBatch(items, hex(keys[0].public), hex(answer.proof));
  t.same(
    outputs.map(toHex),
    tokens.map(({ token }: Json) => token.output),
  );
  t.throws(() => voprf.finalizeBatch(items, hex(keys[1].public), hex(answer.proof)));
});

t.test('tokens.md §7: what a token is spent on', async (t) => {
  const { spending } = await read('tokens');
  t.equal(toHex(sha256(hex(spending.order)).subarray(0, 16)), spending.context);
});

const signedBy = (key: string, purpose: string, bytes: Uint8Array): boolean => {
  const fields = join(text(`PI/1/sig/${purpose}\0`), bytes.subarray(0, -64));
  return ed25519.verify(bytes.subarray(-64), fields, hex(key), { zip215: false });
};

t.test('dm.md §9: the chain of a sender certificate', async (t) => {
  const { root, senderKey, certificate } = await read('certificates');
  const { key } = senderKey;
  const days = join(u32(key.nbfDay), u32(key.expDay));
  const head = join(Uint8Array.of(1, 0x34), u32(key.kid), hex(key.public), days);
  const keyBytes = hex(senderKey.bytes);
  t.same(keyBytes.subarray(0, -64), head);
  t.ok(signedBy(root.public, 'sender-key', keyBytes));

  const chain = hex(certificate.chain);
  t.equal(chain.length, 348);
  t.same(chain.subarray(0, 110), keyBytes);
  const { sender, notBefore, expires, kid } = certificate;
  const name = new Uint8Array(32);
  name.set(text(sender.name));
  const keys = join(hex(sender.aik), hex(sender.dsk), hex(sender.dik), u32(sender.listEpoch));
  const who = join(name, hex(sender.account), u32(sender.device), keys);
  const times = join(u64(notBefore), u64(expires), u32(kid));
  const signed = chain.subarray(110);
  t.same(signed.subarray(0, -64), join(Uint8Array.of(1, 0x35), who, times));
  t.ok(signedBy(key.public, 'sender-certificate', signed));
});

t.test('devices.md §9: safety numbers', async (t) => {
  const half = ({ account, aik }: Json): string => {
    const subject = join(hex(aik), hex(account));
    const sha512 = (bytes: Uint8Array) => createHash('sha512').update(bytes).digest();
    let hash = sha512(join(text('PI/1/safety\0'), subject));
    for (let i = 0; i < 5200; i++) hash = sha512(join(hash, subject));
    const groups = [0, 5, 10, 15, 20, 25].map((at) => hash.readUIntBE(at, 5) % 100_000);
    return groups.map((group) => String(group).padStart(5, '0')).join('');
  };
  const { numbers } = await read('safety');
  for (const { sides, number } of numbers) {
    t.equal(sides.map(half).sort().join(''), number.replaceAll(' ', ''));
  }
});

/** Padmé by its definition, in whole numbers. */
function padded(size: number): number {
  if (size < 2) return size;
  const e = size.toString(2).length - 1;
  const k = e.toString(2).length;
  if (e <= k) return size;
  const mask = 2n ** BigInt(e - k) - 1n;
  return Number((BigInt(size) + mask) & ~mask);
}

t.test('attachments.md §1: sizes', async (t) => {
  const { sizes } = await read('attachments');
  for (const each of sizes) {
    const size = padded(each.size);
    t.equal(size, each.padded);
    t.equal(28 + size + 16 * Math.max(1, Math.ceil(size / 65_536)), each.stored);
  }
});

/** The chunks of a file of so many times 0x61, and what else is known of it. */
function sealed({ size, fileKey }: Json) {
  const file = new Uint8Array(size).fill(0x61);
  const about = join(text('PI/1/att-salt'), u64(size), sha256(file));
  const random = hmac(sha256, hex(fileKey), about).subarray(0, 23);
  const header = join(text('PIA1'), Uint8Array.of(16), random);
  const both = hkdf(sha256, hex(fileKey), header.subarray(5, 21), text('PI/1/att'), 64);
  const all = new Uint8Array(padded(size));
  all.set(file);
  const count = Math.max(1, Math.ceil(all.length / 65_536));
  const chunks = Array.from({ length: count }, (_, i) => {
    const last = Uint8Array.of(i === count - 1 ? 1 : 0);
    const nonce = join(header.subarray(21), u32(i), last);
    const part = all.subarray(65_536 * i, 65_536 * (i + 1));
    return gcm(both.subarray(0, 32), nonce, header).encrypt(part);
  });
  return { header, commit: both.subarray(32), chunks, stored: join(header, ...chunks) };
}

t.test('attachments.md §1: what is stored of a file', async (t) => {
  const { files, largeFile } = await read('attachments');
  for (const file of [...files, largeFile]) {
    const { header, commit, chunks, stored } = sealed(file);
    t.equal(toHex(header), file.header);
    t.equal(toHex(commit), file.commit);
    t.equal(toHex(sha256(stored)), file.digest);
    if (file.stored) t.equal(toHex(stored), file.stored);
    for (const [i, chunk] of (file.chunks ?? []).entries()) {
      t.equal(chunks[i]?.length, chunk.length);
      t.equal(toHex(sha256(chunks[i] ?? stored)), chunk.digest);
    }
  }
});

t.test('attachments.md §2: descriptors', async (t) => {
  const { descriptors } = await read('attachments');
  for (const { descriptor, bytes } of descriptors) {
    const { size, preview } = descriptor;
    const stored = 28 + padded(size) + 16 * Math.max(1, Math.ceil(padded(size) / 65_536));
    const sizes = join(u64(size), u64(stored));
    const proofs = join(hex(descriptor.digest), hex(descriptor.commit), hex(descriptor.deleteKey));
    const [mime, name] = [text(descriptor.mime), text(descriptor.name)];
    const claims = join(Uint8Array.of(mime.length), mime, u16(name.length), name);
    const seen = preview
      ? join(
          join(Uint8Array.of(1), u16(preview.width), u16(preview.height)),
          join(u16(preview.thumbnail.length / 2), hex(preview.thumbnail)),
        )
      : Uint8Array.of(0);
    const ids = join(Uint8Array.of(1, 0x39), hex(descriptor.blob), hex(descriptor.fileKey));
    t.equal(toHex(join(ids, sizes, proofs, u32(descriptor.expiresDay), claims, seen)), bytes);
  }
});
