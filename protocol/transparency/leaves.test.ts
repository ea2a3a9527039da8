/** Entries, labels and commitments: their bytes, and what is none. */
import t from 'tap';
import { listFlags } from '../crypto/account-state.ts';
import { hmac, sha256 } from '../crypto/primitives.ts';
import { codeOf } from '../crypto/testing/devices.ts';
import { seededRandom } from '../vectors/seeded.ts';
import { concat, utf8Bytes } from '../wire/bytes.ts';
import { accountId } from '../wire/ids.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { fromHex, hex } from '../wire/text.ts';
import { checkCommitment, commit } from './commitment.ts';
import { accountLabel, labelKinds, nameLabel, readLabel } from './label.ts';
import {
  encodeEpoch,
  encodeEvent,
  encodeOperator,
  eventHash,
  type LogLeaf,
  noEvent,
  operatorKinds,
  readEpoch,
  readEvent,
  readLeaf,
} from './leaves.ts';

const random = seededRandom('leaves');
const first = { flags: listFlags.register, version: 1, prevEvent: noEvent };
const later = { flags: listFlags.update, version: 2, prevEvent: random(32) };
const hashes = () => ({ index: random(32), commitment: random(32) });
const epoch = { timestamp: 2 ** 41 + 5, mapRoot: random(32), mapCount: 7, firstEvent: 9 };
const operator = { kind: operatorKinds.vrf, number: 1, hash: random(32) };

const encode = (leaf: LogLeaf): Uint8Array => {
  if (leaf.type === 1) return encodeEvent(leaf);
  return leaf.type === 2 ? encodeEpoch(leaf) : encodeOperator(leaf);
};

t.test('K3: an entry has the bytes of its layout', async (t) => {
  const event = { ...later, ...hashes() };
  const bytes = encodeEvent(event);
  const head = fromHex('0102');
  const parts = [head, event.index, fromHex('00000002'), event.prevEvent, event.commitment];
  t.same(bytes, concat(...parts));
  t.same(readEvent(bytes), { type: 1, ...event });
  t.same(eventHash(bytes), sha256(concat(Uint8Array.of(0), bytes)));
  const said = concat(
    fromHex('020000020000000005'),
    epoch.mapRoot,
    fromHex(`${'00'.repeat(7)}07${'00'.repeat(7)}09`),
  );
  t.same(encodeEpoch(epoch), said);
  t.same(readEpoch(said), { type: 2, ...epoch });
  t.same(encodeOperator(operator), concat(fromHex('030200000001'), operator.hash));
  t.equal(
    codeOf(() => readEpoch(bytes)),
    'unknown_type',
  );
  t.equal(
    codeOf(() => readEvent(said)),
    'unknown_type',
  );
});

t.test('pitfall: an event that contradicts itself is neither written nor read', async (t) => {
  const wrong = [
    { ...first, version: 2 },
    { ...first, version: 0 },
    { ...first, prevEvent: later.prevEvent },
    { ...first, flags: listFlags.update },
    { ...later, flags: listFlags.register },
    { ...later, flags: listFlags.register | listFlags.update },
    { ...later, flags: 0 },
    { ...later, flags: 0x40 },
    { ...later, prevEvent: noEvent },
    { ...later, version: 1 },
    { ...later, commitment: noEvent },
    { ...later, flags: listFlags.erase },
    { ...later, flags: listFlags.erase | listFlags.update, commitment: noEvent },
    { ...first, flags: listFlags.erase, commitment: noEvent },
  ];
  for (const each of wrong) {
    const event = { ...hashes(), ...each };
    t.equal(
      codeOf(() => encodeEvent(event)),
      'malformed',
      JSON.stringify(each),
    );
    const head = Uint8Array.of(1, event.flags);
    const version = Uint8Array.of(0, 0, 0, event.version);
    const bytes = concat(head, event.index, version, event.prevEvent, event.commitment);
    t.equal(
      codeOf(() => readEvent(bytes)),
      'malformed',
    );
  }
  t.equal(
    encodeEvent({ ...hashes(), ...later, flags: listFlags.erase, commitment: noEvent }).length,
    102,
  );
  t.equal(
    codeOf(() => encodeEvent({ ...hashes(), ...later, index: random(31) })),
    'malformed',
  );
  t.equal(
    codeOf(() => encodeOperator({ ...operator, number: 0 })),
    'malformed',
  );
  t.equal(
    codeOf(() => encodeOperator({ ...operator, number: 2 })),
    'malformed',
  );
  t.equal(
    codeOf(() => readLeaf(concat(fromHex('030200000002'), random(32)))),
    'malformed',
    'a second key of the VRF',
  );
  t.equal(
    codeOf(() => readLeaf(concat(fromHex('030600000001'), random(32)))),
    'unknown_type',
  );
  t.equal(
    codeOf(() => readLeaf(concat(fromHex('030100000000'), random(32)))),
    'malformed',
  );
  t.equal(
    codeOf(() => readLeaf(fromHex('04'))),
    'unknown_type',
  );
});

t.test('no bytes bring the decoder of entries down', async (t) => {
  const samples = [
    encodeEvent({ ...first, ...hashes() }),
    encodeEvent({ ...later, ...hashes() }),
    encodeEpoch(epoch),
    encodeOperator(operator),
  ];
  await fuzzDecoder(t, { decode: readLeaf, encode, samples, headless: true });
});

t.test('labels of accounts and of names are never the same', async (t) => {
  const account = accountId('00112233445566778899aabbccddeeff');
  t.equal(hex(accountLabel(account)), `01${account}`);
  t.equal(hex(nameLabel('ann')), '02616e6e');
  t.same(readLabel(accountLabel(account)), { kind: labelKinds.account, account });
  t.same(readLabel(nameLabel('ann-b.c')), { kind: labelKinds.name, name: 'ann-b.c' });
  t.equal(
    codeOf(() => nameLabel('Ann')),
    'name_invalid',
  );
  const wrong = ['', '00', '03616e6e', `01${account}00`, '0100'].map(fromHex);
  for (const each of wrong)
    t.equal(
      codeOf(() => readLabel(each)),
      'malformed',
      hex(each),
    );
  for (const each of ['02', '0241', `02${'61'.repeat(33)}`, '02c3a4'].map(fromHex)) {
    t.equal(
      codeOf(() => readLabel(each)),
      'name_invalid',
      hex(each),
    );
  }
});

t.test('K3: a commitment is to opening, label, version and state', async (t) => {
  const shown = { label: nameLabel('ann'), version: 3, opening: random(16), state: random(16) };
  const message = concat(
    shown.opening,
    fromHex('0004'),
    shown.label,
    fromHex('000000030010'),
    shown.state,
  );
  t.same(commit(shown), hmac(fromHex('d821f8790d97709796b4d7903357c3f5'), message));
  checkCommitment(commit(shown), shown);
  const others = [
    { label: nameLabel('bob') },
    { version: 4 },
    { opening: random(16) },
    { state: random(16) },
    { state: utf8Bytes('') },
  ];
  for (const change of others) {
    t.equal(
      codeOf(() => checkCommitment(commit(shown), { ...shown, ...change })),
      'commitment_invalid',
    );
  }
  t.equal(
    codeOf(() => commit({ ...shown, opening: random(15) })),
    'malformed',
  );
});
