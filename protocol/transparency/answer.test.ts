/** What a client believes of an answer, and with which code it refuses every other. */
import t from 'tap';
import { codeOf } from '../crypto/testing/devices.ts';
import { SampleAccount } from '../vectors/sample-account.ts';
import { SampleDirectory } from '../vectors/sample-directory.ts';
import { seededRandom } from '../vectors/seeded.ts';
import { concat } from '../wire/bytes.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { fromHex, hex } from '../wire/text.ts';
import {
  type Answer,
  type AnswerExpectation,
  accountOfName,
  checkAnswer,
  checkReadAnswer,
  encodeAnswer,
  fromTlogProof,
  readAnswer,
  toTlogProof,
} from './answer.ts';
import { accountLabel, nameLabel } from './label.ts';
import type { ShownEvent } from './label-proof.ts';
import { encodeEvent, eventHash, readEvent } from './leaves.ts';
import { TransparencyFault } from './transparency-fault.ts';

const start = Date.UTC(2026, 10, 1);
const random = seededRandom('answer');
const ann = new SampleAccount(random, 'ann');
const bob = new SampleAccount(random, 'bob');
const state = (account: SampleAccount) => account.list.bytes;
const annLabel = accountLabel(ann.account);
const annName = nameLabel('ann');
const nobody = nameLabel('nobody');

const directory = new SampleDirectory(random);
await directory.epoch(start);
directory.put(annLabel, state(ann));
directory.put(annName, fromHex(ann.account));
directory.put(accountLabel(bob.account), state(bob));
directory.put(nameLabel('bob'), fromHex(bob.account));
directory.put(nameLabel('gone'), fromHex(bob.account));
directory.put(nameLabel('gone'));
await directory.epoch(start + 60_000);
/** An answer of the epoch before the newest. */
const older = await directory.answer(annName, annLabel);
directory.put(nameLabel('carol'), random(16));
ann.change({ devices: [ann.cert(ann.one), ann.cert(ann.device(2))] });
directory.put(annLabel, state(ann));
await directory.epoch(start + 120_000);

const expected: AnswerExpectation = {
  log: directory.pins,
  labels: [annName, accountOfName],
  allowUnwitnessed: false,
};
const good = await directory.answer(annName, annLabel);
const goodBytes = encodeAnswer(good);

t.test('K1: a name and its account, proved', async (t) => {
  const { checkpoint, epoch, cosigners, witnessed, labels } = checkAnswer(goodBytes, expected);
  t.equal(checkpoint.size, directory.tree.entries.length);
  t.equal(epoch.timestamp, start + 120_000);
  t.equal(epoch.mapCount, 6);
  t.ok(witnessed);
  t.same(
    cosigners.map(({ name }) => name),
    ['w1', 'w2', 'w3'],
  );
  const [name, account] = labels;
  t.equal(name?.present && hex(name.state), ann.account);
  t.equal(account?.present && account.version, 2);
  t.equal(account?.present && hex(account.state), hex(state(ann)));
  t.same(account?.label, annLabel);
  const shown = directory.versions(annLabel).at(-1);
  t.same(account?.present && account.eventHash, shown && eventHash(shown.event));
});

t.test('K1: that nobody has a name is proved; an erased name leads nowhere', async (t) => {
  const absent = checkAnswer(await directory.answerBytes(nobody), {
    ...expected,
    labels: [nobody, accountOfName],
  });
  t.same(
    absent.labels.map(({ present }) => present),
    [false],
  );
  const labels = [nameLabel('gone'), accountOfName];
  const gone = checkAnswer(await directory.answerBytes(nameLabel('gone')), { ...expected, labels });
  const [erased] = gone.labels;
  t.equal(gone.labels.length, 1);
  t.equal(erased?.present && erased.version, 2);
  t.equal(erased?.present && erased.state.length, 0);
});

/** `good` with something of it said otherwise. */
const forged = (change: Partial<Answer>): Uint8Array => encodeAnswer({ ...good, ...change });

function withLabel(at: number, change: object, shown: Partial<ShownEvent> = {}): Uint8Array {
  const labels = good.labels.map((proof, i) => {
    if (i !== at) return proof;
    return { ...proof, ...change, ...(proof.shown && { shown: { ...proof.shown, ...shown } }) };
  });
  return forged({ labels });
}

const verdict = (bytes: Uint8Array, change: Partial<AnswerExpectation> = {}): string =>
  codeOf(() => checkAnswer(bytes, { ...expected, ...change }));

t.test(
  'K1: a checkpoint below quorum, of another log or of another key counts for nothing',
  async (t) => {
    const lines = good.note.split('\n');
    const cosigned = (count: number) => `${lines.slice(0, 5 + count).join('\n')}\n`;
    t.equal(verdict(forged({ note: cosigned(2) })), 'none');
    t.equal(verdict(forged({ note: cosigned(1) })), 'quorum_missing');
    t.equal(verdict(forged({ note: cosigned(0) })), 'quorum_missing');
    t.equal(verdict(forged({ note: cosigned(0) }), { allowUnwitnessed: true }), 'quorum_missing');
    t.equal(
      verdict(forged({ note: good.note.replace('pi-kt/sample', 'pi-kt/other') })),
      'unknown_origin',
    );
    t.equal(verdict(forged({ note: 'hello' })), 'note_malformed');
    const size = String(directory.tree.entries.length);
    t.equal(
      verdict(forged({ note: good.note.replace(`\n${size}\n`, `\n9${size}\n`) })),
      'signature_invalid',
    );
    const other = new SampleDirectory(seededRandom('other'));
    t.equal(
      verdict(goodBytes, { log: { ...directory.pins, vkey: other.pins.vkey } }),
      'signature_invalid',
    );
    t.equal(
      verdict(goodBytes, { log: { ...directory.pins, policy: other.pins.policy } }),
      'quorum_missing',
    );
  },
);

t.test('K1: a directory without witnesses is believed only where that is asked for', async (t) => {
  const alone = new SampleDirectory(seededRandom('alone'), () => 'quorum none\n');
  alone.put(annName, fromHex(ann.account));
  await alone.epoch(start, 0);
  const asked = { ...expected, log: alone.pins, labels: [annName] };
  const bytes = await alone.answerBytes(annName);
  t.equal(
    codeOf(() => checkAnswer(bytes, asked)),
    'quorum_missing',
  );
  const { witnessed, cosigners } = checkAnswer(bytes, { ...asked, allowUnwitnessed: true });
  t.notOk(witnessed);
  t.same(cosigners, []);
});

t.test(
  'K2: every part of an answer that is not the true one is refused with its code',
  async (t) => {
    const changed = (bytes: Uint8Array, at: number) => {
      const copy = Uint8Array.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ 1;
      return copy;
    };
    const zeros = new Uint8Array(32);
    for (let at = 0; at < 57; at++) {
      t.equal(verdict(forged({ epoch: changed(good.epoch, at) })), 'epoch_invalid', `EPOCH ${at}`);
    }
    t.equal(verdict(forged({ epoch: older.epoch })), 'epoch_invalid', 'an older epoch');
    t.equal(verdict(forged({ epochProof: [...good.epochProof, zeros] })), 'epoch_invalid');
    t.equal(verdict(forged({ epochProof: good.epochProof.slice(1) })), 'epoch_invalid');

    const [, account] = good.labels;
    const [, before] = older.labels;
    if (!account?.shown || !before?.shown) throw new Error('no account');
    const { vrfProof, mapProof, shown } = account;
    for (const at of [0, 31, 32, 47, 48, 79]) {
      t.equal(
        verdict(withLabel(1, { vrfProof: changed(vrfProof, at) })),
        'vrf_invalid',
        `VRF ${at}`,
      );
    }
    t.equal(verdict(withLabel(1, { vrfProof: good.labels[0]?.vrfProof })), 'vrf_invalid');
    t.equal(
      verdict(withLabel(1, { mapProof: changed(mapProof, mapProof.length - 1) })),
      'map_invalid',
    );
    t.equal(verdict(withLabel(1, { mapProof: before.mapProof })), 'map_invalid', 'of an older map');
    t.equal(
      verdict(
        forged({ labels: [good.labels[0] ?? account, { ...account, shown: undefined } as never] }),
      ),
      'map_invalid',
      'hidden',
    );
    t.equal(verdict(withLabel(1, {}, { proof: shown.proof.slice(1) })), 'inclusion_invalid');
    t.equal(verdict(withLabel(1, {}, { eventIndex: shown.eventIndex - 1 })), 'inclusion_invalid');
    t.equal(verdict(withLabel(1, {}, { event: changed(shown.event, 101) })), 'inclusion_invalid');
    t.equal(
      verdict(withLabel(1, {}, { opening: changed(shown.opening, 0) })),
      'commitment_invalid',
    );
    t.equal(verdict(withLabel(1, {}, { state: changed(shown.state, 40) })), 'commitment_invalid');
    t.equal(
      verdict(withLabel(1, {}, { state: before.shown.state })),
      'commitment_invalid',
      'older',
    );
  },
);

t.test(
  'K2: an older version is not shown as the newest, though its entry is in the log',
  async (t) => {
    const versions = directory.versions(annLabel);
    const [first] = versions;
    const [, account] = good.labels;
    if (!first || !account) throw new Error('no version');
    const { inclusionProof } = await import('./tree-proofs.ts');
    const proof = await inclusionProof(
      first.eventIndex,
      directory.tree.entries.length,
      directory.tree.read,
    );
    const { event, eventIndex, opening, state } = first;
    t.equal(verdict(withLabel(1, {}, { event, eventIndex, opening, state, proof })), 'map_invalid');
  },
);

t.test('K2: the map cannot lead one label to the event of another', async (t) => {
  const liar = new SampleDirectory(seededRandom('liar'));
  const victim = accountLabel(ann.account);
  const other = accountLabel(bob.account);
  const { event, eventIndex, opening } = liar.put(other, state(bob));
  const { mapValue } = await import('./map-proof.ts');
  liar.map.set(liar.indexOf(victim), mapValue(1, eventIndex, eventHash(event)));
  await liar.epoch(start);
  const [theirs] = (await liar.answer(other)).labels;
  const answer = await liar.answer(victim);
  const [mine] = answer.labels;
  if (!theirs?.shown || !mine) throw new Error('no label');
  const labels = [{ ...mine, shown: { ...theirs.shown, opening } }];
  const asked = { log: liar.pins, labels: [victim], allowUnwitnessed: false };
  t.equal(
    codeOf(() => checkReadAnswer({ ...answer, labels }, asked)),
    'map_invalid',
  );
});

t.test('K2: an event that commits to nothing is not shown with a state', async (t) => {
  const answer = await directory.answer(nameLabel('gone'));
  const [gone] = answer.labels;
  if (!gone?.shown) throw new Error('no label');
  for (const change of [{ state: fromHex(bob.account) }, { opening: new Uint8Array(16).fill(1) }]) {
    const labels = [{ ...gone, shown: { ...gone.shown, ...change } }];
    const asked = { ...expected, labels: [nameLabel('gone')] };
    t.equal(
      codeOf(() => checkReadAnswer({ ...answer, labels }, asked)),
      'commitment_invalid',
    );
  }
});

t.test('pitfall: an answer to another question is none', async (t) => {
  t.equal(verdict(goodBytes, { labels: [annName] }), 'malformed', 'one more than asked');
  t.equal(verdict(goodBytes, { labels: [annName, accountOfName, nobody] }), 'malformed');
  t.equal(verdict(goodBytes, { labels: [annLabel, annName] }), 'malformed', 'in another order');
  t.equal(verdict(goodBytes, { labels: [nameLabel('bob'), accountOfName] }), 'vrf_invalid');
  t.equal(verdict(goodBytes, { log: { ...directory.pins, vrf: ann.aik.public } }), 'vrf_invalid');
});

t.test('an epoch from before the stated time is stale', async (t) => {
  t.equal(verdict(goodBytes, { notBefore: start + 120_000 }), 'none');
  t.equal(verdict(goodBytes, { notBefore: start + 120_001 }), 'stale');
});

t.test(
  'a place that was proved is not proved again, and is of its key and label alone',
  async (t) => {
    const cache = new Map<string, Uint8Array>();
    const first = checkAnswer(goodBytes, { ...expected, cache });
    t.equal(cache.size, 2);
    const unproved = withLabel(1, { vrfProof: new Uint8Array(80) });
    t.equal(verdict(unproved), 'vrf_invalid');
    const second = checkAnswer(unproved, { ...expected, cache });
    t.same(
      second.labels.map(({ index }) => index),
      first.labels.map(({ index }) => index),
    );
    // Of another VRF key nothing is known.
    const log = { ...directory.pins, vrf: new SampleDirectory(seededRandom('x')).pins.vrf };
    t.equal(verdict(goodBytes, { log, cache }), 'vrf_invalid');
  },
);

t.test('an answer in a file is the same answer', async (t) => {
  const text = toTlogProof(good);
  t.same(encodeAnswer(fromTlogProof(text)), goodBytes);
  t.equal(checkReadAnswer(fromTlogProof(text), expected).labels.length, 2);
  const at = `index ${directory.tree.entries.length - 1}`;
  t.equal(
    codeOf(() => fromTlogProof(text.replace(at, 'index 3'))),
    'epoch_invalid',
  );
  const bare = text.replace(/^extra .*\n/m, '');
  t.equal(
    codeOf(() => fromTlogProof(bare)),
    'note_malformed',
  );
});

t.test('K2: any byte of an answer that changes is refused, or says the same', async (t) => {
  const truth = JSON.stringify(checkAnswer(goodBytes, expected).labels);
  const noteEnd = 4 + good.note.length;
  for (let at = 0; at < goodBytes.length; at++) {
    const wrong = Uint8Array.from(goodBytes);
    wrong[at] = (wrong[at] ?? 0) ^ 0x20;
    try {
      const proved = checkAnswer(wrong, expected);
      // One cosignature more than the quorum needs may be anything but a wrong one of its key.
      if (JSON.stringify(proved.labels) !== truth || at > noteEnd + 8) t.fail(`byte ${at}`);
    } catch (error) {
      const code = codeOf(() => {
        throw error;
      });
      if (!(error instanceof TransparencyFault) && !/^[a-z_]+$/.test(code)) throw error;
    }
  }
});

t.test('no bytes bring the decoder down', async (t) => {
  const absent = await directory.answerBytes(nobody);
  const otherFault = (error: unknown) => error instanceof TransparencyFault;
  const samples = [goodBytes, absent, forged({ labels: [] })];
  await fuzzDecoder(t, { decode: readAnswer, encode: encodeAnswer, samples, otherFault });
  t.equal(
    codeOf(() => readAnswer(concat(goodBytes, goodBytes))),
    'trailing_bytes',
  );
});

t.test('an event out of its rules is not in form, even under a good signature', async (t) => {
  const { event } = directory.versions(annLabel)[1] ?? {};
  if (event === undefined) throw new Error('no event');
  const said = readEvent(event);
  for (const change of [
    { flags: 0 },
    { flags: 0x40 },
    { flags: 1 },
    { version: 0 },
    { version: 1 },
  ]) {
    t.equal(
      codeOf(() => encodeEvent({ ...said, ...change })),
      'malformed',
      JSON.stringify(change),
    );
  }
});
