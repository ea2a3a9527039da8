/** M6: every device of the recipient and every other one of the sender's gets a message, and no other device. docs/protocol/dm.md §6 */
import { revokeDevice } from '@island/client/account/own-devices.ts';
import type { Islander } from '@island/client/islander.ts';
import { history } from '@island/client/messages/history.ts';
import { sendSealed } from '@island/client/transport/transport.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type DeviceId, deviceId, envelopeId } from '@island/protocol/wire/ids.ts';
import { decodeSend, encodeSend, type Send, sendPrice } from '@island/protocol/wire/send.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { tokenClasses } from '@island/protocol/wire/token.ts';
import type { Device } from './device.ts';
import { linked } from './devices.ts';
import { type Finding, type Findings, found } from './finding.ts';
import type { Person } from './people.ts';

const patience = 45_000;

export async function checkFanOut(alice: Person, bob: Person): Promise<Findings> {
  // What was sent for other promises went to the devices of then.
  const earlier = sentTo(bob, alice.account.account).length;
  const { device } = await linked(alice);
  await using second = device;
  const said = (text: string): string => `${alice.password} everywhere: ${text}`;
  const texts = { both: said('to both'), own: said('from one'), last: said('to one') };
  await using three = await bob.open();
  await using one = await alice.open();
  const reached: Finding[] = [];
  {
    await using two = await second.open();
    for (const each of [one, two, three]) {
      each.startReceiving();
      each.startSending();
    }
    await three.send(alice.name, [texts.both]);
    const here = await has(alice, one, texts.both);
    const there = await has(second, two, texts.both);
    await one.send(bob.name, [texts.own]);
    reached.push(
      found(here && there, `a message reached ${Number(here) + Number(there)} of 2 devices`),
      found(await has(bob, three, texts.own), 'one of the two wrote back'),
      found(await has(second, two, texts.own), 'the other one has what it wrote'),
    );
  }
  const before = sentTo(bob, alice.account.account).slice(earlier);
  const stale = await checkStale(alice, three);
  const forged = sentTo(bob, alice.account.account).length;
  await revokeDevice(alice.keeping, second.account.device);
  await three.send(alice.name, [texts.last]);
  const left = await has(alice, one, texts.last);
  const after = sentTo(bob, alice.account.account).slice(forged);
  const sent = [...before, ...after];
  const devices = (sent.at(-1)?.envelopes ?? []).map((envelope) => envelope.device);
  const missed = !(await heard(second)).includes(texts.last);
  const unlisted = sent.flatMap(({ envelopes }) => envelopes).map((envelope) => envelope.device);
  const known: DeviceId[] = [alice.account.device, second.account.device].map((n) => deviceId(n));
  return {
    summary:
      'a message is sealed for each device on the signed list; a list that is not the present one stores nothing; a removed device gets nothing',
    findings: [
      ...reached,
      ...stale,
      found(left && missed, 'after the removal of one, a message reached the other alone'),
      found(
        devices.join() === String(alice.account.device),
        `the request that was taken had envelopes for device ${devices.join(', ')}`,
      ),
      found(
        unlisted.every((each) => known.includes(each)),
        `${sent.length} requests had no envelope for a device that was on no list`,
      ),
    ],
  };
}

/** Requests to somebody, as they went over the wire. */
const sentTo = ({ sent }: Person, account: string): Send[] =>
  sent
    .filter(({ path }) => path === '/v1/send')
    .map(({ body }) => decodeSend(body))
    .filter((send) => send.account === account);

const heard = async ({ joining }: Device): Promise<string[]> =>
  (await history(joining.storage)).map((each) => (each.type === 'unreadable' ? '' : each.text));

/** Whether a text is in a home before patience ends. */
async function has(device: Device, { failed }: Islander, text: string): Promise<boolean> {
  const until = performance.now() + patience;
  const look = async (): Promise<boolean> => {
    while (!(await heard(device)).includes(text)) {
      if (performance.now() > until) return false;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return true;
  };
  return Promise.race([look(), failed]);
}

/** What a sender gets that leaves a device out, adds one, or goes by an older list. */
async function checkStale({ account }: Person, sender: Islander): Promise<Finding[]> {
  const { list } = await sender.people.refresh(account.name);
  const all = list.devices.map(({ device }) => device);
  const stranger = deviceId(list.lastDevice + 7);
  const tries: [what: string, devices: DeviceId[], epoch: number, told: RegExp][] = [
    ['one device is missing', all.slice(0, 1), list.epoch, /"missing":\[\d+\],"extra":\[\]/],
    ['a device is extra', [...all, stranger], list.epoch, /"missing":\[\],"extra":\[\d+\]/],
    ['the list is older', all, list.epoch - 1, /"missing":\[\],"extra":\[\]/],
  ];
  const price = sendPrice(all.length + 1, false);
  const tokens = await sender.wallet.take(tokenClasses.delivery, price, () => ({}));
  const findings: Finding[] = [];
  for (const [what, devices, epoch, told] of tries) {
    const envelopes = devices.map((device) => ({
      device,
      id: envelopeId(hex(randomBytes(16))),
      body: randomBytes(400),
    }));
    const send = { tokens, key: undefined, account: account.account, epoch, envelopes };
    const said = await sendSealed(sender.transport, encodeSend(send)).then(
      () => 'taken',
      (error: unknown) =>
        error instanceof Fault
          ? `${error.code} ${JSON.stringify({ missing: error.details?.['missing'], extra: error.details?.['extra'] })}`
          : String(error),
    );
    findings.push(found(said.startsWith('stale_devices') && told.test(said), `${what}: ${said}`));
  }
  return findings;
}
