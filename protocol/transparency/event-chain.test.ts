/** A label's versions one after the other, and everything that is no such chain. */
import t from 'tap';
import { listFlags } from '../crypto/account-state.ts';
import { codeOf } from '../crypto/testing/devices.ts';
import { SampleDirectory } from '../vectors/sample-directory.ts';
import { seededRandom } from '../vectors/seeded.ts';
import { utf8Bytes } from '../wire/bytes.ts';
import { checkAnswer, type ProvedState } from './answer.ts';
import { type EventStep, followEvents, type KnownVersion, nothingKnown } from './event-chain.ts';
import { nameLabel } from './label.ts';
import { encodeEvent, eventHash, noEvent, readEvent } from './leaves.ts';

const random = seededRandom('event-chain');
const directory = new SampleDirectory(random);
const label = nameLabel('ann');
const other = nameLabel('bob');
const states = [1, 2, 3, 4, 5].map((n) => utf8Bytes(`state ${n}`));
for (const state of states) {
  directory.put(other, state);
  directory.put(label, state);
}
await directory.epoch(Date.UTC(2026, 10, 1));

async function newestOf(of: Uint8Array): Promise<ProvedState> {
  const asked = { log: directory.pins, labels: [of], allowUnwitnessed: false };
  const [proved] = checkAnswer(await directory.answerBytes(of), asked).labels;
  if (!proved?.present) throw new Error('nothing proved');
  return proved;
}
const newest = await newestOf(label);
const steps: EventStep[] = [...directory.versions(label)];
const known = (version: number): KnownVersion => {
  const { event } = steps[version - 1] ?? {};
  return { version, eventHash: event ? eventHash(event) : noEvent };
};

t.test('K3: from any version that is known to the newest, with the state of each', async (t) => {
  for (let version = 0; version <= 5; version++) {
    const followed = followEvents(known(version), steps.slice(version), newest);
    t.same(
      followed.map(({ state }) => state),
      states.slice(version),
    );
    t.same(
      followed.map((step) => step.version),
      [1, 2, 3, 4, 5].slice(version),
    );
  }
  t.same(followEvents(nothingKnown, steps, newest).at(-1)?.eventHash, newest.eventHash);
});

const verdict = (from: KnownVersion, given: readonly EventStep[], to = newest): string =>
  codeOf(() => followEvents(from, given, to));

t.test(
  'K2: a version left out, twice, in another order or of another label breaks the chain',
  async (t) => {
    const [a, b, c, d, e] = steps as [EventStep, EventStep, EventStep, EventStep, EventStep];
    const cases: [string, KnownVersion, EventStep[]][] = [
      ['left out', nothingKnown, [a, b, d, e]],
      ['the last left out', nothingKnown, [a, b, c, d]],
      ['the first left out', nothingKnown, [b, c, d, e]],
      ['twice', nothingKnown, [a, b, b, d, e]],
      ['in another order', nothingKnown, [a, c, b, d, e]],
      ['one that is known', known(1), [a, b, c, d, e]],
      ['nothing', known(3), []],
      ['known is newer', { ...known(5), version: 6 }, []],
      ['known is another of this version', { ...known(5), eventHash: noEvent }, []],
      ['another was known', { version: 2, eventHash: eventHash(a.event) }, [c, d, e]],
      ['of another label', nothingKnown, directory.versions(other).slice()],
    ];
    for (const [why, from, given] of cases) t.equal(verdict(from, given), 'chain_broken', why);
    const theirs = await newestOf(other);
    t.equal(verdict(nothingKnown, [...steps], theirs), 'chain_broken');
  },
);

t.test('K2: a step that was made up breaks the chain behind it', async (t) => {
  const [a, b] = steps as [EventStep, EventStep];
  const { event } = b;
  const forged = encodeEvent({ ...readEvent(event), flags: listFlags.update | listFlags.revoke });
  const given = [a, { ...b, event: forged }, ...steps.slice(2)];
  t.equal(verdict(nothingKnown, given), 'chain_broken');
});

t.test('K2: a state that the entry does not commit to is refused', async (t) => {
  for (const [at, step] of steps.entries()) {
    const changes = [
      { state: utf8Bytes('another') },
      { opening: random(16) },
      { opening: new Uint8Array(16), state: new Uint8Array(0) },
    ];
    for (const change of changes) {
      const given = steps.map((each, i) => (i === at ? { ...step, ...change } : each));
      t.equal(verdict(nothingKnown, given), 'commitment_invalid', `step ${at + 1}`);
    }
  }
});

t.test('an erasure is the last step, and states before it may be gone', async (t) => {
  const gone = nameLabel('gone');
  directory.put(gone, states[0]);
  directory.put(gone, states[1]);
  directory.put(gone);
  await directory.epoch(Date.UTC(2026, 10, 2));
  const to = await newestOf(gone);
  const all = directory.versions(gone);
  const erased = { opening: new Uint8Array(16), state: new Uint8Array(0) };
  const without = (...versions: number[]): EventStep[] =>
    all.map((step) => (versions.includes(step.version) ? { ...step, ...erased } : step));
  const shown = followEvents(nothingKnown, without(1, 2), to).map(({ state }) => state);
  t.same(shown, [undefined, undefined, undefined]);
  t.same(followEvents(nothingKnown, without(1), to)[1]?.state, states[1]);
  t.equal(verdict(nothingKnown, without(1, 2).slice(0, 2), to), 'chain_broken');
  const half = all.map((step) => (step.version === 1 ? { ...step, state: erased.state } : step));
  t.equal(verdict(nothingKnown, half, to), 'commitment_invalid');
  const opened = all.map((step) =>
    step.version === 3 ? { ...step, state: Uint8Array.of(1) } : step,
  );
  t.equal(verdict(nothingKnown, opened, to), 'commitment_invalid');
});

t.test('K2: nothing follows an erasure, whatever follows names it', async (t) => {
  for (const [i, state] of [states[0], undefined].entries()) {
    const back = nameLabel(`back${i}`);
    directory.put(back, states[0]);
    directory.put(back);
    directory.put(back, state);
    await directory.epoch(Date.UTC(2026, 10, 3 + i));
    const to = await newestOf(back);
    t.equal(verdict(nothingKnown, directory.versions(back), to), 'chain_broken');
  }
});

t.test('pitfall: a step that is no event is not in form', async (t) => {
  const [a] = steps as [EventStep];
  const given = (event: Uint8Array) => [{ ...a, event }, ...steps.slice(1)];
  t.equal(verdict(nothingKnown, given(directory.tree.entries.at(-1) ?? a.event)), 'unknown_type');
  t.equal(verdict(nothingKnown, given(a.event.subarray(0, 101))), 'truncated');
});
