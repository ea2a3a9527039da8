/**
 * For tests: one account with several devices, whose homes are made by hand, and an archive in memory
 * that keeps their segments like a real one unless `twist` says otherwise.
 */
import { readSegment } from '@island/protocol/crypto/archive-segment.ts';
import { createDevice, type DeviceKeys, signDeviceCert } from '@island/protocol/crypto/device.ts';
import {
  type DeviceList,
  firstDeviceList,
  nextDeviceList,
  openDeviceList,
  signDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import {
  ed25519,
  equal,
  randomBytes,
  type SigningPair,
} from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId, deviceId } from '@island/protocol/wire/ids.ts';
import { leastKdf, limits } from '@island/protocol/wire/limits.ts';
import { fromBase64url, hex } from '@island/protocol/wire/text.ts';
import { type AccountRecord, accountRow } from '../account/account.ts';
import { type Keyring, keysRow } from '../account/account-keys.ts';
import { type Archive, openArchive } from '../archive/archive.ts';
import { archiveStart, type Head, identityRows, noHead, pendingContact } from '../archive/rows.ts';
import { arrival, departure, type Kept, messagesAfter } from '../messages/messages.ts';
import { openOwnPerson } from '../people/own-person.ts';
import { openPeople, personRows } from '../people/people.ts';
import { outboxBeside } from '../sending/outbox.ts';
import { settle } from '../sending/settling.ts';
import type { Session } from '../sign-in/session.ts';
import { memoryStorage } from '../storage/memory.ts';
import type { Storage } from '../storage/storage.ts';

export const newAccount = (): AccountId => accountId(hex(randomBytes(16)));

/** Somebody with one device, as a list that others have met. */
export function stranger(name: string): { list: DeviceList; aik: SigningPair } {
  const aik = ed25519.generate();
  const keys = createDevice({ account: newAccount(), device: deviceId(1) });
  const list = firstDeviceList(signDeviceCert(keys, aik.public, 1), name);
  return { list: openDeviceList(signDeviceList(list, aik)), aik };
}

/** What the island does otherwise than it should. */
export interface Twist {
  /** A thrown error is the answer. */
  before?: (route: string) => void;
  /** After the work was done: a thrown error is an answer that got lost. */
  after?: (route: string) => void;
  head?: (head: Head) => Head;
  read?: (segments: Uint8Array[], after: number) => Uint8Array[];
}

export interface OddArchive {
  name: string;
  account: AccountId;
  segments: Uint8Array[];
  lists: DeviceList[];
  twist: Twist;
  /** Every segment that a device wanted to add, taken or not, in order. */
  offered: Uint8Array[];
  keys: Keyring;
  /** The next device of the account: its keys, and the list with it. */
  add(): DeviceKeys;
  remove(device: number): void;
  /** A new archive key for everybody who is told. */
  rotate(): void;
  home(keys: DeviceKeys, storage?: Storage, known?: Head): Promise<Home>;
}

export interface Home {
  keys: DeviceKeys;
  storage: Storage;
  archive: Archive;
  /** As after a restart. */
  reopened(storage?: Storage): Home;
  /** Adopts the present list and keys of the account. */
  renew(): Promise<void>;
  /** A message of somebody, through the mailbox. */
  hears(from: DeviceList, text: string, id?: string): Promise<string>;
  /** A message to somebody that the island took. */
  says(to: DeviceList, text: string): Promise<void>;
  /** Has met somebody. */
  meets(list: DeviceList): Promise<void>;
  history(): Promise<Kept[]>;
  /** `from: text`, `to name: text`, in the order of the history. */
  told(): Promise<string[]>;
}

export function oddArchive(name = 'alice'): OddArchive {
  const aik = ed25519.generate();
  const account = newAccount();
  const first = createDevice({ account, device: deviceId(1) });
  const cert = signDeviceCert(first, aik.public, 1);
  let left: DeviceKeys | undefined = first;
  const island: OddArchive = {
    name,
    account,
    segments: [],
    lists: [openDeviceList(signDeviceList(firstDeviceList(cert, name), aik))],
    twist: {},
    offered: [],
    keys: {
      ark: randomBytes(32),
      arkEpoch: 1,
      firstEpoch: 1,
      former: [],
      version: 1,
      hash: randomBytes(32),
      record: randomBytes(8),
    },
    add() {
      const keys = left ?? createDevice({ account, device: deviceId(newest().lastDevice + 1) });
      if (!left) change([...newest().devices, signDeviceCert(keys, aik.public, 1)]);
      left = undefined;
      return keys;
    },
    remove: (device) => change(newest().devices.filter((each) => each.device !== device)),
    rotate() {
      const { ark, arkEpoch, former } = island.keys;
      const next = { ark: randomBytes(32), arkEpoch: arkEpoch + 1, former: [...former, ark] };
      island.keys = { ...island.keys, ...next };
    },
    home: async (keys, storage = memoryStorage(), known) => {
      const put = [accountRow(recordOf(keys)), keysRow(island.keys)];
      await storage.commit({ put: known ? [...put, archiveStart(known)] : put });
      return homeOf(island, keys, storage, recordOf);
    },
  };
  const newest = (): DeviceList => island.lists.at(-1) as DeviceList;
  const change = (devices: DeviceList['devices']): void => {
    const next = nextDeviceList(newest(), { devices }, 1);
    island.lists.push(openDeviceList(signDeviceList(next, aik)));
  };
  const recordOf = (keys: DeviceKeys): AccountRecord => ({
    state: 'registered',
    address: 'https://island.example',
    root: '',
    name,
    account,
    device: keys.device,
    aik: aik.private,
    dsk: keys.dsk.private,
    dik: keys.dik.private,
    generation: 1,
    list: newest().bytes,
    codes: { salt: randomBytes(16), kdf: leastKdf },
  });
  return island;
}

const headOf = ({ segments }: OddArchive): Head => {
  const last = segments.at(-1);
  return last ? { seq: segments.length, hash: readSegment(last).hash } : noHead;
};

/** What a good island answers. */
function answer(island: OddArchive, route: string, request: unknown, path: string): unknown {
  const { segments, lists, account, twist } = island;
  switch (route) {
    case 'archiveHead':
      return twist.head?.(headOf(island)) ?? headOf(island);
    case 'archiveRead': {
      const found = segments.slice(Number(path)).slice(0, 3);
      return { segments: twist.read?.(found, Number(path)) ?? found };
    }
    case 'archiveAppend': {
      const bytes = fromBase64url((request as { segment: string }).segment);
      const { seq, prevHash } = readSegment(bytes);
      const same = segments[seq - 1];
      if (same && equal(same, bytes)) return {};
      const head = headOf(island);
      if (seq !== head.seq + 1 || !equal(prevHash, head.hash))
        throw new Fault('archive_moved', { seq: head.seq });
      const { listEpoch, arkEpoch } = readSegment(bytes);
      const last = segments.map((each) => readSegment(each)).at(-1);
      if (listEpoch < (last?.listEpoch ?? 0)) throw new Fault('stale_list');
      if (arkEpoch < (last?.arkEpoch ?? 0)) throw new Fault('stale_record');
      segments.push(bytes);
      return {};
    }
    case 'lists': {
      const found = lists.slice(Number(path)).slice(0, limits.listsPerAnswer);
      return { account, lists: found.map(({ bytes }) => bytes) };
    }
    default:
      throw new Fault('unavailable');
  }
}

function sessionOf(island: OddArchive): Session {
  const call = async (
    route: string,
    request: unknown,
    options?: { path?: Readonly<Record<string, string>>; signal?: AbortSignal },
  ): Promise<unknown> => {
    options?.signal?.throwIfAborted();
    if (route === 'archiveAppend')
      island.offered.push(fromBase64url((request as { segment: string }).segment));
    island.twist.before?.(route);
    const given = answer(island, route, request, options?.path?.['after'] ?? '');
    island.twist.after?.(route);
    return given;
  };
  return {
    get transport(): never {
      throw new Error('nobody goes another way here');
    },
    present: async () => undefined,
    token: async () => 'token',
    refused: () => undefined,
    call: call as Session['call'],
  };
}

function homeOf(
  island: OddArchive,
  keys: DeviceKeys,
  storage: Storage,
  recordOf: (keys: DeviceKeys) => AccountRecord,
): Home {
  const session = sessionOf(island);
  const renew = async (): Promise<void> => {
    await storage.commit({ put: [accountRow(recordOf(keys)), keysRow(island.keys)] });
  };
  const nobody = async (): Promise<never> => {
    throw new Fault('unknown_person');
  };
  const people = openPeople(storage, { person: nobody, lists: nobody, ended: nobody });
  const home: Home = {
    keys,
    storage,
    archive: openArchive({ account: keys, storage, session, people, renew }),
    reopened: (other = storage) => homeOf(island, keys, other, recordOf),
    renew,
    async hears({ account, name }, text, id = hex(randomBytes(16))) {
      const identity = { direction: 'in', peer: account, id } as const;
      const { put, expect } = identityRows(identity);
      const message = { type: 'message', id, from: name, text, sentAt: 1, receivedAt: 2 } as const;
      await storage.commit({ append: [arrival(message, identity)], put: [put], expect: [expect] });
      return id;
    },
    async says({ account, name }, text) {
      const id = hex(randomBytes(16));
      const queued = { type: 'sent', id, to: name, text, sentAt: 3, state: 'queued' } as const;
      const { keys: places } = await storage.commit({
        append: [departure(queued, outboxBeside(name))],
      });
      const settling = {
        account: { name: island.name },
        storage,
        own: openOwnPerson(storage, renew),
        now: Date.now,
      };
      for (const key of places) await settle(settling, key, { state: 'accepted', peer: account });
    },
    async meets(list) {
      await storage.commit({ put: [...personRows(list), pendingContact(list.account)] });
    },
    history: () => messagesAfter(storage, '', 10_000),
    async told() {
      return (await home.history()).map((message) =>
        message.type === 'sent'
          ? `to ${message.to}: ${message.text}`
          : `${message.from}: ${message.type === 'message' ? message.text : ''}`,
      );
    },
  };
  return home;
}
