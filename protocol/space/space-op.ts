/**
 * What an entry of the log of a space does. docs/protocol/channel.md §3.1
 *
 *     0x01 create        nonce 16 ‖ AIK 32 ‖ text16 name ‖ u32 resets ‖ text16 title
 *     0x02 settings      text16 title ‖ u8 flags (1: joining is locked)
 *     0x03 channel       channel 16 ‖ u8 kind (1 category, 2 text, 3 voice) ‖ text16 name ‖ text16 topic ‖ parent 16
 *                        ‖ u16 position ‖ u32 slowSeconds ‖ u8 history (0 none, 1 may be shared) ‖ u8 n ≤ 64 × override
 *     override           u8 1 ‖ u16 role ‖ u32 allow ‖ u32 deny    |    u8 2 ‖ account 16 ‖ u32 allow ‖ u32 deny
 *     0x04 channel gone  channel 16
 *     0x05 role          u16 role ‖ text16 name ‖ u16 position ‖ u32 permissions        role 0: everybody
 *     0x06 role gone     u16 role
 *     0x07 invite        key 32 ‖ u32 expires (0: never) ‖ u32 uses (0: any number) ‖ u16 role (0: none)
 *     0x08 invite gone   key 32
 *     0x09 join          text16 name ‖ AIK 32 ‖ u32 resets ‖ u8 flags (1: a bot) ‖ invite key 32 ‖ proof 64
 *     0x0a leave
 *     0x0b kick          account 16 ‖ text16 reason
 *     0x0c ban           account 16 ‖ text16 reason
 *     0x0d unban         account 16
 *     0x0e timeout       account 16 ‖ u32 until (0: lifted) ‖ text16 reason
 *     0x0f mute          account 16 ‖ u8 (0 no, 1 yes)
 *     0x10 member roles  account 16 ‖ u8 n ≤ 32 × u16 role, ascending
 *     0x11 owner         account 16
 *     0x12 rekey         channel 16
 *     0x13 remove posts  channel 16 ‖ u8 n 1 to 64 × u64 seq, ascending
 *     0x14 report closed report 16 ‖ u8 (1 acted, 2 dismissed)
 *     0x15 close
 *     0x16 readmit       account 16 ‖ AIK 32 ‖ u32 resets
 *
 * Times are Unix seconds. A parent of zeros is none.
 */
import type { AccountId, ChannelId } from '../wire/ids.ts';

export const channelKinds = ['category', 'text', 'voice'] as const;
export type ChannelKind = (typeof channelKinds)[number];

/** Of a role or of one member; `allow` and `deny` are sums of permissions that have no bit in common. */
export type Override = { allow: number; deny: number } & (
  | { role: number; account?: never }
  | { account: AccountId; role?: never }
);

export interface ChannelOp {
  op: 'channel';
  channel: ChannelId;
  kind: ChannelKind;
  name: string;
  topic: string;
  /** A category. */
  parent: ChannelId | undefined;
  position: number;
  /** Between two posts of one member. */
  slowSeconds: number;
  /** Whether members may hand those who come later what was written before. */
  history: boolean;
  overrides: readonly Override[];
}

export type SpaceOp =
  | {
      op: 'create';
      nonce: Uint8Array;
      aik: Uint8Array;
      name: string;
      resets: number;
      title: string;
    }
  | { op: 'settings'; title: string; joinLocked: boolean }
  | ChannelOp
  | { op: 'channelGone'; channel: ChannelId }
  | { op: 'role'; role: number; name: string; position: number; permissions: number }
  | { op: 'roleGone'; role: number }
  | { op: 'invite'; key: Uint8Array; expires: number; uses: number; role: number }
  | { op: 'inviteGone'; key: Uint8Array }
  | {
      op: 'join';
      name: string;
      aik: Uint8Array;
      resets: number;
      bot: boolean;
      invite: Uint8Array;
      proof: Uint8Array;
    }
  | { op: 'leave' }
  | { op: 'kick'; account: AccountId; reason: string }
  | { op: 'ban'; account: AccountId; reason: string }
  | { op: 'unban'; account: AccountId }
  | { op: 'timeout'; account: AccountId; until: number; reason: string }
  | { op: 'mute'; account: AccountId; muted: boolean }
  | { op: 'memberRoles'; account: AccountId; roles: readonly number[] }
  | { op: 'owner'; account: AccountId }
  | { op: 'rekey'; channel: ChannelId }
  | { op: 'removePosts'; channel: ChannelId; seqs: readonly number[] }
  | { op: 'reportClosed'; report: Uint8Array; acted: boolean }
  | { op: 'close' }
  | { op: 'readmit'; account: AccountId; aik: Uint8Array; resets: number };

export type SpaceOpName = SpaceOp['op'];
export type OpOf<N extends SpaceOpName> = Extract<SpaceOp, { op: N }>;
