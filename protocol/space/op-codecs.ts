/** The bytes of what an entry does: one codec an op. docs/protocol/channel.md §3.1 */
import { signingKey } from '../crypto/public-key.ts';
import type { Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { personName } from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { fromHex } from '../wire/text.ts';
import { readChannel, writeChannel } from './channel-op.ts';
import {
  ascending,
  readAccount,
  readChannelId,
  readFlag,
  readMany,
  readPermissions,
  readReason,
  readRole,
  readTitle,
  sized,
} from './op-fields.ts';
import type { OpOf, SpaceOp, SpaceOpName } from './space-op.ts';

interface Codec<O extends SpaceOp> {
  code: number;
  write(out: Writer, op: O): void;
  read(from: Reader): O;
}

const codecs: { [N in SpaceOpName]: Codec<OpOf<N>> } = {
  create: {
    code: 0x01,
    write: (out, { nonce, aik, name, resets, title }) =>
      out.raw(sized(nonce, 16)).raw(sized(aik, 32)).text16(name).u32(resets).text16(title),
    read(from) {
      const [nonce, aik] = [from.raw(16), signingKey(from.raw(32))];
      const name = personName(from.text16(limits.nameCharacters));
      return { op: 'create', nonce, aik, name, resets: from.u32(), title: readTitle(from) };
    },
  },
  settings: {
    code: 0x02,
    write: (out, { title, joinLocked }) => out.text16(title).u8(joinLocked ? 1 : 0),
    read: (from) => ({ op: 'settings', title: readTitle(from), joinLocked: readFlag(from) }),
  },
  channel: { code: 0x03, write: writeChannel, read: readChannel },
  channelGone: {
    code: 0x04,
    write: (out, { channel }) => out.raw(fromHex(channel)),
    read: (from) => ({ op: 'channelGone', channel: readChannelId(from) }),
  },
  role: {
    code: 0x05,
    write: (out, { role, name, position, permissions }) =>
      out.u16(role).text16(name).u16(position).u32(permissions),
    read(from) {
      const role = from.u16();
      // Everybody's role has neither a name nor a position of its own.
      const name = role === 0 ? from.text16(0) : readTitle(from);
      const position = from.u16();
      if ((role === 0) !== (position === 0)) throw new Fault('malformed');
      return { op: 'role', role, name, position, permissions: readPermissions(from) };
    },
  },
  roleGone: {
    code: 0x06,
    write: (out, { role }) => out.u16(role),
    read: (from) => ({ op: 'roleGone', role: readRole(from) }),
  },
  invite: {
    code: 0x07,
    write: (out, { key, expires, uses, role }) =>
      out.raw(sized(key, 32)).u32(expires).u32(uses).u16(role),
    read: (from) => ({
      op: 'invite',
      key: signingKey(from.raw(32)),
      expires: from.u32(),
      uses: from.u32(),
      role: from.u16(),
    }),
  },
  inviteGone: {
    code: 0x08,
    write: (out, { key }) => out.raw(sized(key, 32)),
    read: (from) => ({ op: 'inviteGone', key: signingKey(from.raw(32)) }),
  },
  join: {
    code: 0x09,
    write: (out, { name, aik, resets, bot, invite, proof }) =>
      out
        .text16(name)
        .raw(sized(aik, 32))
        .u32(resets)
        .u8(bot ? 1 : 0)
        .raw(sized(invite, 32))
        .raw(sized(proof, 64)),
    read(from) {
      const name = personName(from.text16(limits.nameCharacters));
      const aik = signingKey(from.raw(32));
      const [resets, bot] = [from.u32(), readFlag(from)];
      const invite = signingKey(from.raw(32));
      return { op: 'join', name, aik, resets, bot, invite, proof: from.raw(64) };
    },
  },
  leave: { code: 0x0a, write: () => undefined, read: () => ({ op: 'leave' }) },
  kick: {
    code: 0x0b,
    write: (out, { account, reason }) => out.raw(fromHex(account)).text16(reason),
    read: (from) => ({ op: 'kick', account: readAccount(from), reason: readReason(from) }),
  },
  ban: {
    code: 0x0c,
    write: (out, { account, reason }) => out.raw(fromHex(account)).text16(reason),
    read: (from) => ({ op: 'ban', account: readAccount(from), reason: readReason(from) }),
  },
  unban: {
    code: 0x0d,
    write: (out, { account }) => out.raw(fromHex(account)),
    read: (from) => ({ op: 'unban', account: readAccount(from) }),
  },
  timeout: {
    code: 0x0e,
    write: (out, { account, until, reason }) => out.raw(fromHex(account)).u32(until).text16(reason),
    read(from) {
      const [account, until] = [readAccount(from), from.u32()];
      return { op: 'timeout', account, until, reason: readReason(from) };
    },
  },
  mute: {
    code: 0x0f,
    write: (out, { account, muted }) => out.raw(fromHex(account)).u8(muted ? 1 : 0),
    read: (from) => ({ op: 'mute', account: readAccount(from), muted: readFlag(from) }),
  },
  memberRoles: {
    code: 0x10,
    write(out, { account, roles }) {
      out.raw(fromHex(account)).u8(roles.length);
      for (const role of roles) out.u16(role);
    },
    read(from) {
      const account = readAccount(from);
      const roles = readMany(from, 32, readRole);
      return { op: 'memberRoles', account, roles: ascending(roles) };
    },
  },
  owner: {
    code: 0x11,
    write: (out, { account }) => out.raw(fromHex(account)),
    read: (from) => ({ op: 'owner', account: readAccount(from) }),
  },
  rekey: {
    code: 0x12,
    write: (out, { channel }) => out.raw(fromHex(channel)),
    read: (from) => ({ op: 'rekey', channel: readChannelId(from) }),
  },
  removePosts: {
    code: 0x13,
    write(out, { channel, seqs }) {
      out.raw(fromHex(channel)).u8(seqs.length);
      for (const seq of seqs) out.u64(seq);
    },
    read(from) {
      const channel = readChannelId(from);
      const seqs = readMany(from, 64, (each) => each.u64());
      if (seqs.length === 0 || seqs[0] === 0) throw new Fault('malformed');
      return { op: 'removePosts', channel, seqs: ascending(seqs) };
    },
  },
  reportClosed: {
    code: 0x14,
    write: (out, { report, acted }) => out.raw(sized(report, 16)).u8(acted ? 1 : 2),
    read(from) {
      const report = from.raw(16);
      const outcome = from.u8();
      if (outcome !== 1 && outcome !== 2) throw new Fault('malformed');
      return { op: 'reportClosed', report, acted: outcome === 1 };
    },
  },
  close: { code: 0x15, write: () => undefined, read: () => ({ op: 'close' }) },
  readmit: {
    code: 0x16,
    write: (out, { account, aik, resets }) =>
      out.raw(fromHex(account)).raw(sized(aik, 32)).u32(resets),
    read: (from) => ({
      op: 'readmit',
      account: readAccount(from),
      aik: signingKey(from.raw(32)),
      resets: from.u32(),
    }),
  },
};

const byCode = new Map<number, Codec<SpaceOp>>(
  Object.values(codecs).map((codec) => [codec.code, codec as Codec<SpaceOp>]),
);

export function writeOp(out: Writer, op: SpaceOp): void {
  const codec = codecs[op.op] as Codec<SpaceOp>;
  codec.write(out.u8(codec.code), op);
}

/** Throws `unknown_type` for an op that is not known here: a newer client made it. */
export function readOp(from: Reader): SpaceOp {
  const codec = byCode.get(from.u8());
  if (codec === undefined) throw new Fault('unknown_type');
  return codec.read(from);
}
