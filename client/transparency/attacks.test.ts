/**
 * The island lies, with the key of its own log; the client is the one that everybody has. Each attack says who
 * catches it, by which code, and what convicts the island elsewhere. docs/protocol/transparency.md §8.7
 */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { ed25519, randomBytes } from '@island/protocol/crypto/primitives.ts';
import { signCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { accountLabel, nameLabel } from '@island/protocol/transparency/label.ts';
import {
  encodeEvent,
  eventHash,
  operatorKinds,
  readEvent,
} from '@island/protocol/transparency/leaves.ts';
import { mapValue } from '@island/protocol/transparency/map-proof.ts';
import { createMap } from '@island/protocol/transparency/map-tree.ts';
import {
  addSignatures,
  formatVkey,
  noteSigner,
  parseNote,
} from '@island/protocol/transparency/note.ts';
import { inclusionProof, rootAt } from '@island/protocol/transparency/tree-proofs.ts';
import { deriveVrfKey, prove } from '@island/protocol/transparency/vrf.ts';
import { ownCosigner, testPolicy } from '@island/protocol/vectors/directory-log.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { syncOwn } from '../account/own-devices.ts';
import { aside } from '../receiving/aside.ts';
import { type Attacked, attacked, caught, keeping } from '../testing/attacked.ts';
import { person, reopen } from '../testing/person.ts';
import { lookOnce } from './monitor.ts';
import { readPins } from './pins.ts';

t.setTimeout(120_000);

const hour = 3_600_000;

interface Attack {
  what: string;
  lie: (here: Attacked) => Promise<void> | void;
  /** Of alice's next look. */
  code: string;
  /** What her home keeps: code of the log's fault, and kind of the evidence. */
  kept: string;
}

/** alice has seen a second version of bob's devices, which is true. */
async function second({ history, label, next, asks }: Attacked) {
  const list = next();
  history().say(label, 2, list.bytes);
  await history().publish();
  if ((await asks()) !== 'fine') throw new Error('an honest answer was refused');
  return list;
}

const attacks: Attack[] = [
  {
    what: 'fork: two histories of one size',
    async lie({ island, history }) {
      island.log = await island.log.branch(history().epochs - 1);
      await history().publish({ timestamp: Date.now() + 1 });
    },
    code: 'directory_contradicted',
    kept: 'forked: fork',
  },
  {
    what: 'fork: a longer history that does not go on from the one that was shown',
    async lie({ island, history, label, next }) {
      island.log = await island.log.branch(history().epochs - 1);
      history().say(label, 2, next().bytes);
      await history().publish();
      await history().publish();
    },
    code: 'directory_contradicted',
    kept: 'consistency_invalid: rewrite',
  },
  {
    what: 'rollback: a shorter log',
    async lie({ island, history }) {
      island.log = await island.log.branch(history().epochs - 1);
    },
    code: 'directory_contradicted',
    kept: 'rolled_back: none',
  },
  {
    what: 'vanished version: the map goes back to an older version of the devices',
    async lie(here) {
      await second(here);
      here.history().revert(here.label, 1);
      await here.history().publish();
    },
    code: 'list_rolled_back',
    kept: 'rolled_back: hidden',
  },
  {
    what: 'vanished version: the map has nothing of the account any more',
    async lie({ history, label }) {
      history().revert(label, 0);
      await history().publish();
    },
    code: 'directory_contradicted',
    kept: 'rolled_back: hidden',
  },
  {
    what: 'vanished version: the map has nothing of the name any more',
    async lie({ history, name }) {
      history().revert(name, 0);
      await history().publish();
    },
    code: 'directory_contradicted',
    kept: 'rolled_back: hidden',
  },
  {
    what: 'another version under the same number',
    async lie(here) {
      await second(here);
      here.history().say(here.label, 2, here.next().bytes);
      await here.history().publish();
    },
    code: 'directory_contradicted',
    kept: 'chain_broken: hidden',
  },
  {
    what: 'a version that leaves out the one before',
    async lie(here) {
      const { history, label, next } = here;
      const first = history().versions(label).get(1);
      const list = await second(here);
      const prevEvent = eventHash(first?.event ?? new Uint8Array(0));
      history().say(label, 3, next(list).bytes, { prevEvent });
      await history().publish();
    },
    code: 'directory_contradicted',
    kept: 'chain_broken: version',
  },
  {
    what: 'username re-bound: the name leads to somebody else, and nobody gave it back',
    async lie({ history, name }) {
      history().say(name, 2, fromHex('0a'.repeat(16)));
      history().say(accountLabel('0a'.repeat(16) as never), 1, new Uint8Array(1));
      await history().publish();
    },
    code: 'directory_contradicted',
    kept: 'name_rebound: rebound',
  },
  {
    what: 'erasure: the name alone is erased, and the account behind it is not',
    async lie({ history, name }) {
      history().erase(name);
      await history().publish();
    },
    code: 'list_invalid',
    kept: 'not caught',
  },
  {
    what: 'erasure: the name leads somewhere again afterwards',
    async lie({ history, name, asks }) {
      history().erase(name);
      await history().publish();
      await asks();
      history().say(name, 3, fromHex('0a'.repeat(16)));
      history().say(accountLabel('0a'.repeat(16) as never), 1, new Uint8Array(1));
      await history().publish();
    },
    code: 'directory_contradicted',
    kept: 'chain_broken: version',
  },
  {
    what: 'erasure: shown to one person, and taken back',
    async lie({ history, name, asks }) {
      history().erase(name);
      await history().publish();
      await asks();
      history().revert(name, 1);
      await history().publish();
    },
    code: 'directory_contradicted',
    kept: 'rolled_back: hidden',
  },
  {
    what: 'silent device: one more on the list, signed with a key of the island',
    async lie({ history, label, forged }) {
      history().say(label, 2, forged());
      await history().publish();
    },
    code: 'directory_contradicted',
    kept: 'list_unauthorised: unauthorised',
  },
  {
    what: 'silent device: two more at once, with the key of the account',
    async lie({ history, label, next, first }) {
      const { bytes } = next(next());
      const list = openDeviceList(bytes);
      t.equal(list.epoch, first.epoch + 2);
      history().say(label, 2, bytes);
      await history().publish();
    },
    code: 'directory_contradicted',
    kept: 'list_unauthorised: unauthorised',
  },
  {
    what: 'silent reset: another identity, which the one before has not agreed to',
    async lie({ history, label, reset }) {
      history().say(label, 2, reset().bytes);
      await history().publish();
    },
    code: 'identity_changed',
    kept: 'not caught',
  },
  {
    what: 'stale answer: the newest epoch is older than an hour',
    async lie(here) {
      here.island.log = await here.island.log.branch(1);
      const timestamp = Date.now() - hour - 1000;
      await here.history().publish({ timestamp });
    },
    code: 'directory_stale',
    kept: 'not caught',
  },
  {
    what: 'stale answer: an epoch is dated ahead, so that it stays fresh',
    lie: ({ history }) => history().publish({ timestamp: Date.now() + 2 * hour }),
    code: 'directory_ahead',
    kept: 'not caught',
  },
  {
    what: 'times that run backwards',
    lie: ({ history }) => history().publish({ timestamp: Date.now() - hour / 2 }),
    code: 'directory_contradicted',
    kept: 'epoch_invalid: time',
  },
  {
    what: 'map/log mismatch: the map names an event that is not in the log',
    async lie({ island, history, label, first }) {
      const there = history().newest(label);
      const event = encodeEvent({
        ...readEvent(there?.event ?? new Uint8Array(0)),
        commitment: randomBytes(32),
      });
      const at = there?.at ?? 0;
      await invent(island, label, { version: first.epoch, at, event });
    },
    code: 'directory_contradicted',
    kept: 'inclusion_invalid: unlogged',
  },
  {
    what: 'map/log mismatch: the map names the event of somebody else',
    async lie({ island, history, label, alice }) {
      const other = history().newest(accountLabel(alice.islander.account.account));
      if (!other) throw new Error('alice is not in the log');
      await invent(island, label, other);
    },
    code: 'directory_contradicted',
    kept: 'map_invalid: unlogged',
  },
  {
    what: 'map/log mismatch: the epoch has another root than its map',
    lie: ({ history }) => history().publish({ mapRoot: randomBytes(32) }),
    code: 'directory_contradicted',
    kept: 'map_invalid: none',
  },
  {
    what: 'map/log mismatch: the last entry is no epoch',
    async lie({ island, history }) {
      const { log } = history();
      const epoch = log.entries.at(-1) ?? new Uint8Array(0);
      log.operator({ kind: operatorKinds.audit, number: 1 });
      const note = await log.checkpoint({ by: [] });
      const epochProof = await inclusionProof(log.size - 2, log.size, log.read);
      island.log.twist = (answer) => ({ ...answer, note, epoch, epochProof });
    },
    code: 'directory_contradicted',
    kept: 'epoch_invalid: end',
  },
  {
    what: 'another state than the log commits to',
    lie({ island, next }) {
      const { bytes } = next();
      island.log.twist = ({ labels: [name, account], ...answer }) => {
        if (!name || !account?.shown) throw new Error('no answer');
        const shown = { ...account.shown, state: bytes };
        return { ...answer, labels: [name, { ...account, shown }] };
      };
    },
    code: 'directory_contradicted',
    kept: 'commitment_invalid: none',
  },
  {
    what: 'another log: the checkpoint is of another key',
    async lie({ island, history }) {
      const { log } = history();
      const stranger = noteSigner('pi-kt/test', ed25519.generate());
      const root = await rootAt(log.size, log.read);
      const note = signCheckpoint({ origin: 'pi-kt/test', size: log.size, root }, stranger);
      island.log.twist = (answer) => ({ ...answer, note });
    },
    code: 'directory_contradicted',
    kept: 'signature_invalid: none',
  },
];

/** The newest epoch has a map in which the place of a label has this event. */
async function invent(
  island: Attacked['island'],
  label: Uint8Array,
  { version, at, event }: { version: number; at: number; event: Uint8Array },
): Promise<void> {
  const { history } = island.log;
  const place = (each: Uint8Array) => prove(history.log.vrf, each).output.subarray(0, 32);
  const map = createMap();
  const name = history.newest(nameLabel('bob'));
  if (!name) throw new Error('bob is not in the log');
  map.set(place(nameLabel('bob')), mapValue(name.version, name.at, eventHash(name.event)));
  map.set(place(label), mapValue(version, at, eventHash(event)));
  await history.publish({ mapRoot: map.root, mapCount: map.count });
  const { log } = history;
  const proof = await inclusionProof(at, log.size, log.read);
  island.log.twist = ({ labels: [named, account], ...answer }) => {
    if (!named || !account?.shown) throw new Error('no answer');
    const shown = { ...account.shown, eventIndex: at, event, proof };
    return {
      ...answer,
      labels: [
        { ...named, mapProof: map.prove(place(nameLabel('bob'))) },
        { ...account, mapProof: map.prove(place(label)), shown },
      ],
    };
  };
}

for (const { what, lie, code, kept } of attacks) {
  t.test(`K2: ${what}: ${code}, kept as ${kept}`, async (t) => {
    await using here = await attacked();
    const { alice } = here;
    await lie(here);
    const before = await alice.islander.people.find('bob');
    t.equal(await here.asks(), code);
    t.equal(await caught(alice.storage), kept);
    const after = await alice.islander.people.find('bob');
    t.same(after.list.hash, before.list.hash, 'who bob is stays as it was known');
  });
}

t.test('K2: rollback: a witness that vouches for the shorter log is convicted', async (t) => {
  await using here = await attacked({ policy: testPolicy, by: ['w1', 'w2'] });
  const { island, alice, history } = here;
  island.log = await island.log.branch(history().epochs - 1);
  const later = Math.floor(Date.now() / 1000) + 60;
  const note = await history().log.checkpoint({ by: ['w1', 'w2'], seconds: later });
  island.log.twist = (answer) => ({ ...answer, note });
  t.equal(await here.asks(), 'directory_contradicted');
  t.equal(await caught(alice.storage), 'rolled_back: rollback');
});

t.test(
  'K2: nobody of that name: the log shows it, and the bare word counts for nothing',
  async (t) => {
    await using here = await attacked();
    const { island, alice, history } = here;
    await history().publish();
    const { people } = alice.islander;
    await t.rejects(people.find('nobody'), { code: 'unknown_person' }, 'shown by the log');
    island.twist.before = (path) => {
      if (path.startsWith('/v1/people/')) throw new Fault('unknown_person');
      return undefined;
    };
    for (const name of ['nobody', 'bob'])
      await t.rejects(people.refresh(name), { code: 'absence_unproved' }, name);
    t.equal((await people.find('bob')).list.epoch, 1, 'who bob is stays as it was known');
    t.equal(await caught(alice.storage), 'not caught');
    t.same(await alice.sends('bob', 'all the same'), ['accepted']);
    delete island.twist.before;
    island.log.silent = false;
    await using carol = await person(island, 'carol');
    island.twist.before = (path) => {
      if (path === '/v1/people/carol') throw new Fault('unknown_person');
      return undefined;
    };
    alice.islander.startReceiving();
    t.same(await carol.sends('alice', 'you do not know me'), ['accepted']);
    await eventually(async () => (await aside(alice.storage)).length === 1);
    delete island.twist.before;
    await eventually(async () => (await aside(alice.storage)).length === 0, 60_000);
    t.equal(alice.events.filter(({ type }) => type === 'dropped').length, 0);
  },
);

t.test('K2: hidden version: what one contact is shown and the owner is not', async (t) => {
  await using here = await attacked();
  const { island, alice, bob, history, label } = here;
  await second(here);
  history().revert(label, 1);
  await history().publish();
  t.equal(await here.looks(), 'fine', 'the owner sees what he signed');
  t.equal(await caught(bob.storage), 'not caught');
  await alice.islander[Symbol.asyncDispose]();
  island.clock.ahead = 25 * hour;
  await history().publish();
  const now = () => Date.now() + island.clock.ahead;
  await using later = await reopen('alice', alice.storage, now);
  const { transport, people } = later.islander;
  const told: Error[] = [];
  const onRefused = (error: Error) => void told.push(error);
  const { storage } = alice;
  await lookOnce({ storage, transport, people, now, onRefused }, new AbortController().signal);
  t.match(told, [{ code: 'list_rolled_back' }], 'the contact looks again after a day');
  t.equal(await caught(alice.storage), 'rolled_back: hidden');
});

t.test('K2: hidden version: if it stays, the owner sees it', async (t) => {
  await using here = await attacked();
  const { bob } = here;
  await second(here);
  bob.islander.startReceiving();
  const told = await bob.event('account-refused');
  t.match(told, { error: { code: 'record_rolled_back' } }, 'a list that no device of his made');
});

t.test('K2: silent device: the owner sees it as well', async (t) => {
  await using here = await attacked();
  const { history, label, forged } = here;
  history().say(label, 2, forged());
  await history().publish();
  t.equal(await here.looks(), 'directory_contradicted');
  t.equal(await caught(here.bob.storage), 'list_unauthorised: unauthorised');
});

t.test('K2: silent reset: the owner is told that the account was begun anew', async (t) => {
  await using here = await attacked();
  const { history, label, reset } = here;
  history().say(label, 2, reset().bytes);
  await history().publish();
  t.equal(await here.looks(), 'account_reset');
});

t.test('K2: username re-bound: also who never met its owner sees it', async (t) => {
  await using here = await attacked();
  const { island, history, name } = here;
  await using carol = await person(island, 'carol');
  island.log.silent = false;
  await syncOwn(keeping(carol));
  island.log.silent = true;
  history().say(name, 2, fromHex(carol.islander.account.account));
  await history().publish();
  const asked = carol.islander.people.find('bob');
  await t.rejects(asked, { code: 'directory_contradicted' });
  t.equal(await caught(carol.storage), 'name_rebound: rebound');
});

t.test('K2: VRF swap: a place that another key made', async (t) => {
  await using here = await attacked();
  const { island, alice } = here;
  await using carol = await person(island, 'carol');
  island.log.silent = false;
  await syncOwn(keeping(carol));
  island.log.silent = true;
  const evil = deriveVrfKey(randomBytes(32));
  island.log.twist = ({ labels: [name, ...others], ...answer }) => {
    if (!name) throw new Error('no answer');
    const { proof } = prove(evil, nameLabel('carol'));
    return { ...answer, labels: [{ ...name, vrfProof: proof }, ...others] };
  };
  // What discovery says now is nothing to a home that knows better.
  island.log.pins.vrf = evil.public;
  await t.rejects(alice.islander.people.find('carol'), { code: 'directory_contradicted' });
  t.equal(await caught(alice.storage), 'vrf_invalid: none');
});

t.test('K2: fewer witnesses than the policy asks for: nothing new counts', async (t) => {
  await using here = await attacked({ policy: testPolicy, by: ['w1', 'w2'] });
  const { alice, history, label, next } = here;
  history().signing.by = ['w1'];
  history().say(label, 2, next().bytes);
  await history().publish();
  t.equal(await here.asks(), 'unwitnessed');
  t.equal((await alice.islander.people.find('bob')).list.epoch, 1);
  history().signing.by = ['w1', 'w3'];
  await history().publish();
  t.equal(await here.asks(), 'fine', 'and counts once they have signed');
  t.equal((await alice.islander.people.find('bob')).list.epoch, 2);
  t.equal(await caught(alice.storage), 'not caught');
});

/** The signature of the log's own key, as one of a witness. */
const signedByItself = (note: string): string =>
  addSignatures(note, [ownCosigner.cosign(parseNote(note).text, Math.floor(Date.now() / 1000))]);

t.test('K2: the island is no witness of itself', async (t) => {
  await using here = await attacked({ policy: testPolicy, by: ['w1', 'w2'] });
  const { island, history } = here;
  history().signing = { ...history().signing, by: ['w1'], note: signedByItself };
  await history().publish();
  t.equal(await here.asks(), 'unwitnessed', 'a quorum of one witness and itself');

  const { vkey } = ownCosigner;
  const own = `witness w1 ${formatVkey(vkey)}\nquorum w1\n`;
  for (const policy of ['quorum none\n', own]) {
    await island.log.announce(policy, []);
    t.equal(await here.asks(), 'unwitnessed', `announced, and signed by itself: ${policy}`);
  }
  history().signing.by = ['w1', 'w2'];
  await history().publish();
  t.equal(await here.asks(), 'fine');
  Object.assign(island.log.pins, { policy: 'quorum none\n' });
  history().signing.by = [];
  await history().publish();
  t.equal(await here.asks(), 'unwitnessed', 'what was witnessed once stays so');
});

t.test(
  'K1: a policy that only discovery knows is not kept: the log must have announced it',
  async (t) => {
    await using here = await attacked();
    const { island } = here;
    const { pins } = island.log;
    island.log.pins = { ...pins, policyNumber: 0xffff_ffff };
    await using carol = await person(island, 'carol');
    await t.rejects(carol.islander.people.find('bob'), { code: 'log_unproved' });
    t.equal(await readPins(carol.storage), undefined);
    island.log.pins = { ...pins, policyEntry: 1_000_000 };
    await t.rejects(carol.islander.people.find('bob'), { code: 'log_unproved' });
    island.log.pins = pins;
    t.equal((await carol.islander.people.find('bob')).name, 'bob');
    t.equal((await readPins(carol.storage))?.policyNumber, pins.policyNumber);
  },
);
