/** Records at rest. docs/protocol/at-rest.md §3 */
import { createSecretKey, randomBytes } from 'node:crypto';
import t from 'tap';
import {
  columnBytes,
  kidOf,
  openRecord,
  placeBytes,
  recordBytes,
  sealRecord,
} from './at-rest-record.ts';

const key = createSecretKey(randomBytes(32));
const place = (service: string, table: string, column: string, row: string) =>
  placeBytes(columnBytes(service, table, column), Buffer.from(row));
const here = place('delivery', 'envelopes', 'body', 'a');

t.test('M5: known answer of the format', async (t) => {
  const fixed = createSecretKey(Buffer.alloc(32, 7));
  t.equal(here.toString('hex'), '01000864656c69766572790009656e76656c6f7065730004626f6479000161');
  const record = sealRecord(fixed, 258, here, Buffer.from('kept'), { nonce: Buffer.alloc(12, 9) });
  t.equal(
    record.toString('hex'),
    '01000001020909090909090909090909094ce0f4e04b2d44c7e22e95b086cbb5d02aa7f080',
  );
  t.same(openRecord(fixed, here, record), Buffer.from('kept'));
});

t.test('M5: what is sealed opens where it was sealed, of any length', async (t) => {
  for (const length of [0, 1, 20, 1700, 65_552]) {
    const plain = randomBytes(length);
    const record = sealRecord(key, 7, here, plain);
    t.equal(record.length, length + recordBytes);
    t.equal(kidOf(record), 7);
    t.same(openRecord(key, here, record), plain);
    if (length > 16) t.notOk(record.includes(plain));
  }
});

t.test('M5: no nonce comes twice, also beyond one stock of randomness', async (t) => {
  const nonces = new Set<string>();
  for (let i = 0; i < 3000; i++)
    nonces.add(sealRecord(key, 1, here, Buffer.alloc(0)).subarray(5, 17).toString('hex'));
  t.equal(nonces.size, 3000);
});

t.test('M5: a record moved to another service, table, column or row does not open', async (t) => {
  const record = sealRecord(key, 1, here, randomBytes(20));
  for (const moved of [
    place('archive', 'envelopes', 'body', 'a'),
    place('delivery', 'accepted', 'body', 'a'),
    place('delivery', 'envelopes', 'id', 'a'),
    place('delivery', 'envelopes', 'body', 'b'),
    // The lengths are part of what is authenticated: no boundary can be shifted.
    place('delivery', 'envelopesb', 'ody', 'a'),
    place('deliverye', 'nvelopes', 'body', 'a'),
  ])
    t.equal(openRecord(key, moved, record), undefined);
  t.equal(openRecord(createSecretKey(randomBytes(32)), here, record), undefined);
});

t.test('M5 pitfall: short GCM tag: every changed, missing or added byte is noticed', async (t) => {
  const record = sealRecord(key, 1, here, randomBytes(20));
  for (let i = 0; i < record.length; i++) {
    const changed = Buffer.from(record);
    changed[i] = (changed[i] ?? 0) ^ 1;
    // The key id chooses the key; the vault looks it up, and the wrong one does not open.
    if (i < 1 || i > 4) t.equal(openRecord(key, here, changed), undefined);
    t.equal(openRecord(key, here, record.subarray(0, i)), undefined);
  }
  t.equal(openRecord(key, here, Buffer.concat([record, Buffer.of(0)])), undefined);
});

t.test('any bytes at all are refused without a throw', async (t) => {
  for (let i = 0; i < 2000; i++) {
    const bytes = randomBytes(i % 80);
    if (i % 2 === 0 && bytes.length > 0) bytes[0] = 1;
    t.equal(openRecord(key, here, bytes), undefined);
  }
});
