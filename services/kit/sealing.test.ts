/** Values sealed to their place in a database. docs/protocol/accounts.md §8 */
import { randomBytes } from 'node:crypto';
import t from 'tap';
import { createSealing, type Place } from './sealing.ts';

const place: Place = { table: 'people', column: 'totp_secret', row: 'a' };
const sealing = createSealing(randomBytes(32));

t.test('what is sealed opens where it was sealed, of any length', async (t) => {
  for (const length of [0, 1, 20, 32, 1700]) {
    const secret = new Uint8Array(randomBytes(length));
    const sealed = sealing.seal(place, secret);
    t.same(sealing.open(place, sealed), secret);
    t.equal(sealed.length, length + 29);
    if (length > 16) t.notOk(sealed.includes(Buffer.from(secret)));
  }
});

t.test('the same secret twice is sealed under two nonces', async (t) => {
  const secret = randomBytes(32);
  t.notSame(sealing.seal(place, secret), sealing.seal(place, secret));
});

t.test('A2 pitfall: a value moved to another row, column or table does not open', async (t) => {
  const sealed = sealing.seal(place, randomBytes(20));
  for (const moved of [
    { ...place, row: 'b' },
    { ...place, column: 'totp_pending' },
    { ...place, table: 'joinings' },
    // The lengths are part of what is authenticated: no boundary can be shifted.
    { table: 'peoplet', column: 'otp_secret', row: 'a' },
  ]) {
    t.throws(() => sealing.open(moved, sealed), /does not open/);
  }
  t.throws(() => createSealing(randomBytes(32)).open(place, sealed), /does not open/);
});

t.test('pitfall: short GCM tag: every changed, missing or added byte is noticed', async (t) => {
  const sealed = sealing.seal(place, randomBytes(20));
  for (let i = 0; i < sealed.length; i++) {
    const changed = Buffer.from(sealed);
    changed[i] = (changed[i] ?? 0) ^ 1;
    t.throws(() => sealing.open(place, changed), /does not open/);
    t.throws(() => sealing.open(place, sealed.subarray(0, i)), /does not open/);
  }
  t.throws(() => sealing.open(place, Buffer.concat([sealed, Buffer.of(0)])), /does not open/);
});

t.test('a refusal names no row', async (t) => {
  const message = (() => {
    try {
      sealing.open({ ...place, row: 'somebody' }, randomBytes(40));
    } catch (error) {
      return String(error);
    }
    return '';
  })();
  t.match(message, 'people.totp_secret');
  t.notMatch(message, 'somebody');
});
