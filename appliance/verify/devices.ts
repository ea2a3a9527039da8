/** A4: a device is added by another one, both get what is sent, and the one that is removed gets nothing more. docs/protocol/linking.md, devices.md §6 */

import { revokeDevice } from '@island/client/account/own-devices.ts';
import { giveByLink, joinByLink, offerLink } from '@island/client/joining/linking.ts';
import { arrivals } from '@island/client/messages/arrivals.ts';
import { departures } from '@island/client/messages/departures.ts';
import { call } from '@island/client/transport/transport.ts';
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { parseIslandLink } from '@island/protocol/wire/island-link.ts';
import { type Device, freshHome, openDevice, tokensOf } from './device.ts';
import { type Finding, type Findings, found } from './finding.ts';
import type { Person } from './people.ts';
import { refusal } from './storm.ts';
import { openSocket } from './tokens.ts';
import { among, spellings } from './traces.ts';

const patience = 30_000;
/** Milliseconds in which the socket of a removed device has to be closed. */
const promptly = 2000;

/** @param others further devices of the person, which are removed as well, so that the first one is left */
export async function checkDevices(
  person: Person,
  other: Person,
  others: readonly Device[],
): Promise<Findings> {
  const { device, digits } = await linked(person);
  await using _device = device;
  const listed = await listedDevices(other, person.name);
  const [first, second] = ['to both', 'to the one that is left'];
  const heard = await heardBy([person, device], other, person.name, first);

  await using socket = await openSocket(device, await device.session.token());
  const since = performance.now();
  await revokeDevice(person.keeping, device.account.device);
  const code = await socket.ended;
  const ms = Math.round(performance.now() - since);
  for (const each of others) await revokeDevice(person.keeping, each.account.device);
  const removed = await checkRemoved(device);
  const [after = []] = await heardBy([person], other, person.name, second);
  const left = await listedDevices(other, person.name);

  const own = [person.account, device.account];
  const distinct = new Set(
    own.flatMap(({ dsk, dik }) => [dsk, dik].map((key) => Buffer.from(key).toString('hex'))),
  );
  const privates = own.flatMap(({ aik, dsk, dik }) => [
    ...spellings('the identity key of the account', aik),
    ...spellings('a private key of a device', dsk),
    ...spellings('a private key of a device', dik),
    ...spellings('six digits of a link', digits),
  ]);
  const told = person.sent.flatMap(({ body }) => among(privates.slice(0, -1), body));
  return {
    summary: `a linked device got what was sent; removed, its socket closed in ${ms} ms and it got nothing more, and the other one went on`,
    findings: [
      found(
        /^\d{6}$/.test(digits),
        'six digits of the old device were right on the new one before a key was given',
      ),
      found(
        listed.includes(device.account.device) && distinct.size === 4,
        `the list of the account, signed by its identity key, names device ${listed.join(', ')}; each has keys of its own`,
      ),
      found(
        heard.every((texts) => texts.includes(first)),
        `a message reached ${heard.filter((texts) => texts.includes(first)).length} of 2 devices`,
      ),
      found(
        code === 4401 && ms < promptly,
        `the open socket of a removed device: closed with ${code} after ${ms} ms`,
      ),
      ...removed,
      found(left.join() === '1', `the list names device ${left.join(', ')}`),
      found(after.includes(second), 'what was sent then reached the device that is left'),
      found(
        told.length === 0,
        told.join('; ') ||
          `${person.sent.length} requests hold no private key of a device or of the account`,
      ),
    ],
  };
}

/** A second home becomes a device of the person, by a link from the first. */
export async function linked(person: Person): Promise<{ device: Device; digits: string }> {
  const { keeping, password, platform } = person;
  const { link, offer } = await offerLink(keeping);
  const parsed = parseIslandLink(link);
  if (parsed.kind !== 'link') throw new TypeError('not the link of a device');
  const shown = Promise.withResolvers<string>();
  const right = Promise.withResolvers<void>();
  const home = freshHome(platform);
  const [digits] = await Promise.all([
    shown.promise,
    giveByLink(keeping, offer, async (digits) => {
      shown.resolve(digits);
      await right.promise;
      return true;
    }),
    joinByLink(home, parsed, {
      credentials: { password },
      askDigits: () => shown.promise,
      onDigits: right.resolve,
    }),
  ]);
  return { device: await openDevice(home, password), digits };
}

/** As the log proves it to somebody else. */
async function listedDevices(other: Person, name: string): Promise<number[]> {
  await using islander = await other.open();
  const { list } = await islander.lookups.person(name);
  return openDeviceList(list).devices.map(({ device }) => device);
}

/** What each of these devices hears of `from` until `text` is among it. */
async function heardBy(
  devices: readonly Device[],
  from: Person,
  to: string,
  text: string,
): Promise<string[][]> {
  const signal = AbortSignal.timeout(patience);
  await using sender = await from.open();
  const keys = await sender.send(to, [text]);
  sender.startSending();
  for await (const { state } of departures(from.joining.storage, keys, signal))
    if (state !== 'accepted') throw new Error(`a message was not sent: ${state}`);
  return await Promise.all(
    devices.map(async (device) => {
      await using islander = await device.open();
      islander.startReceiving();
      const texts: string[] = [];
      const listen = async (): Promise<void> => {
        for await (const group of arrivals(device.joining.storage, signal)) {
          texts.push(...group.map((each) => (each.type === 'message' ? each.text : '')));
          if (texts.includes(text)) return;
        }
      };
      await Promise.race([listen(), islander.failed]);
      return texts;
    }),
  );
}

/** What a removed device has: a session, a password, its keys. */
async function checkRemoved(device: Device): Promise<Finding[]> {
  const { transport, joining } = device;
  const { access, refresh } = await tokensOf(joining.storage);
  const asked = await refusal(() => call(transport, 'prekeyCount', {}, { token: access }));
  const renewed = await refusal(() => device.refresh(refresh));
  const signedIn = await refusal(() => device.login());
  return [
    found(asked === 'session_revoked', `its access token: ${asked}`),
    found(renewed === 'session_revoked', `its refresh token: ${renewed}`),
    found(signedIn === 'wrong_credentials', `the password with its key: ${signedIn}`),
  ];
}
