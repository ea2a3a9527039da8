/** What accounts answers about devices and the record of keys. docs/protocol/devices.md, keys.md, linking.md */
import type { Bus } from '../kit/bus.ts';
import { unixSeconds } from '../kit/clock.ts';
import { accounts } from './contract.ts';
import { putRecord, readRecord, updateDevices } from './devices/device-changes.ts';
import { findJoining } from './devices/joinings.ts';
import type { LinkSide, Links } from './devices/links.ts';
import { join, type NewDevices, recovery } from './devices/new-device.ts';
import { beginReset, cancelReset } from './devices/reset.ts';
import { mustGoOn } from './sessions/session-ends.ts';

export type DeviceParts = NewDevices & { links: Links };

export function answerDevices(bus: Bus, parts: DeviceParts): void {
  const { store, clock, links } = parts;
  const now = () => unixSeconds(clock);
  /** A joining that is over speaks no more. Devices are known to the gateway. */
  const mustStand = async ({ account, joining }: LinkSide) => {
    if (joining !== undefined) await findJoining(store.read, account, joining, now());
  };

  bus.handle(accounts, 'record', (request) => readRecord(parts, request));
  bus.handle(accounts, 'putRecord', async (request) => {
    await putRecord(parts, request);
    return {};
  });
  bus.handle(accounts, 'updateDevices', async (request) => {
    await updateDevices(parts, request);
    return {};
  });
  bus.handle(accounts, 'recovery', (request) => recovery(parts, request));
  bus.handle(accounts, 'join', (request) => join(parts, request));

  bus.handle(accounts, 'linkOpen', async ({ offer, ...asker }) => {
    await mustGoOn(store.read, asker, now());
    links.open(asker.account, offer);
    return {};
  });
  bus.handle(accounts, 'linkPut', async ({ account, joining, message, ...at }) => {
    const side = { account, joining };
    await mustStand(side);
    links.put(side, at, message);
    return {};
  });
  bus.handle(accounts, 'linkGet', async ({ account, joining, ...at }) => {
    const side = { account, joining };
    await mustStand(side);
    const message = links.get(side, at);
    return message === undefined ? {} : { message };
  });

  bus.handle(accounts, 'resetBegin', async ({ account, joining }) => {
    const seconds = await store.write(async (db) => {
      await findJoining(db, account, joining, now());
      return beginReset(db, account, now());
    });
    return { seconds };
  });
  bus.handle(accounts, 'resetCancel', async (asker) => {
    await store.write(async (db) => {
      await mustGoOn(db, asker, now());
      await cancelReset(db, asker.account);
    });
    return {};
  });
}
