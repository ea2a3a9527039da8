/** For tests: device lists as the directory's answer, without enrolments; it speaks under the directory's certificate. */
import { randomBytes } from 'node:crypto';
import { Fault } from '@island/protocol/wire/fault.ts';
import {
  type AccountId,
  accountId,
  type DeviceId,
  deviceId,
  type EnvelopeId,
  envelopeId,
} from '@island/protocol/wire/ids.ts';
import { directory } from '../../directory/contract.ts';
import type { Bus } from '../../kit/bus.ts';

/** What a directory would say of its log. */
export const testLogPins = {
  vkey: 'pi-kt/test+00000000+AQ==',
  vrf: new Uint8Array(32),
  policy: 'quorum none\n',
  policyNumber: 1,
  policyEntry: 0,
  witnessed: false,
};

export interface TestLists {
  /** How often it was asked. */
  asked: number;
  /** Answers nothing for as long as it is set. */
  down: boolean;
  /** A new account with these devices, epoch 1. */
  person(...devices: number[]): AccountId;
  /** Gives an account another list, and tells so unless `silently`. */
  change(account: AccountId, devices: number[], silently?: boolean): void;
  /** Like `change`, but the published log does not show the list until `publish`. */
  changeUnseen(account: AccountId, devices: number[]): void;
  publish(account: AccountId): void;
}

/** @param bus of the service `directory` */
export function testLists(bus: Bus): TestLists {
  interface List {
    epoch: number;
    devices: DeviceId[];
    /** The one that is published. */
    seen?: List;
  }
  const known = new Map<AccountId, List>();
  const lists: TestLists = {
    asked: 0,
    down: false,
    person(...devices) {
      const account = accountId(randomBytes(16).toString('hex'));
      known.set(account, { epoch: 1, devices: devices.map(deviceId) });
      return account;
    },
    change(account, devices, silently = false) {
      const epoch = (known.get(account)?.epoch ?? 0) + 1;
      known.set(account, { epoch, devices: devices.map(deviceId) });
      if (!silently) bus.publish(directory, 'changed', account, { epoch });
    },
    changeUnseen(account, devices) {
      const before = known.get(account);
      const epoch = (before?.epoch ?? 0) + 1;
      const seen = before?.seen ?? before;
      known.set(account, { epoch, devices: devices.map(deviceId), ...(seen && { seen }) });
      bus.publish(directory, 'changed', account, { epoch });
    },
    publish(account) {
      const list = known.get(account);
      if (list === undefined) return;
      const { epoch, devices } = list;
      known.set(account, { epoch, devices });
      bus.publish(directory, 'published', account, { epoch });
    },
  };
  const root = randomBytes(32);
  bus.handle(directory, 'senderRoot', async () => ({ root }));
  bus.handle(directory, 'log', async () => testLogPins);
  bus.handle(directory, 'devices', async ({ account }) => {
    lists.asked += 1;
    if (lists.down) throw new Fault('unavailable');
    const list = known.get(account);
    if (list === undefined) throw new Fault('unknown_person');
    const { epoch, devices, seen = list } = list;
    const required = devices.filter((device) => seen.devices.includes(device));
    return { epoch, devices, published: seen.epoch, required };
  });
  return lists;
}

export interface TestEnvelope {
  device: DeviceId;
  id: EnvelopeId;
  body: Uint8Array;
}

/** An envelope of random bytes, or of the text given. */
export const envelope = (device: number, body: number | string = 300): TestEnvelope => ({
  device: deviceId(device),
  id: envelopeId(randomBytes(16).toString('hex')),
  body: typeof body === 'number' ? randomBytes(body) : new TextEncoder().encode(body),
});
