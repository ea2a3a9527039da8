/** What the island refuses of records, on real SQLite, NATS and Redis. docs/protocol/devices.md §6 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeKeyRecord } from '@island/protocol/crypto/key-record.ts';
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import { hex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { nextList } from '../../directory/testing/next-list.ts';
import { faultCode } from '../../kit/testing/outcome.ts';
import { accounts } from '../contract.ts';
import { type AccountKeys, nextKeys, sent } from '../testing/account-keys.ts';
import { testAccounts } from '../testing/accounts.ts';
import { newCode, random, shownCode, slotOf } from '../testing/applicant.ts';
import { type Owner, ownersOf } from '../testing/owners.ts';
import type { Keeping } from './records.ts';

const running = await testAccounts();
t.after(() => running[Symbol.asyncDispose]());
const { gateway, login } = running;
const owners = ownersOf(running);

const own = (bytes: Uint8Array) => new Uint8Array(bytes);
const put = (owner: Owner, keeping: Keeping) =>
  gateway.call(accounts, 'putRecord', { ...owner.asker, ...sent(keeping) });
const present = async (owner: Owner) => hex((await owners.record(owner)).record);

/** The bytes of `record` with `find` replaced by `by`, wherever it stands. */
function swapped(record: Uint8Array, find: Uint8Array, by: Uint8Array): Uint8Array {
  const at = Buffer.from(record).indexOf(find);
  if (at < 0) throw new TypeError('nothing to swap');
  const copy = own(record);
  copy.set(by, at);
  return copy;
}

/** The same record under a key that is not the account's. */
function forgedOf({ parts, list }: AccountKeys): Keeping {
  const aik = ed25519.generate();
  return makeKeyRecord({ ...parts, aik, list: { ...list, aik: aik.public } });
}

t.test(
  'A3: the next record takes the place of the one before, the same again changes nothing',
  async (t) => {
    const owner = await owners.owner('ada');
    t.equal(await present(owner), hex(owner.keys.keeping.record));
    const next = nextKeys(owner.keys, { ark: 'rotate' });
    await put(owner, next.keeping);
    await put(owner, next.keeping);
    t.equal(await present(owner), hex(next.keeping.record));
    const { record } = await gateway.call(accounts, 'account', owner.asker);
    t.equal(record, 2);
  },
);

t.test(
  'A3 pitfall: escrow: no record is taken that the account did not sign as it stands',
  async (t) => {
    const owner = await owners.owner('bea');
    const other = await owners.owner('ben');
    const { keys } = owner;
    const next = nextKeys(keys, { ark: 'rotate' });
    const [slot] = next.record.slots;
    const [mine] = other.keys.record.slots;
    if (slot === undefined || mine === undefined) throw new TypeError('no slots');
    const refuse = async (keeping: Keeping, code: string, what: string) => {
      t.equal(await faultCode(put(owner, keeping)), code, what);
      t.equal(await present(owner), hex(keys.keeping.record), `${what}: nothing changed`);
      t.equal(await owners.codes(owner.asker), 8);
    };
    const { record, shares } = next.keeping;
    await refuse(
      { record: swapped(record, slot.dh, mine.dh), shares },
      'bad_signature',
      'another key in a slot',
    );
    await refuse(forgedOf(next), 'bad_signature', 'a foreign signature');
    await refuse(nextKeys(other.keys).keeping, 'bad_signature', 'the record of somebody else');
    await refuse(
      { record: own(record).subarray(0, -1), shares },
      'truncated',
      'a record cut short',
    );
    await refuse(
      { record, shares: next.keeping.shares.slice(1) },
      'record_broken',
      'a share is missing',
    );
    const [first, ...rest] = next.keeping.shares;
    if (first === undefined) throw new TypeError('no shares');
    await refuse(
      { record, shares: [{ ...first, loc: random(16) }, ...rest] },
      'record_broken',
      'a share for another slot',
    );
    await refuse(
      { record, shares: [...rest.slice(1), first, first] },
      'record_broken',
      'a share twice',
    );
  },
);

t.test('a record must follow from the present one and belong to the present list', async (t) => {
  const owner = await owners.owner('cyd');
  const { keys } = owner;
  const second = nextKeys(keys, { ark: 'rotate' });
  await put(owner, second.keeping);
  const refuse = async (made: AccountKeys, code: string, what: string) => {
    t.equal(await faultCode(put(owner, made.keeping)), code, what);
    t.equal(await present(owner), hex(second.keeping.record), `${what}: nothing changed`);
  };
  await refuse(keys, 'stale_record', 'the one before');
  await refuse(
    nextKeys(keys, { ark: 'rotate' }),
    'stale_record',
    'one that does not know the present',
  );
  await refuse(nextKeys(nextKeys(second)), 'record_broken', 'one after the next');
  await refuse(
    nextKeys(second, { parts: { prevHash: random(32) } }),
    'record_broken',
    'one that follows another',
  );
  await refuse(nextKeys(second, { ark: 'reset' }), 'record_broken', 'one that drops the archive');
  const twice = nextKeys(nextKeys(second, { ark: 'rotate' }), { ark: 'rotate' });
  await refuse(
    nextKeys(second, { parts: { ...twice.parts, version: 3, prevHash: second.record.hash } }),
    'record_broken',
    'one that leaves an epoch out',
  );
  const { added: _, ...joined } = nextList(keys, { add: true });
  await refuse(nextKeys(second, { owned: joined }), 'record_broken', 'one for another list');
});

t.test(
  'A3, A4 pitfall: unsigned backup key/pk_i swap: no device puts its own keys in the place of a code',
  async (t) => {
    const owner = await owners.owner('cat');
    const { keys } = owner;
    const [one, ...rest] = keys.parts.slots;
    const evil = slotOf(newCode(), keys.list);
    if (!one) throw new TypeError('no slots');
    const refuse = async (slots: typeof keys.parts.slots, what: string) => {
      const { keeping } = nextKeys(keys, { ark: 'rotate', parts: { slots } });
      t.equal(await faultCode(put(owner, keeping)), 'record_broken', what);
      t.equal(await present(owner), hex(keys.keeping.record), `${what}: nothing changed`);
    };
    await refuse([{ ...evil, loc: one.loc }, ...rest], 'all keys of a slot');
    await refuse([{ ...one, dh: evil.dh }, ...rest], 'what it is sealed to');
    await refuse([{ ...one, proofHash: evil.proofHash }, ...rest], 'what the island asks for');
    await refuse([{ ...one, anchor: evil.anchor }, ...rest], 'whose it is');
    await refuse([evil, ...rest], 'a code in the place of another');
    await put(owner, nextKeys(keys, { ark: 'rotate', renew: 8 }).keeping);
  },
);

t.test('a record lacks no device of its list and has none besides', async (t) => {
  const owner = await owners.owner('dan');
  const { keys } = await owners.second(owner);
  const only = { ...keys.list, devices: keys.list.devices.slice(0, 1) };
  const lacking = nextKeys(keys, { parts: { list: only } });
  t.equal(await faultCode(put(owner, lacking.keeping)), 'record_broken');
  const [one, two] = keys.list.devices;
  if (one === undefined || two === undefined) throw new TypeError('two devices');
  const third = { ...two, device: (two.device + 1) as typeof two.device };
  const besides = nextKeys(keys, { parts: { list: { ...keys.list, devices: [one, two, third] } } });
  t.equal(await faultCode(put(owner, besides.keeping)), 'record_broken');
  await put(owner, nextKeys(keys).keeping);
});

t.test('A2 pitfall: code redeemed twice: no record brings a used code back', async (t) => {
  const owner = await owners.owner('eve');
  const [code] = owner.person.codes;
  if (code === undefined) throw new TypeError('no code');
  const unaware = nextKeys(owner.keys, { ark: 'rotate' });
  await login(owner.person, { second: shownCode(code) });
  t.equal(await faultCode(put(owner, unaware.keeping)), 'stale_record');
  t.equal(await present(owner), hex(owner.keys.keeping.record));
  await put(owner, nextKeys(owner.keys, { ark: 'rotate', without: [code] }).keeping);
  t.equal(await owners.codes(owner.asker), 7);
});

t.test('of records that cross one is the next', async (t) => {
  const both = await owners.owner('gil');
  const other = await owners.second(both);
  const mine = nextKeys(other.keys, { ark: 'rotate' });
  const theirs = nextKeys(other.keys, { ark: 'rotate' });
  const results = await Promise.all([
    faultCode(owners.putRecord(both.asker, mine)),
    faultCode(owners.putRecord(other.asker, theirs)),
  ]);
  t.same(results.toSorted(), ['resolved', 'stale_record']);
  const kept = results[0] === 'resolved' ? mine : theirs;
  t.equal(await present(both), hex(kept.keeping.record));
});

t.test(
  'A1: what is stored of a code opens nothing: its share is sealed, its proof a hash',
  async (t) => {
    const owner = await owners.owner('hal');
    const { data } = await running.island.kit('accounts');
    const files = ['accounts.sqlite', 'accounts.sqlite-wal'];
    const bytes = Buffer.concat(await Promise.all(files.map((name) => readFile(join(data, name)))));
    const has = (part: Uint8Array) => bytes.includes(Buffer.from(part));
    for (const { loc, proof } of owner.person.codes) t.ok(has(loc) && !has(proof));
    for (const { share } of owner.keys.keeping.shares) t.notOk(has(share));
  },
);

t.end();
