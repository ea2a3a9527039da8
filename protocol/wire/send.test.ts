import t from 'tap';
import { accountId, deviceId, envelopeId } from './ids.ts';
import { limits } from './limits.ts';
import { decodeSend, encodeSend, orderOf, type Send } from './send.ts';
import { fuzzDecoder } from './testing/decoder-fuzz.ts';
import { type Token, tokenClasses } from './token.ts';

const id = (byte: number) => envelopeId(byte.toString(16).padStart(2, '0').repeat(16));
const envelope = (device: number, length: number) => {
  return { device: deviceId(device), id: id(device), body: new Uint8Array(length).fill(device) };
};
const send = (...envelopes: Send['envelopes']): Send => {
  return { tokens: [], key: undefined, account: accountId('0a'.repeat(16)), epoch: 7, envelopes };
};
const token = (byte: number): Token => {
  const [input, output] = [new Uint8Array(32).fill(byte), new Uint8Array(64).fill(byte)];
  return { class: tokenClasses.delivery, day: 20_000, input, output };
};
const tokens = (count: number) => Array.from({ length: count }, (_, i) => token(i));
const key = new Uint8Array(16).fill(7);

t.test('what is encoded is decoded, devices in their order', async (t) => {
  const sent = send(envelope(3, 450), envelope(1, 0), envelope(250, limits.envelopeBytes));
  t.same(decodeSend(encodeSend(sent)), sent);
  const paid = { ...sent, tokens: tokens(limits.sendTokens) };
  t.same(decodeSend(encodeSend(paid)), paid);
  t.same(decodeSend(encodeSend({ ...paid, key })), { ...paid, key });
});

t.test('more tokens than any send costs, one of no class, or one twice are refused', async (t) => {
  const sent = send(envelope(1, 1));
  for (const wrong of [tokens(limits.sendTokens + 1), [token(1), token(2), token(1)]]) {
    const bytes = encodeSend({ ...sent, tokens: wrong });
    t.throws(() => decodeSend(bytes), { name: 'Fault', code: 'malformed' });
  }
  const again = { ...token(1), output: new Uint8Array(64) };
  const twice = encodeSend({ ...sent, tokens: [token(1), again] });
  t.throws(() => decodeSend(twice), { name: 'Fault', code: 'malformed' });
  for (const wrong of [0, 3, 255]) {
    const bytes = encodeSend({ ...sent, tokens: [token(1)] });
    bytes[3] = wrong;
    t.throws(() => decodeSend(bytes), { name: 'Fault', code: 'malformed' });
  }
});

t.test('a delivery key is there or not: nothing between', async (t) => {
  const bytes = encodeSend(send(envelope(1, 1)));
  bytes[3] = 2;
  t.throws(() => decodeSend(bytes), { name: 'Fault', code: 'malformed' });
});

t.test(
  'what tokens pay for is the same bytes, whatever is paid and with or without a key',
  async (t) => {
    const sent = send(envelope(1, 20), envelope(2, 0));
    const order = orderOf(encodeSend(sent));
    t.equal(order.length, 16 + 4 + 1 + 2 * (4 + 16 + 4) + 20);
    for (const count of [0, 1, limits.sendTokens]) {
      t.same(orderOf(encodeSend({ ...sent, tokens: tokens(count) })), order);
      t.same(orderOf(encodeSend({ ...sent, tokens: tokens(count), key })), order);
    }
    t.notSame(orderOf(encodeSend({ ...sent, epoch: 8 })), order);
  },
);

t.test(
  'the largest envelope for every device of an account, paid at the highest price, fits',
  async (t) => {
    const envelopes = Array.from({ length: limits.devices }, (_, i) =>
      envelope(i + 1, limits.envelopeBytes),
    );
    const bytes = encodeSend({ ...send(...envelopes), tokens: tokens(limits.sendTokens), key });
    t.ok(bytes.length <= limits.sendBytes, `${bytes.length}`);
  },
);

t.test('no envelope, too many, or two for one device are refused', async (t) => {
  const many = Array.from({ length: limits.sendEnvelopes + 1 }, (_, i) => envelope(i + 1, 1));
  for (const wrong of [send(), send(...many), send(envelope(2, 1), envelope(2, 1))]) {
    t.throws(() => decodeSend(encodeSend(wrong)), { name: 'Fault', code: 'malformed' });
  }
  t.doesNotThrow(() => decodeSend(encodeSend(send(...many.slice(1)))));
});

t.test('device 0 does not exist', async (t) => {
  const bytes = encodeSend(send(envelope(1, 1)));
  bytes[4 + 16 + 4 + 1 + 3] = 0;
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
      encodeSend({ ...send(envelope(1, 3)), tokens: tokens(2), key }),
    ],
  });
});
