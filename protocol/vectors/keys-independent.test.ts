/**
 * The vectors of codes, key records, archive and linking read by somebody who has only the documents: other
 * libraries, no code of `crypto/`. docs/protocol/encoding.md §7
 */
import { gcm } from '@noble/ciphers/aes.js';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { hashRaw } from '@node-rs/argon2';
import t from 'tap';
import { hex, type Json, join, read, text, u32 } from './testing/stranger.ts';

const signedBy = (key: Uint8Array, purpose: string, bytes: Uint8Array) =>
  ed25519.verify(
    bytes.subarray(-64),
    join(text(`PI/1/sig/${purpose}\0`), bytes.subarray(0, -64)),
    key,
    { zip215: false },
  );
const hashOf = (what: string, bytes: Uint8Array) =>
  sha256(join(text(`PI/1/hash/${what}\0`), bytes));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const u64 = (value: number): Uint8Array => join(u32(Math.floor(value / 2 ** 32)), u32(value >>> 0));

/** ChaCha20-Poly1305 under the first 44 bytes of HKDF. */
function opened(
  sealed: Uint8Array,
  keys: { salt: Uint8Array; secret: Uint8Array; info: string },
  ad: Uint8Array,
): Uint8Array {
  const both = hkdf(sha256, keys.secret, keys.salt, text(keys.info), 44);
  return chacha20poly1305(both.subarray(0, 32), both.subarray(32), ad).decrypt(sealed);
}

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** GF(32) by its tables of powers, where the code multiplies by shifting. */
const powers = Array.from({ length: 31 }, (_, i) => i).reduce<number[]>((all) => {
  const last = all.at(-1);
  if (last === undefined) return [1];
  return [...all, last < 16 ? last * 2 : (last * 2) ^ 0b100101];
}, []);
const product = (a: number, b: number): number =>
  a === 0 || b === 0 ? 0 : (powers[(powers.indexOf(a) + powers.indexOf(b)) % 31] ?? 0);

function shownCode(data: string): string {
  const groups = data.match(/.{4}/g) ?? [];
  const shown = groups.map((group, g) => {
    const sum = [...group].reduce(
      (total, character, i) => total ^ product(2 ** (i + 1), alphabet.indexOf(character)),
      g + 1,
    );
    return group + alphabet[sum];
  });
  return shown.join('-');
}

t.test('keys.md §2, §3: codes, their check characters and their keys', async (t) => {
  const { codes, checkCharacters, records, aik } = await read('keys');
  t.same(checkCharacters, ['0'.repeat(20), '0123456789ABCDEFGHJK'].map(shownCode));
  const { salt, kdf } = records[0].codes;
  const account = hex(records[0].account);
  for (const code of codes) {
    t.equal(shownCode(code.data), code.text);
    const cost = { memoryCost: kdf.memory, timeCost: kdf.passes, parallelism: kdf.lanes };
    const k = await hashRaw(code.data, { outputLen: 32, salt: hex(salt), ...cost });
    const derived = (info: string, length: number) =>
      toHex(hkdf(sha256, k, undefined, text(`PI/1/code/${info}`), length));
    t.equal(derived('loc', 16), code.loc);
    t.equal(derived('proof', 32), code.proof);
    t.equal(derived('key', 32), code.dh.private);
    t.equal(derived('anchor', 32), code.anchorKey);
    t.equal(toHex(x25519.getPublicKey(hex(code.dh.private))), code.dh.public);
    const anchor = hmac(sha256, hex(code.anchorKey), join(account, hex(aik.public)));
    t.equal(toHex(anchor), code.anchor);
  }
});

/** Head 126 ‖ var32 keyring ‖ u8 d ‖ d × 160 ‖ u8 c ‖ c × 268 ‖ signature 64. */
function parts(bytes: Uint8Array) {
  const view = Buffer.from(bytes);
  let at = 130 + view.readUInt32BE(126);
  const devices = Array.from({ length: view.readUInt8(at) }, (_, i) => {
    const start = at + 1 + 160 * i;
    return { device: view.readUInt32BE(start), sealed: bytes.subarray(start + 6, start + 160) };
  });
  at += 1 + 160 * devices.length;
  const slots = Array.from({ length: view.readUInt8(at) }, (_, i) => {
    const start = at + 1 + 268 * i;
    const field = (from: number, to: number) => bytes.subarray(start + from, start + to);
    const ids = { loc: field(0, 16), proofHash: field(16, 48), dh: field(48, 80) };
    return { ...ids, anchor: field(80, 112), sealed: field(114, 268) };
  });
  t.equal(at + 1 + 268 * slots.length + 64, bytes.length);
  return { head: bytes.subarray(0, 126), devices, slots };
}

function secretsOf({ ark, head }: Json, seed: string): Uint8Array {
  const known = join(u64(head.seq), hex(head.hash));
  return join(Uint8Array.of(1, 0x61), hex(ark), hex(seed), known);
}

t.test('keys.md §4: records are signed by the AIK and chained by hash', async (t) => {
  const { records, aik, lists } = await read('keys');
  let previous = '00'.repeat(32);
  for (const record of records) {
    const bytes = hex(record.bytes);
    const { salt, kdf } = record.codes;
    const chain = join(u32(record.version), hex(record.prevHash), hex(record.listHash));
    const epochs = join(u32(record.listEpoch), u32(record.firstEpoch), u32(record.arkEpoch));
    const hashing = join(hex(salt), u32(kdf.memory), u32(kdf.passes), u32(kdf.lanes));
    const head = join(Uint8Array.of(1, 0x60), hex(record.account), chain, epochs, hashing);
    t.same(parts(bytes).head, head, record.what);
    t.ok(signedBy(hex(aik.public), 'key-record', bytes), record.what);
    t.equal(record.prevHash, previous, record.what);
    t.equal(record.listHash, lists[record.listEpoch - 1].hash, record.what);
    t.equal(toHex(hashOf('key-record', bytes)), record.hash, record.what);
    previous = record.hash;
  }
});

t.test('keys.md §5: device slots, code slots and keyrings, opened', async (t) => {
  const { records, aik, devices, codes } = await read('keys');
  for (const record of records) {
    const bytes = hex(record.bytes);
    const secrets = secretsOf(record, aik.seed);
    const { head, devices: deviceSlots, slots } = parts(bytes);
    for (const { device, sealed } of deviceSlots) {
      const { dik } = devices.find((known: Json) => known.device === device);
      const e = sealed.subarray(0, 32);
      const secret = x25519.getSharedSecret(hex(dik.private), e);
      const salt = join(text('PI/1/device-slot'), hex(dik.public), e);
      const keys = { salt, secret, info: 'PI/1/device-slot' };
      t.same(opened(sealed.subarray(32), keys, join(head, u32(device))), secrets, record.what);
    }
    for (const { loc, proofHash, dh, anchor, sealed } of slots) {
      const code = codes.find((known: Json) => known.loc === toHex(loc));
      const { share } = record.shares.find((known: Json) => known.loc === toHex(loc));
      t.same([toHex(dh), toHex(anchor)], [code.dh.public, code.anchor]);
      t.same(proofHash, sha256(hex(code.proof)));
      const e = sealed.subarray(0, 32);
      const secret = join(x25519.getSharedSecret(hex(code.dh.private), e), hex(share));
      const keys = { salt: join(text('PI/1/code-slot'), dh, e), secret, info: 'PI/1/code-slot' };
      t.same(opened(sealed.subarray(32), keys, join(head, loc)), secrets, record.what);
    }
    const account = hex(record.account);
    const salt = join(text('PI/1/keyring'), account, u32(record.arkEpoch));
    const keys = { salt, secret: hex(record.ark), info: 'PI/1/keyring' };
    const ad = join(account, u32(record.firstEpoch), u32(record.arkEpoch));
    const length = 32 * record.former.length + 16;
    const keyring = opened(bytes.subarray(130, 130 + length), keys, ad);
    t.equal(toHex(keyring), record.former.join(''), record.what);
  }
});

t.test('archive.md §2, §3: segments are signed, chained, and say their entries', async (t) => {
  const { segments, entries, dsk, arks } = await read('archive');
  let previous = '00'.repeat(32);
  segments.forEach((segment: Json, i: number) => {
    const bytes = hex(segment.bytes);
    const chain = join(u32(segment.device), u64(segment.seq), hex(segment.prevHash));
    const epochs = join(u32(segment.listEpoch), u32(segment.arkEpoch));
    const ids = join(Uint8Array.of(1, 0x50), hex(segment.account));
    const ad = join(ids, chain, epochs, hex(segment.id));
    t.same(bytes.subarray(0, 86), ad);
    t.ok(signedBy(hex(dsk.public), 'archive-segment', bytes));
    t.equal(segment.prevHash, previous);
    t.equal(toHex(hashOf('archive-segment', bytes)), segment.hash);
    previous = segment.hash;
    const ark = hex(arks[segment.arkEpoch - 1]);
    const both = hkdf(sha256, ark, hex(segment.id), text('PI/1/archive-segment'), 44);
    const cipher = gcm(both.subarray(0, 32), both.subarray(32), ad);
    const padded = cipher.decrypt(bytes.subarray(90, -64));
    const plain = hex(entries[i].bytes);
    const size = [512, 1024, 2048, 4096].find((least) => least > plain.length) ?? 0;
    const zeros = new Uint8Array(size - plain.length - 1);
    t.same(padded, join(plain, Uint8Array.of(0x80), zeros));
  });
  for (const { entries: run, bytes } of entries) {
    const encoded = run.map((entry: Json) => {
      const body = entry.kind === 'contact' ? join(Uint8Array.of(2), hex(entry.list)) : said(entry);
      return join(u32(body.length).subarray(2), body);
    });
    const head = join(Uint8Array.of(1, 0x51), u32(run.length).subarray(2));
    t.equal(toHex(join(head, ...encoded)), bytes);
  }
});

function said(entry: Json): Uint8Array {
  const text16 = (value: string) => join(u32(text(value).length).subarray(2), text(value));
  const direction = Uint8Array.of(1, entry.direction === 'in' ? 1 : 2);
  const peer = join(hex(entry.peer), text16(entry.peerName), hex(entry.id));
  // dm.md §2.1, a text without any parts.
  const body = join(Uint8Array.of(0x01, 0), text16(entry.body.text));
  const times = join(u64(entry.sentAt), u64(entry.receivedAt));
  return join(direction, peer, times, u32(body.length).subarray(2), body);
}

t.test('linking.md §3 to §5: a whole conversation, with its digits and its gift', async (t) => {
  const { offer, newDevice, oldDevice, messages, digits, gift, refusal } = await read('linking');
  const [id, secret] = [hex(offer.offer), hex(offer.secret)];
  const stepOf = (message: string, step: number, keys: Parameters<typeof opened>[1]) => {
    const bytes = hex(message);
    t.same(bytes.subarray(0, 5), Uint8Array.of(1, 0x70, step, 0, bytes.length - 5));
    return opened(bytes.subarray(5), keys, join(bytes.subarray(0, 3), id));
  };
  const early = (step: number) => {
    const keys = { salt: id, secret, info: `PI/1/link/${step}` };
    return stepOf(messages[step - 1], step, keys);
  };
  for (const { private: key, public: shown } of [newDevice, oldDevice]) {
    t.same(x25519.getPublicKey(hex(key)), hex(shown));
  }
  const fromNew = join(hex(newDevice.public), hex(newDevice.number));
  const fromOld = join(hex(oldDevice.public), hex(oldDevice.number));
  const commit = sha256(join(text('PI/1/link/commit'), fromNew));
  t.same(early(1), commit);
  t.same(early(2), fromOld);
  t.same(early(3), fromNew);
  const all = join(commit, fromOld, fromNew);
  const eight = hkdf(sha256, join(secret, all), id, text('PI/1/link/digits'), 8);
  const number = BigInt(`0x${toHex(eight)}`) % 1_000_000n;
  t.equal(String(number).padStart(6, '0'), digits);

  const shared = x25519.getSharedSecret(hex(oldDevice.private), hex(newDevice.public));
  const salt = hashOf('link', all);
  const keys = { salt, secret: join(secret, shared), info: 'PI/1/link/keys' };
  const known = join(hex(gift.listHash), hex(gift.recordHash));
  const head = join(u64(gift.head.seq), hex(gift.head.hash));
  const given = join(hex(gift.ark), u32(gift.arkEpoch), hex(gift.aikSeed), known, head);
  t.same(stepOf(messages[3], 4, keys), join(Uint8Array.of(1, 0x71, 1), given));
  const refused = join(Uint8Array.of(1, 0x71, 0), new Uint8Array(given.length));
  t.same(stepOf(refusal, 4, keys), refused);
});
