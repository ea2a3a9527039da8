/** The vectors of spaces read by somebody who has only the document: other libraries, no code of `space/`. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import t from 'tap';
import { hex, type Json, join, read, text, u32 } from './testing/stranger.ts';

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const u8 = (value: number): Uint8Array => Uint8Array.of(value);
const u16 = (value: number): Uint8Array => u32(value).subarray(2);
const u64 = (value: number): Uint8Array => join(u32(Math.floor(value / 2 ** 32)), u32(value >>> 0));
const flag = (value: boolean): Uint8Array => u8(value ? 1 : 0);
const text16 = (value: string): Uint8Array => join(u16(text(value).length), text(value));
const none = '00'.repeat(16);

const override = ({ role, account, allow, deny }: Json): Uint8Array =>
  join(account ? join(u8(2), hex(account)) : join(u8(1), u16(role)), u32(allow), u32(deny));

const kinds: Record<string, number> = { category: 1, text: 2, voice: 3 };

/** §3.1, in the order of its table. */
const ops: Record<string, [number, (op: Json) => Uint8Array[]]> = {
  create: [1, (o) => [hex(o.nonce), hex(o.aik), text16(o.name), u32(o.resets), text16(o.title)]],
  settings: [2, (o) => [text16(o.title), flag(o.joinLocked)]],
  channel: [
    3,
    (o) => [
      ...[hex(o.channel), u8(kinds[o.kind] ?? 0), text16(o.name), text16(o.topic)],
      ...[hex(o.parent ?? none), u16(o.position), u32(o.slowSeconds), flag(o.history)],
      ...[u8(o.overrides.length), ...o.overrides.map(override)],
    ],
  ],
  channelGone: [4, (o) => [hex(o.channel)]],
  role: [5, (o) => [u16(o.role), text16(o.name), u16(o.position), u32(o.permissions)]],
  roleGone: [6, (o) => [u16(o.role)]],
  invite: [7, (o) => [hex(o.key), u32(o.expires), u32(o.uses), u16(o.role)]],
  inviteGone: [8, (o) => [hex(o.key)]],
  join: [
    9,
    (o) => [
      ...[text16(o.name), hex(o.aik), u32(o.resets), flag(o.bot)],
      ...[hex(o.invite), hex(o.proof)],
    ],
  ],
  leave: [0x0a, () => []],
  kick: [0x0b, (o) => [hex(o.account), text16(o.reason)]],
  ban: [0x0c, (o) => [hex(o.account), text16(o.reason)]],
  unban: [0x0d, (o) => [hex(o.account)]],
  timeout: [0x0e, (o) => [hex(o.account), u32(o.until), text16(o.reason)]],
  mute: [0x0f, (o) => [hex(o.account), flag(o.muted)]],
  memberRoles: [0x10, (o) => [hex(o.account), u8(o.roles.length), ...o.roles.map(u16)]],
  owner: [0x11, (o) => [hex(o.account)]],
  rekey: [0x12, (o) => [hex(o.channel)]],
  removePosts: [0x13, (o) => [hex(o.channel), u8(o.seqs.length), ...o.seqs.map(u64)]],
  reportClosed: [0x14, (o) => [hex(o.report), u8(o.acted ? 1 : 2)]],
  close: [0x15, () => []],
  readmit: [0x16, (o) => [hex(o.account), hex(o.aik), u32(o.resets)]],
};

const signed = (purpose: string, fields: Uint8Array): Uint8Array =>
  join(text(`PI/1/sig/${purpose}\0`), fields);

t.test('channel.md §2, §3: every entry, from its fields on', async (t) => {
  const { space, people, entries } = await read('space');
  const seen = new Set<string>();
  let prev: Uint8Array = new Uint8Array(32);
  for (const { fields, bytes, hash } of entries) {
    const { op } = fields;
    seen.add(op.op);
    const [code, write] = ops[op.op] ?? [0, () => []];
    const place = join(hex(space), u64(fields.seq), prev, u32(fields.time), hex(fields.actor));
    const by = join(u32(fields.device), u32(fields.listEpoch), u8(code));
    const all = join(Uint8Array.of(1, 0xa0), place, by, ...write(op));
    const actor = people.find(({ account }: Json) => account === fields.actor);
    const signature = ed25519.sign(signed('space-entry', all), hex(actor.dsk));
    t.equal(toHex(join(all, signature)), bytes, op.op);
    prev = sha256(join(text('PI/1/hash/space-entry\0'), hex(bytes)));
    t.equal(toHex(prev), hash);
    if (op.op === 'join') {
      const proved = signed('space-join', join(hex(space), hex(fields.actor), hex(op.aik)));
      t.ok(ed25519.verify(hex(op.proof), proved, hex(op.invite), { zip215: false }));
    }
  }
  t.same([...seen].sort(), Object.keys(ops).sort(), 'every op');
  const [{ fields }] = entries;
  const id = join(hex(fields.op.nonce), hex(fields.actor), hex(fields.op.aik));
  t.equal(toHex(sha256(join(text('PI/1/hash/space\0'), id)).subarray(0, 16)), space);
});

t.test('channel.md §4: what somebody may', async (t) => {
  const cases = await read('space');
  const [view, post, attach, mentionAll, administrator] = [1, 2, 4, 0x10, 0x4000_0000];
  for (const { account, mine, roles, category, channel, sums } of cases.permissions) {
    let sum = [0, ...mine].reduce((all: number, role: number) => all | roles[role], 0);
    const all = sum & administrator ? cases.allPermissions : undefined;
    t.equal(all ?? sum, sums.space);
    for (const overrides of [category, channel]) {
      const layers = [
        overrides.filter(({ role }: Json) => role === 0),
        overrides.filter(({ role }: Json) => mine.includes(role)),
        overrides.filter((each: Json) => each.account === account),
      ];
      for (const layer of layers) {
        for (const { deny } of layer) sum &= ~deny;
        for (const { allow } of layer) sum |= allow;
      }
    }
    if (!(sum & view)) sum = 0;
    if (!(sum & post)) sum &= ~(attach | mentionAll);
    t.equal(all ?? sum, sums.channel);
  }
});

t.test('channel.md §3.4: who reads, and the key epoch', async (t) => {
  const { entries } = await read('space');
  for (const name of ['general', 'deck']) {
    let before: Json = { epoch: 0, readers: [] };
    for (const { fields, after } of entries) {
      const { epoch, readers } = after[name];
      const lost = before.readers.some((account: string) => !readers.includes(account));
      const made = before.epoch === 0 && epoch > 0;
      const rekeyed = fields.op.op === 'rekey' && name === 'general';
      t.equal(epoch, lost || made || rekeyed ? fields.seq : before.epoch);
      before = after[name];
    }
  }
});
