/**
 * For tests: devices with the client's own sealing, opening and repairing, a clock that a test sets, and
 * mailboxes whose contents it hands over as it likes. Nothing here waits: a repair of a day takes a moment.
 */
import { createDevice, dayOf, signDeviceCert } from '@island/protocol/crypto/device.ts';
import {
  type DeviceList,
  firstDeviceList,
  nextDeviceList,
  openDeviceList,
  signDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import { oneTimeOf, openBatch } from '@island/protocol/crypto/prekeys.ts';
import { ed25519, randomBytes } from '@island/protocol/crypto/primitives.ts';
import { accountId, type DeviceKey, deviceId, deviceKey } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Account } from '../../account/account.ts';
import { type Message, messagesAfter } from '../../messages/messages.ts';
import { contactChanges, wroteTo } from '../../people/contacts.ts';
import type { OwnPerson } from '../../people/own-person.ts';
import type { People, Person } from '../../people/people.ts';
import { makePrekeys, openPrekeyBox, type PrekeyBox } from '../../ratchets/prekeys.ts';
import { openRatchets } from '../../ratchets/ratchets.ts';
import { type Opening, openEnvelopes } from '../../receiving/envelopes.ts';
import { enqueue, waiting } from '../../sending/outbox.ts';
import { Moot, type Sealing, sealRow } from '../../sending/sealing.ts';
import { settle } from '../../sending/settling.ts';
import { memoryStorage } from '../../storage/memory.ts';
import type { Batch, Commit, Row, Storage } from '../../storage/storage.ts';
import { Killed } from '../../testing/mortal.ts';
import { certify } from '../../testing/odd-answers.ts';
import { tendRepairs } from '../keeping.ts';

const never = new AbortController().signal;

export interface Letter {
  body: Uint8Array;
  /** Its first commit happened: the device may acknowledge it. */
  opened: boolean;
}

interface Published {
  signedPrekey: Uint8Array;
  lastResort: Uint8Array;
  batch: ReturnType<typeof openBatch>;
  handed: number;
}

/** Everybody, the island between them, and the time. */
export class World {
  now = Date.now();
  readonly persons = new Map<string, Person>();
  readonly devices = new Map<DeviceKey, Device>();
  readonly published = new Map<DeviceKey, Published>();
  readonly certificates = new Map<string, Uint8Array>();
  readonly #identities = new Map<string, ReturnType<typeof ed25519.generate>>();
  /** Requests that were accepted: whose device, how large each envelope was. */
  readonly sends: { from: DeviceKey; to: string; sizes: number[] }[] = [];
  /** Bundles that were handed out. */
  bundles = 0;
  /** How many devices from now on get the last resort. */
  exhausted = false;

  /** A person with so many devices. */
  async person(name: string, count = 1): Promise<Device[]> {
    const account = accountId(hex(randomBytes(16)));
    const aik = ed25519.generate();
    this.#identities.set(name, aik);
    const made: Device[] = [];
    for (let i = 1; i <= count; i++) made.push(await this.#join(name, account, i));
    return made;
  }

  /** One more device of somebody. */
  async join(name: string): Promise<Device> {
    const person = this.persons.get(name);
    if (!person) throw new Error(`${name} is not here`);
    return this.#join(name, person.account, person.list.lastDevice + 1);
  }

  /** They have let each other in, as if each had written to the other. */
  async meet(...devices: readonly Device[]): Promise<void> {
    for (const { account, storage } of devices) {
      const changes = contactChanges(storage);
      for (const { account: other } of devices)
        if (other.account !== account.account) await changes.change(other.account, wroteTo);
      await storage.commit(changes.rows());
    }
  }

  /** The device is on the list no more. */
  remove(device: Device): void {
    const { name } = device.account;
    const { list } = this.#known(name);
    const devices = list.devices.filter((cert) => cert.device !== device.account.device);
    this.#publish(name, nextDeviceList(list, { devices }, dayOf(this.now)));
    this.devices.delete(device.key);
  }

  #known(name: string): Person {
    const person = this.persons.get(name);
    if (!person) throw new Error(`${name} is not here`);
    return person;
  }

  #publish(name: string, state: Parameters<typeof signDeviceList>[0]): DeviceList {
    const aik = this.#identities.get(name);
    if (!aik) throw new Error(`${name} is not here`);
    const list = openDeviceList(signDeviceList(state, aik));
    this.persons.set(name, { name, account: list.account, list });
    return list;
  }

  async #join(name: string, account: Account['account'], number: number): Promise<Device> {
    const aik = this.#identities.get(name) ?? ed25519.generate();
    const keys = createDevice({ account, device: deviceId(number) });
    const cert = signDeviceCert(keys, aik.public, dayOf(this.now));
    const known = this.persons.get(name)?.list;
    const state = known
      ? nextDeviceList(known, { devices: [...known.devices, cert] }, dayOf(this.now))
      : firstDeviceList(cert, name);
    const list = this.#publish(name, state);
    const self: Account = {
      ...keys,
      ...{ name, aik, list, cert, generation: 1, pinned: { address: '', root: '' } },
    };
    const device = new Device(this, self);
    const { dsk, dik } = cert;
    const sender = { name, account, device: cert.device, aik: aik.public, dsk, dik, listEpoch: 1 };
    this.certificates.set(device.key, certify(sender));
    this.devices.set(device.key, device);
    await device.publishPrekeys(1);
    return device;
  }

  bundle(key: DeviceKey) {
    const found = this.published.get(key);
    const device = this.devices.get(key);
    if (!found || !device) throw new Error(`no prekeys of ${key}`);
    this.bundles += 1;
    const { signedPrekey, lastResort, batch } = found;
    const common = { device: device.account.device, signedPrekey };
    return this.exhausted
      ? { ...common, lastResort }
      : { ...common, oneTime: oneTimeOf(batch, found.handed++) };
  }
}

/** A storage that remembers which namespaces it has, and can make the program die at a commit. */
function mortal(): { storage: Storage; namespaces: Set<string>; fuse: { left: number } } {
  const storage = memoryStorage();
  const namespaces = new Set<string>();
  const fuse = { left: Number.POSITIVE_INFINITY };
  return {
    namespaces,
    fuse,
    storage: {
      ...storage,
      async commit(batch: Batch): Promise<Commit> {
        // Even: it dies before the commit; odd: after it, so that nobody hears of it.
        if (fuse.left === 0) throw new Killed('before');
        for (const { namespace } of [...(batch.put ?? []), ...(batch.append ?? [])])
          namespaces.add(namespace);
        for (const { beside = [] } of batch.append ?? [])
          for (const { namespace } of beside) namespaces.add(namespace);
        const done = await storage.commit(batch);
        fuse.left -= 2;
        if (fuse.left === -1) {
          fuse.left = 0;
          throw new Killed('after');
        }
        return done;
      },
      [Symbol.asyncDispose]: async () => undefined,
    },
  };
}

type Copy = Map<string, Row[]>;

/** One device: its home, and the program on it. */
export class Device {
  readonly key: DeviceKey;
  readonly mailbox: Letter[] = [];
  account: Account;
  /** Errors of envelopes that were dropped. */
  dropped = 0;
  readonly #world: World;
  #home = mortal();
  #box: PrekeyBox | undefined;
  #ratchets: Sealing['ratchets'] | undefined;

  constructor(world: World, account: Account) {
    this.#world = world;
    this.account = account;
    this.key = deviceKey(account.account, account.device);
  }

  get storage(): Storage {
    return this.#home.storage;
  }

  /** Its program ends and begins anew: only what was committed is there. */
  restart(): void {
    this.#box = undefined;
    this.#ratchets = undefined;
    this.#home.fuse.left = Number.POSITIVE_INFINITY;
  }

  /** It dies at a later commit: counted in halves, even before and odd after one. */
  dieAt(half: number): void {
    this.#home.fuse.left = half;
  }

  async publishPrekeys(first: number): Promise<void> {
    const next = { signed: first, lastResort: first, oneTime: first };
    const { dsk } = this.account;
    const wanted = { standing: true, batch: true };
    const made = makePrekeys(dsk, this.#world.now, wanted, next);
    await this.storage.commit({ put: made.rows });
    const { signedPrekey, lastResort, batch } = made;
    if (!signedPrekey || !lastResort || !batch) throw new Error('no prekeys');
    const opened = openBatch(batch, dsk.public);
    this.#world.published.set(this.key, { signedPrekey, lastResort, batch: opened, handed: 0 });
    this.#box = undefined;
  }

  async copy(): Promise<Copy> {
    const copy: Copy = new Map();
    for (const namespace of this.#home.namespaces)
      copy.set(namespace, await this.storage.list(namespace));
    return copy;
  }

  /** Another home with what this one has now, in the same island's eyes the same device. */
  async clone(): Promise<Device> {
    const clone = new Device(this.#world, this.account);
    await clone.#fill(await this.copy());
    return clone;
  }

  /** Put back from a copy, as storage/restored-home.ts notices: the generation rises, the prekeys are others. */
  async restore(copy: Copy): Promise<void> {
    const others = new Map([...copy].filter(([namespace]) => namespace !== 'prekeys'));
    await this.#fill(others);
    this.account = { ...this.account, generation: this.account.generation + 1 };
    this.restart();
    await this.publishPrekeys(this.account.generation * 1000);
  }

  async #fill(copy: Copy): Promise<void> {
    this.#home = mortal();
    const put = [...copy].flatMap(([namespace, rows]) =>
      rows.map(({ key, bytes }) => ({ namespace, key, bytes })),
    );
    await this.storage.commit({ put });
    // Keys that the storage gives out go on where the copy ended.
    const last = Math.max(0, ...put.map(({ key }) => (/^\d{16}$/.test(key) ? Number(key) : 0)));
    for (let at = 0; at < last; at++)
      await this.storage.commit({ append: [{ namespace: 'spent', bytes: new Uint8Array(0) }] });
  }

  /** As if these rows had never been. */
  async lose(namespace: string): Promise<void> {
    const rows = await this.storage.list(namespace);
    await this.storage.commit({ remove: rows.map(({ key }) => ({ namespace, key })) });
    this.restart();
  }

  #parts() {
    const world = this.#world;
    const { account, storage } = this;
    const now = () => world.now;
    const people: People = {
      find: async (name) => world.persons.get(name) as Person,
      refresh: async (name) => world.persons.get(name) as Person,
      accept: async (name) => world.persons.get(name) as Person,
      known: async (whose) =>
        [...world.persons.values()].find((person) => person.account === whose),
    };
    const present = async () => world.persons.get(account.name) as Person;
    const own: OwnPerson = { present, refresh: present };
    const certificates: Sealing['certificates'] = {
      own: async () => world.certificates.get(this.key) ?? new Uint8Array(0),
      read: async (bytes) => {
        const found = [...world.certificates].find(([, each]) => hex(each) === hex(bytes));
        const sender = found && world.devices.get(found[0] as DeviceKey);
        if (!sender) throw new Error('nobody has that certificate');
        const { name, account: whose, device, cert } = sender.account;
        const { aik, dsk, dik } = cert;
        const times = { notBefore: 0, expires: 0, kid: 1 };
        return { name, account: whose, device, aik, dsk, dik, listEpoch: 1, ...times };
      },
      keep: async () => undefined,
    };
    const lookups = {
      bundles: async (whose: typeof account.account, devices: readonly number[]) => ({
        bundles: devices.map((device) => world.bundle(deviceKey(whose, deviceId(device)))),
      }),
    } as unknown as Sealing['lookups'];
    this.#ratchets ??= openRatchets(storage, account, now);
    const ratchets = this.#ratchets;
    return { account, storage, people, own, certificates, lookups, ratchets, now };
  }

  /** Queues a text. False when it died, before or after. */
  async say(to: string, text: string): Promise<boolean> {
    const id = hex(randomBytes(16));
    const sentAt = this.#world.now;
    const message = { type: 'sent', id, to, text, sentAt, state: 'queued' } as const;
    return this.#living(async () => (await enqueue(this.storage, [message])).length > 0);
  }

  /** Sends all that is queued; answers how many requests that took. False when it died. */
  async flush(): Promise<number | false> {
    return this.#living(async () => {
      const parts = this.#parts();
      let sent = 0;
      for (const row of await waiting(this.storage)) {
        try {
          let order = row.sealed ?? (await sealRow(parts, row, undefined, never));
          const list = this.#world.persons.get(row.to)?.list;
          if (list?.epoch !== order.epoch) order = await sealRow(parts, row, order, never);
          this.#post(row.to, order);
          sent += 1;
          await settle(parts, row.key, { state: 'accepted', peer: order.account });
        } catch (error) {
          if (!(error instanceof Moot)) throw error;
          await settle(parts, row.key, { state: 'failed', reason: '' });
        }
      }
      return sent;
    });
  }

  #post(to: string, order: Awaited<ReturnType<typeof sealRow>>): void {
    const sizes = order.envelopes.map(({ body }) => body.length);
    this.#world.sends.push({ from: this.key, to, sizes });
    for (const { device, body } of order.envelopes) {
      const target = this.#world.devices.get(deviceKey(order.account, device));
      const known = target?.mailbox.some((letter) => Buffer.compare(letter.body, body) === 0);
      if (target && !known) target.mailbox.push({ body, opened: false });
    }
  }

  /** Opens letters in one batch and acknowledges them. False when it died: they come again. */
  async open(letters: readonly Letter[]): Promise<boolean> {
    const opened = await this.#living(async () => {
      this.#box ??= await openPrekeyBox(this.storage);
      const opening: Opening = {
        ...this.#parts(),
        box: this.#box,
        onDropped: () => {
          this.dropped += 1;
        },
        channels: { take: async () => undefined },
        onTyping: () => undefined,
      };
      await openEnvelopes(opening, letters, never);
      return true;
    });
    if (!opened) return false;
    for (const letter of letters) {
      const at = this.mailbox.indexOf(letter);
      if (at >= 0) this.mailbox.splice(at, 1);
    }
    return true;
  }

  /** Opens all that is there, in its order. */
  async openAll(): Promise<void> {
    while (this.mailbox.length > 0) await this.open(this.mailbox.slice(0, 64));
  }

  /** One look of the keeper of repairs. False when it died. */
  async tend(): Promise<number | false> {
    return this.#living(() => tendRepairs(this.#parts()));
  }

  async #living<T>(work: () => Promise<T>): Promise<T | false> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      this.restart();
      return false;
    }
  }

  async messages(): Promise<Message[]> {
    return messagesAfter(this.storage, '', 100_000);
  }

  /** Texts that came. */
  async heard(): Promise<string[]> {
    return (await this.messages()).flatMap((each) => (each.type === 'message' ? each.text : []));
  }

  async unread(): Promise<{ recovering: number; lost: number }> {
    const numbers = { recovering: 0, lost: 0 };
    for (const each of await this.messages())
      if (each.type === 'unreadable' && each.state) numbers[each.state] += each.count ?? 1;
    return numbers;
  }
}

/** Lets everything settle: sends, opens and repairs until nobody has anything to do, however long that takes. */
export async function settleAll(world: World, devices: readonly Device[]): Promise<void> {
  for (let quiet = 0; quiet < 3; ) {
    const sends = world.sends.length;
    let next = Number.POSITIVE_INFINITY;
    for (const device of devices) {
      await device.openAll();
      const due = await device.tend();
      await device.flush();
      if (due !== false) next = Math.min(next, due);
    }
    const idle =
      world.sends.length === sends && devices.every(({ mailbox }) => mailbox.length === 0);
    world.now += 3_000;
    if (!idle) quiet = 0;
    else if (next === Number.POSITIVE_INFINITY) quiet += 1;
    else world.now = Math.max(world.now, next);
  }
}
