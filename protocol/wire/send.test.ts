import t from 'tap';
import { accountId, deviceId, envelopeId } from './ids.ts';
import { limits } from './limits.ts';
import { decodeSend, encodeSend, type Send } from './send.ts';
import { fuzzDecoder } from './testing/decoder-fuzz.ts';

const id = (byte: number) => envelopeId(byte.toString(16).padStart(2, '0').repeat(16));
const envelope = (device: number, length: number) => {
  return { device: deviceId(device), id: id(device), body: new Uint8Array(length).fill(device) };
};
const send = (...envelopes: Send['envelopes']): Send => {
  return { account: accountId('0a'.repeat(16)), epoch: 7, envelopes };
};

t.test('what is encoded is decoded, devices in their order', async (t) => {
  const sent = send(envelope(3, 450), envelope(1, 0), envelope(250, limits.envelopeBytes));
  t.same(decodeSend(encodeSend(sent)), sent);
});

t.test('no envelope, too many, or two for one device are refused', async (t) => {
  const many = Array.from({ length: limits.sendEnvelopes + 1 }, (_, i) => envelope(i + 1, 1));
  for (const wrong of [send(), send(...many), send(envelope(2, 1), envelope(2, 1))]) {
    t.throws(() => decodeSend(encodeSend(wrong)), { name: 'Fault', code: 'malformed' });
  }
  t.doesNotThrow(() => decodeSend(encodeSend(send(...many.slice(1)))));
});

t.test('device 0 does not exist', async (t) => {
  const bytes = encodeSend(send(envelope(1, 1)));
  bytes[2 + 16 + 4 + 1 + 3] = 0;
  t.throws(() => decodeSend(bytes), { name: 'Fault', code: 'malformed' });
});

t.test('an envelope and a body above their limits are refused', async (t) => {
  const large = send(envelope(1, limits.envelopeBytes + 1));
  t.throws(() => decodeSend(encodeSend(large)), { name: 'Fault', code: 'too_large' });
  const over = new Uint8Array(limits.sendBytes + 1);
  t.throws(() => decodeSend(over), { name: 'Fault', code: 'too_large' });
});

t.test('fuzz: the send decoder throws faults only', async (t) => {
  await fuzzDecoder(t, {
    decode: decodeSend,
    encode: encodeSend,
    samples: [
      encodeSend(send(envelope(1, 0), envelope(2, 40))),
      encodeSend(send(envelope(9, 600))),
    ],
  });
});
