/** The entry that makes or changes a channel. docs/protocol/channel.md §3.1 */
import type { Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { fromHex } from '../wire/text.ts';
import {
  readAccount,
  readChannelId,
  readFlag,
  readMany,
  readPermissions,
  readTitle,
  readTopic,
} from './op-fields.ts';
import { type ChannelOp, channelKinds, type Override } from './space-op.ts';

const none = '00'.repeat(16);
export const mostOverrides = 64;

export function writeChannel(out: Writer, channel: ChannelOp): void {
  const { name, topic, parent, position, slowSeconds, history, overrides } = channel;
  out.raw(fromHex(channel.channel)).u8(channelKinds.indexOf(channel.kind) + 1);
  out
    .text16(name)
    .text16(topic)
    .raw(fromHex(parent ?? none));
  out
    .u16(position)
    .u32(slowSeconds)
    .u8(history ? 1 : 0)
    .u8(overrides.length);
  for (const { role, account, allow, deny } of overrides) {
    if (account === undefined) out.u8(1).u16(role);
    else out.u8(2).raw(fromHex(account));
    out.u32(allow).u32(deny);
  }
}

export function readChannel(from: Reader): ChannelOp {
  const channel = readChannelId(from);
  const kind = channelKinds[from.u8() - 1];
  if (kind === undefined || channel === none) throw new Fault('malformed');
  const [name, topic, above] = [readTitle(from), readTopic(from), readChannelId(from)];
  const parent = above === none ? undefined : above;
  const [position, slowSeconds] = [from.u16(), from.u32()];
  const history = readFlag(from);
  const overrides = readMany(from, mostOverrides, readOverride);
  const distinct = new Set(overrides.map(({ role, account }) => account ?? role)).size;
  const lawful =
    distinct === overrides.length &&
    (kind !== 'category' || (parent === undefined && slowSeconds === 0 && !history));
  if (!lawful) throw new Fault('malformed');
  const place = { parent, position };
  return { op: 'channel', channel, kind, name, topic, ...place, slowSeconds, history, overrides };
}

function readOverride(from: Reader): Override {
  const whose = from.u8();
  if (whose !== 1 && whose !== 2) throw new Fault('malformed');
  const of = whose === 1 ? { role: from.u16() } : { account: readAccount(from) };
  const [allow, deny] = [readPermissions(from), readPermissions(from)];
  if ((allow & deny) !== 0) throw new Fault('malformed');
  return { ...of, allow, deny };
}
