import t from 'tap';
import { seededRandom } from '../vectors/seeded.ts';
import { deviceId } from '../wire/ids.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { x25519 } from './primitives.ts';
import type { Report } from './report.ts';
import { openReport, readSealedReport, sealReport } from './sealed-report.ts';
import { ann, bob, channel, mallory, one, space } from './testing/channel.ts';

const random = seededRandom('sealed-report.test');
const report: Report = {
  space,
  channel,
  posts: [{ seq: 1, messageKey: random(32) }],
  reason: 'spam',
  comment: '',
};
const [annsDik, bobsDik] = [x25519.generate(random), x25519.generate(random)];
const readers = [
  { account: ann, device: one, dik: annsDik.public },
  { account: bob, device: deviceId(2), dik: bobsDik.public },
];
const annsDevice = { account: ann, device: one, dik: annsDik };
const bobsDevice = { account: bob, device: deviceId(2), dik: bobsDik };
const sealed = sealReport(report, readers, random);
const unsealable = { name: 'CryptoFault', code: 'unsealable' };
const malformed = { name: 'Fault', code: 'malformed' };

t.test('those it was sealed for open a report, and nobody else', async (t) => {
  t.same(openReport(sealed, annsDevice), report);
  t.same(openReport(sealed, bobsDevice), report);
  t.throws(() => openReport(sealed, { ...annsDevice, account: mallory }), unsealable);
  t.throws(() => openReport(sealed, { ...annsDevice, dik: bobsDik }), unsealable);
  t.throws(() => openReport(sealed, { ...bobsDevice, account: ann, device: one }), unsealable);
});

t.test('a slot of one report opens no other, nor anything that was changed', async (t) => {
  const other = sealReport(report, readers, random);
  const slotsAt = sealed.length - 200;
  const mixed = new Uint8Array([...other.subarray(0, slotsAt), ...sealed.subarray(slotsAt)]);
  t.throws(() => openReport(mixed, annsDevice), unsealable);
  for (let at = 2; at < sealed.length - 100; at++) {
    const changed = Uint8Array.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    t.throws(() => openReport(changed, annsDevice), /./, `byte ${at}`);
  }
});

t.test('nobody is sealed for twice, somebody is, and not more than 64 devices', async (t) => {
  t.throws(() => sealReport(report, [], random), malformed);
  t.throws(() => sealReport(report, [...readers, ...readers], random), malformed);
  const many = Array.from({ length: 65 }, (_, i) => ({ ...readers[0], device: deviceId(i + 1) }));
  t.throws(() => sealReport(report, many as typeof readers, random), { code: 'too_large' });
  t.equal(
    readSealedReport(sealReport(report, many.slice(1) as typeof readers, random)).slots.length,
    64,
  );
});

t.test('fuzz: the decoder of sealed reports throws faults only', async (t) => {
  await fuzzDecoder(t, { decode: readSealedReport, samples: [sealed] });
  await fuzzDecoder(t, {
    decode: (bytes) => openReport(bytes, annsDevice),
    samples: [sealReport(report, readers.slice(0, 1), random)],
    authentic: true,
    otherFault: (error) => error instanceof Error && error.name === 'CryptoFault',
  });
});
