/** For tests: what an odd island keeps of a person, and of each of their devices. */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { oneTimeOf, openBatch } from '@island/protocol/crypto/prekeys.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId, EnvelopeId } from '@island/protocol/wire/ids.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import type { WebSocket } from 'ws';

export type Json = Record<string, unknown>;

/** One device: its prekeys and its mailbox. */
export interface Box {
  signedPrekey: string;
  lastResort: string;
  batch: string;
  handed: number;
  mailbox: { seq: number; id: EnvelopeId; body: Uint8Array }[];
  head: number;
  /** Up to here the mailbox was acknowledged. */
  acknowledged: number;
  socket: WebSocket | undefined;
}

/** A person; the box is that of their first device. */
export interface Member extends Box {
  name: string;
  account: AccountId;
  /** Setting it makes it the newest; what does not open is no part of the history. */
  list: string;
  /** By epoch. */
  lists: Map<number, string>;
  /** As it was registered: salt, kdf, auth and key. */
  password: Json;
  record: string;
  shares: Json[];
  /** Code slots that were used. */
  used: string[];
  /** Segments of the archive, in order. */
  archive: string[];
  /** Boxes of further devices. */
  others: Map<number, Box>;
}

export const newBox = (body: Json): Box => ({
  signedPrekey: String(body['signedPrekey']),
  lastResort: String(body['lastResort']),
  batch: String(body['batch']),
  handed: 0,
  mailbox: [],
  head: 0,
  acknowledged: 0,
  socket: undefined,
});

export function newMember(body: Json): Member {
  const lists = new Map<number, string>();
  let newest = '';
  const member = {
    ...newBox(body),
    name: String(body['name']),
    account: body['account'] as AccountId,
    lists,
    password: body['credentials'] as Json,
    record: String(body['record']),
    shares: body['shares'] as Json[],
    used: [],
    archive: [],
    others: new Map<number, Box>(),
    get list() {
      return newest;
    },
    set list(list: string) {
      newest = list;
      try {
        lists.set(openDeviceList(fromBase64url(list)).epoch, list);
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
      }
    },
  };
  member.list = String(body['list']);
  return member;
}

/** What comes with a change of devices or of keys. */
export function keep(member: Member, { list, record, shares }: Json): void {
  if (typeof list === 'string') member.list = list;
  member.record = String(record);
  member.shares = shares as Json[];
  member.used = [];
}

export const boxOf = (member: Member, device: number): Box | undefined =>
  device === 1 ? member : member.others.get(device);

export function bundleOf(member: Member | undefined, kind = 'one-time', device = 1): Json {
  const box = member && boxOf(member, device);
  if (!box) throw new Fault('unknown_person');
  const { signedPrekey, lastResort } = box;
  if (kind === 'last-resort') return { device, signedPrekey, lastResort };
  const { devices } = openDeviceList(fromBase64url(member.list));
  const dsk = devices.find((cert) => cert.device === device)?.dsk;
  const batch = openBatch(fromBase64url(box.batch), dsk ?? new Uint8Array(32));
  const oneTime = base64url(oneTimeOf(batch, box.handed++));
  return { device, signedPrekey, oneTime };
}
