import * as fc from 'fast-check';
import t from 'tap';
import { Fault } from './fault.ts';
import {
  accountId,
  channelId,
  deviceId,
  deviceKey,
  envelopeId,
  personName,
  spaceId,
} from './ids.ts';

const malformed = { name: 'Fault', code: 'malformed' };

t.test(
  'ids of accounts, envelopes, spaces and channels are 32 lower-case hex digits',
  async (t) => {
    const good = '0123456789abcdef'.repeat(2);
    t.equal(accountId(good), good);
    t.equal(envelopeId(good), good);
    t.equal(spaceId(good), good);
    t.equal(channelId(good), good);
    for (const bad of [
      '',
      good.slice(1),
      `${good}0`,
      good.toUpperCase(),
      `${good}\n`,
      'g'.repeat(32),
    ]) {
      t.throws(() => accountId(bad), malformed, JSON.stringify(bad));
      t.throws(() => envelopeId(bad), malformed, JSON.stringify(bad));
      t.throws(() => spaceId(bad), malformed, JSON.stringify(bad));
      t.throws(() => channelId(bad), malformed, JSON.stringify(bad));
    }
  },
);

t.test('a device id is 1 to 2^32 - 1', async (t) => {
  t.equal(deviceId(1), 1);
  t.equal(deviceId(0xffff_ffff), 0xffff_ffff);
  for (const bad of [0, -1, 1.5, 0x1_0000_0000, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => deviceId(bad), malformed, String(bad));
  }
});

t.test('a device key has exactly one dot: it is two tokens of a bus subject', async (t) => {
  const key = deviceKey(accountId('0a'.repeat(16)), deviceId(12));
  t.equal(key, `${'0a'.repeat(16)}.12`);
});

t.test(
  'a name is 1 to 32 of a-z 0-9 . _ -, and begins and ends with a letter or digit',
  async (t) => {
    for (const good of ['a', '7', 'ann', 'a.b_c-d', 'x'.repeat(32)])
      t.equal(personName(good), good);
    const bad = [
      '',
      '.a',
      'a.',
      '-a',
      'a-',
      'Ann',
      'änn',
      'a b',
      'a/b',
      'a\n',
      'x'.repeat(33),
      'а',
    ];
    for (const name of bad) {
      t.throws(
        () => personName(name),
        { name: 'Fault', code: 'name_invalid' },
        JSON.stringify(name),
      );
    }
  },
);

t.test('fuzz: any text is an id or a fault', async () => {
  await fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
      for (const make of [accountId, envelopeId, personName]) {
        try {
          make(text);
        } catch (error) {
          if (!(error instanceof Fault)) return false;
        }
      }
      return true;
    }),
  );
});
