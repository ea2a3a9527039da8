/** Whatever comes over the bus is decoded or refused; nothing else happens. */
import { Fault } from '@island/protocol/wire/fault.ts';
import fc from 'fast-check';
import t from 'tap';
import { answerBytes, busBytes, faultBytes, fromBytes, readAnswer, toBytes } from './bus-wire.ts';

/** Runs `decode`; anything but a value or a Fault is an error of ours. */
function refuses(decode: () => unknown): boolean {
  try {
    decode();
    return false;
  } catch (error) {
    if (error instanceof Fault) return true;
    throw error;
  }
}

t.test('random and mutated bytes are a value or a fault', (t) => {
  const sound = answerBytes({
    seq: 5,
    bytes: new Uint8Array(20),
    names: ['a', 'b'],
    more: { deep: [1, 2, [3]] },
  });
  const mutated = fc.tuple(fc.nat(sound.length - 1), fc.nat(255)).map(([at, value]) => {
    const bytes = sound.slice();
    bytes[at] = value;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated), (bytes) => {
      refuses(() => fromBytes(bytes));
      refuses(() => readAnswer(bytes));
    }),
    { numRuns: 5000, verbose: true },
  );
  t.end();
});

t.test('every proper beginning and every longer form of a message is refused', (t) => {
  const sound = toBytes({ a: [1, 'two', new Uint8Array(3)], b: { c: true } });
  for (let length = 0; length < sound.length; length++)
    t.ok(refuses(() => fromBytes(sound.subarray(0, length))));
  t.ok(refuses(() => fromBytes(Buffer.concat([sound, Buffer.from([0])]))));
  t.end();
});

t.test(
  'other spellings, indefinite lengths, tags, repeated keys and depth without end are refused',
  (t) => {
    const hostile = {
      'long spelling of 1': [0x18, 0x01],
      'indefinite array': [0x9f, 0x01, 0xff],
      'indefinite text': [0x7f, 0x61, 0x61, 0xff],
      'tagged date': [0xc1, 0x01],
      'key twice': [0xa2, 0x61, 0x61, 0x01, 0x61, 0x61, 0x02],
      'key that is a number': [0xa1, 0x01, 0x02],
      undefined: [0xf7],
      'not a number': [0xf9, 0x7e, 0x00],
      infinity: [0xf9, 0x7c, 0x00],
      'larger than 2^53': [0x1b, 0x00, 0x20, 0, 0, 0, 0, 0, 0],
      'announces 4 GiB': [0x5a, 0xff, 0xff, 0xff, 0xff],
      'announces 4 G entries': [0x9a, 0xff, 0xff, 0xff, 0xff],
    };
    for (const [name, bytes] of Object.entries(hostile))
      t.ok(
        refuses(() => fromBytes(Uint8Array.from(bytes))),
        name,
      );
    for (const opening of [0x81, 0xa1, 0xc1, 0x9f])
      t.ok(refuses(() => fromBytes(new Uint8Array(busBytes).fill(opening))));
    t.end();
  },
);

t.test('a key named __proto__ is a key like others', (t) => {
  const read = fromBytes(
    Buffer.concat([Buffer.from([0xa1, 0x69]), Buffer.from('__proto__'), toBytes({ admin: true })]),
  );
  t.equal((read as { admin?: boolean }).admin, undefined);
  t.equal(({} as { admin?: boolean }).admin, undefined);
  t.end();
});

t.test('answers carry a value or a fault; an unknown code is `internal`', (t) => {
  t.strictSame(readAnswer(answerBytes({ a: undefined, b: 1 })), { b: 1 });
  t.throws(() => readAnswer(faultBytes(new Fault('stale_devices', { missing: [1], epoch: 2 }))), {
    code: 'stale_devices',
    details: { missing: [1], epoch: 2 },
  });
  t.throws(() => readAnswer(toBytes([0, 'invented', null])), { code: 'internal' });
  t.throws(() => readAnswer(toBytes([0, 'malformed', { text: 'x' }])), { code: 'internal' });
  t.throws(() => toBytes(new Uint8Array(busBytes)), { code: 'too_large' });
  t.end();
});
