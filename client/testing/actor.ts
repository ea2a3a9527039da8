/** For tests: a device of a person on real services whose program is opened, ended, killed, and put back from a copy. */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { type DeviceLink, parseIslandLink } from '@island/protocol/wire/island-link.ts';
import { readAccount } from '../account/account.ts';
import { revokeDevice } from '../account/own-devices.ts';
import { type Islander, type IslanderEvent, openIslander } from '../islander.ts';
import { giveByLink, joinByLink, offerLink } from '../joining/linking.ts';
import { register } from '../joining/registration.ts';
import { waiting } from '../sending/outbox.ts';
import { type CopiedStorage, copiedStorage } from './copied-storage.ts';
import { credentials, home, opened } from './member-home.ts';
import { dying, Killed, type Life } from './mortal.ts';
import type { RealIsland } from './real-island.ts';
import { roughPlatform, type Weather } from './rough-line.ts';
import { watchedPlatform } from './unanswered.ts';

export interface Around {
  island: RealIsland;
  weather: () => Weather;
  random: () => number;
}

export interface Actor {
  /** `alice.1`. */
  readonly label: string;
  readonly name: string;
  readonly device: number;
  readonly storage: CopiedStorage;
  /** While its program runs. */
  readonly islander: Islander | undefined;
  readonly events: IslanderEvent[];
  /** What ended sending or receiving, other than its death. */
  readonly failures: Error[];
  /** Requests on the sealed way, over all its lives. */
  readonly sends: number;
  /** Milliseconds that its clock is ahead of the island's. */
  skew: number;
  open(): Promise<void>;
  /** As a person ends a program. */
  close(): Promise<void>;
  /** It dies after so many more steps (mortal.ts), if it comes to that. */
  dieIn(steps: number): void;
  /** True once it is dead; then it is buried, and can be opened again. */
  bury(): Promise<boolean>;
  /** Ends it at once, as kill -9 does. */
  kill(): Promise<void>;
  backUp(): Promise<void>;
  /** Puts the last backup back; false when there is none. */
  putBack(): Promise<boolean>;
  /** Makes another device of the same person. */
  link(): Promise<Actor>;
  remove(device: number): Promise<void>;
  /** In a line: what it asked and has no answer to, what did not leave yet, what it did last. */
  waitsFor(): Promise<string>;
}

export async function newcomer(around: Around, name: string): Promise<Actor> {
  const { island } = around;
  const storage = copiedStorage();
  await register(home(island, storage).joining, await island.link(), name, credentials);
  return actor(around, name, 1, storage);
}

/** Whether the account has the device, as this home knows it. */
async function lists(storage: CopiedStorage, device: number): Promise<boolean> {
  const account = await readAccount(storage);
  return openDeviceList(account?.list ?? new Uint8Array(0)).devices.some(
    (cert) => cert.device === device,
  );
}

function actor(around: Around, name: string, device: number, first: CopiedStorage): Actor {
  const { island, weather, random } = around;
  const events: IslanderEvent[] = [];
  const failures: Error[] = [];
  let storage = first;
  let running: { islander: Islander; life: Life } | undefined;
  let backup: (() => Promise<CopiedStorage>) | undefined;
  let skew = 0;
  let sends = 0;
  const asked = new Map<string, number>();
  const now = () => island.clock.now() + skew;
  const quietly = () => opened(island, home(island, storage));

  async function end(): Promise<void> {
    const { islander } = running ?? {};
    running = undefined;
    // What is dead can write nothing, and says so.
    try {
      await islander?.[Symbol.asyncDispose]();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
  }

  const self: Actor = {
    label: `${name}.${device}`,
    name,
    device,
    get storage() {
      return storage;
    },
    get islander() {
      return running?.islander;
    },
    events,
    failures,
    get sends() {
      return sends;
    },
    get skew() {
      return skew;
    },
    set skew(ms) {
      skew = ms;
    },
    async open() {
      if (running) return;
      const rough = roughPlatform(island.platform(), weather, random, () => {
        sends += 1;
      });
      const platform = watchedPlatform(rough, asked);
      const joining = { storage, platform, now };
      const life = dying({ storage, platform, joining }, Number.POSITIVE_INFINITY);
      const on = (event: IslanderEvent) => void events.push(event);
      const islander = await openIslander({ ...life.home, now, on });
      islander.failed.catch((error: Error) => {
        if (!life.dead) failures.push(error);
      });
      islander.startReceiving();
      islander.startSending();
      running = { islander, life };
    },
    async close() {
      await end();
    },
    dieIn(steps) {
      if (running) running.life.at = running.life.steps.length + steps;
    },
    async bury() {
      if (!running?.life.dead) return false;
      await end();
      return true;
    },
    async kill() {
      if (!running) return;
      running.life.end();
      await end();
    },
    async backUp() {
      backup = await storage.copy();
    },
    async putBack() {
      if (!backup) return false;
      await self.kill();
      storage = await backup();
      return true;
    },
    async link() {
      const { keeping } = await quietly();
      const { link, offer } = await offerLink(keeping);
      const fresh = copiedStorage();
      const shown = Promise.withResolvers<string>();
      const given = giveByLink(keeping, offer, async (digits) => {
        shown.resolve(digits);
        return true;
      });
      const { joining } = home(island, fresh);
      const person = { credentials, askDigits: () => shown.promise };
      await Promise.all([given, joinByLink(joining, parseIslandLink(link) as DeviceLink, person)]);
      const joined = await opened(island, home(island, fresh));
      return actor(around, name, joined.device, fresh);
    },
    async remove(other) {
      const { keeping } = await quietly();
      try {
        await revokeDevice(keeping, other, running?.islander.archive);
      } catch (error) {
        // The archive of who dies meanwhile comes after the removal: that stands.
        if (await lists(storage, other)) throw error;
      }
    },
    async waitsFor() {
      const since = performance.now();
      const asks = [...asked].map(
        ([what, at]) => `${what} since ${Math.round((since - at) / 1_000)} s`,
      );
      const rows = (await waiting(storage)).map((row) => {
        const later = Math.round(((row.notBefore ?? 0) - now()) / 1_000);
        const state = row.paid ? 'paid' : row.sealed ? 'sealed' : 'not sealed';
        return `${row.repair ? 'repair' : 'row'} to ${row.to} ${state}${later > 0 ? ` for ${later} s` : ''}`;
      });
      const last = running?.life.steps.at(-1) ?? 'nothing';
      return `${self.label}${running ? '' : ' (closed)'}: asked [${asks.join(', ')}], outbox [${rows.join(', ')}], last ${last}`;
    },
  };
  return self;
}
