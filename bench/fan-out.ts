/**
 * One message to a person with 16 devices, as the sender's client makes it: 16 ratchets, 16 sealed
 * envelopes, one commit to its storage, beside Signal's own library with stores in memory.
 */
import { contentTypes, seal } from '@island/protocol/crypto/sealed-envelope.ts';
import { certificateBytes } from '@island/protocol/crypto/sender-certificate.ts';
import { LibsignalDevice } from './libsignal-device.ts';
import { establish, withDevices, yardstickName } from './ratchet.ts';
import { type Effort, type Measured, perCpuSecond, type Scenario } from './scenario.ts';

const devices = 16;
/** A short text after padding. */
const plaintext = new Uint8Array(256).fill(0x61);

/** The other library's sender, and the devices that have answered it. */
async function libsignalFan(): Promise<[LibsignalDevice, LibsignalDevice[]]> {
  const sender = new LibsignalDevice('a');
  const recipients = Array.from({ length: devices }, (_, at) => new LibsignalDevice(`b${at}`));
  for (const each of recipients) {
    await sender.start(each.address, await each.bundle(1));
    await each.decrypt(sender.address, await sender.encrypt(each.address, plaintext));
    await sender.decrypt(each.address, await each.encrypt(sender.address, plaintext));
  }
  return [sender, recipients];
}

/** `sealed`: with the layer that hides the sender, on both sides. */
function fanOut(sealed: boolean, { quick }: Effort): Promise<Measured> {
  const messages = quick ? 20 : 100;
  return withDevices(devices, async (left, right, pairs, box) => {
    await establish(left, right, pairs, box);
    const [sender, recipients] = await libsignalFan();
    const certificate = sender.certificate();
    const chain = new Uint8Array(certificateBytes);
    const turns = pairs.map((pair) => ({ conversation: pair.left, seal: plaintext }));
    const ours = async () => {
      for (let sent = 0; sent < messages; sent++) {
        const made = await left.step(turns);
        if (!sealed) continue;
        for (const [at, message] of made.entries()) {
          const pair = pairs[at];
          if (!pair) continue;
          const type = contentTypes.ratchet;
          seal(pair.rightSide.own.dik.public, { certificate: chain, type, message });
        }
      }
      return messages;
    };
    const yardstick = async () => {
      for (let sent = 0; sent < messages; sent++) {
        for (const { address } of recipients) {
          if (sealed) await sender.seal(address, plaintext, certificate);
          else await sender.encrypt(address, plaintext);
        }
      }
      return messages;
    };
    return await perCpuSecond(ours, yardstick, quick ? 3 : 9);
  });
}

const unit = `messages to ${devices} devices per CPU second`;

export const scenarios: readonly Scenario[] = [
  {
    name: 'fan-out: ratchets',
    unit,
    better: 'higher',
    yardstickName,
    measure: (effort) => fanOut(false, effort),
  },
  {
    name: 'fan-out: sealed',
    unit,
    better: 'higher',
    yardstickName,
    measure: (effort) => fanOut(true, effort),
  },
];
