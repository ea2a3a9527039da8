/** Sessions of a pair of devices: beginning, crossing, replacing, receiving only, and what is refused. */
import t from 'tap';
import { SampleDevice } from '../vectors/sample-device.ts';
import { utf8Bytes } from '../wire/bytes.ts';
import { hex } from '../wire/text.ts';
import { equal } from './primitives.ts';
import { PeerSessions, sessionLimits } from './sessions.ts';
import { codeOf, day, line, start, x3dh } from './testing/devices.ts';

const text = utf8Bytes('text');
const active = (sessions: PeerSessions): string =>
  hex(sessions.sessionIds()[0] ?? new Uint8Array(0));

t.test('M1 a session begins with the first message and both sides agree', (t) => {
  const { alice, bob, a, b } = line(false);
  t.notOk(a.canSend(start));
  t.equal(
    codeOf(() => a.encrypt(text, start)),
    'receive_only',
  );
  a.start(bob.bundle(), start);
  t.ok(a.canSend(start));
  const first = a.encrypt(text, start).message;
  const opened = b.decrypt(first, start, bob);
  t.same(opened.plaintext, text);
  t.ok(opened.used, 'what to commit with it');
  bob.commit(opened);
  t.ok(b.canSend(start), 'the responder can answer at once');
  t.same(a.decrypt(b.encrypt(text, start).message, start, alice).plaintext, text);
  t.equal(active(a), active(b));
  t.end();
});

t.test('M1 the handshake rides in every message until the peer answers, and not after', (t) => {
  const { alice, bob, a, b } = line(false);
  a.start(bob.bundle(), start);
  const messages = [1, 2, 3].map(() => a.encrypt(text, start).message);
  t.strictSame(
    messages.map((message) => message[1]),
    [0x42, 0x42, 0x42],
  );
  // The second arrives first: it makes the session all the same.
  for (const i of [1, 0, 2]) {
    const opened = b.decrypt(messages[i] as Uint8Array, start, bob);
    t.equal(opened.used !== undefined, i === 1, 'only one message makes the session');
    bob.commit(opened);
  }
  a.decrypt(b.encrypt(text, start).message, start, alice);
  t.equal(a.encrypt(text, start).message[1], 0x41);
  t.end();
});

t.test('M1 sessions survive storage at any point', (t) => {
  let { alice, bob, a, b } = line();
  for (let i = 0; i < 20; i++) {
    a = PeerSessions.decode(a.encode(), { ours: alice.own, peer: bob.party, generation: 1 }, start);
    b = PeerSessions.decode(b.encode(), { ours: bob.own, peer: alice.party, generation: 1 }, start);
    t.same(b.decrypt(a.encrypt(text, start).message, start, bob).plaintext, text);
    if (i % 3 === 0)
      t.same(a.decrypt(b.encrypt(text, start).message, start, alice).plaintext, text);
    t.same(
      PeerSessions.decode(
        a.encode(),
        { ours: alice.own, peer: bob.party, generation: 1 },
        start,
      ).encode(),
      a.encode(),
    );
  }
  t.end();
});

t.test(
  'M1 pitfall: simultaneous initiate: both sides choose the smaller id, the other still receives',
  (t) => {
    for (let round = 0; round < 8; round++) {
      const { alice, bob, a, b } = line(false);
      a.start(bob.bundle(), start);
      b.start(alice.bundle(), start);
      const fromA = [1, 2, 3].map(() => a.encrypt(text, start).message);
      const fromB = [1, 2, 3].map(() => b.encrypt(text, start).message);
      const smaller = [active(a), active(b)].toSorted()[0];
      alice.commit(a.decrypt(fromB[0] as Uint8Array, start, alice));
      bob.commit(b.decrypt(fromA[0] as Uint8Array, start, bob));
      t.equal(active(a), smaller);
      t.equal(active(b), smaller);
      const [won, lost] =
        hex(fromA[0]?.subarray(2, 18) ?? text) === smaller ? [fromA, fromB] : [fromB, fromA];
      const [receiver, device] = lost === fromB ? ([a, alice] as const) : ([b, bob] as const);
      t.same(
        receiver.decrypt(lost[1] as Uint8Array, start + 6 * day, device).plaintext,
        text,
        'six days late',
      );
      t.equal(
        codeOf(() => receiver.decrypt(lost[2] as Uint8Array, start + 8 * day, device)),
        'replayed',
        'eight',
      );
      const [other, its] = lost === fromB ? ([b, bob] as const) : ([a, alice] as const);
      t.same(other.decrypt(won[1] as Uint8Array, start + 8 * day, its).plaintext, text);
      t.same(b.decrypt(a.encrypt(text, start).message, start, bob).plaintext, text);
      t.same(a.decrypt(b.encrypt(text, start).message, start, alice).plaintext, text);
    }
    t.end();
  },
);

t.test(
  'M1 pitfall: simultaneous initiate: a crossing handshake that arrives after an answer does not take over',
  (t) => {
    for (let round = 0; round < 4; ) {
      const { alice, bob, a, b } = line(false);
      a.start(bob.bundle(), start);
      b.start(alice.bundle(), start);
      if (active(b) < active(a)) continue;
      round++;
      const lateFromB = b.encrypt(text, start).message;
      bob.commit(b.decrypt(a.encrypt(text, start).message, start, bob));
      const chosen = active(b);
      t.equal(active(a), chosen);
      a.decrypt(b.encrypt(text, start).message, start, alice);
      alice.commit(a.decrypt(lateFromB, start, alice));
      t.equal(active(a), chosen);
      t.same(b.decrypt(a.encrypt(text, start).message, start, bob).plaintext, text);
    }
    t.end();
  },
);

t.test(
  'M1 a new handshake of the peer replaces the session; the old one receives for 30 days',
  (t) => {
    const { alice, bob, a, b } = line();
    const late = a.encrypt(text, start).message;
    const later = a.encrypt(text, start).message;
    a.start(bob.bundle(), start);
    bob.commit(b.decrypt(a.encrypt(text, start).message, start, bob));
    t.equal(active(b), active(a));
    t.same(b.decrypt(late, start + 29 * day, bob).plaintext, text);
    t.equal(
      codeOf(() => b.decrypt(later, start + 31 * day, bob)),
      'no_session',
    );
    t.same(a.decrypt(b.encrypt(text, start).message, start, alice).plaintext, text);
    t.end();
  },
);

t.test(
  'M1 pitfall: archived-session promotion (clone): a message in an old session does not make it send again',
  (t) => {
    const { alice, bob, a, b } = line();
    // A copy of Alice's state, as a thief of an old backup has it.
    const clone = PeerSessions.decode(
      a.encode(),
      { ours: alice.own, peer: bob.party, generation: 1 },
      start,
    );
    a.start(bob.bundle(), start);
    bob.commit(b.decrypt(a.encrypt(text, start).message, start, bob));
    const now = active(b);
    t.same(
      b.decrypt(clone.encrypt(text, start).message, start, bob).plaintext,
      text,
      'it is received',
    );
    t.equal(active(b), now, 'and the sending session stays');
    const answer = b.encrypt(text, start).message;
    t.equal(
      codeOf(() => clone.decrypt(answer, start, alice)),
      'no_session',
    );
    t.same(a.decrypt(answer, start, alice).plaintext, text);
    const again = PeerSessions.decode(
      b.encode(),
      { ours: bob.own, peer: alice.party, generation: 1 },
      start,
    );
    t.equal(active(again), now, 'also after storage');
    t.end();
  },
);

t.test(
  'M1 pitfall: counter reuse after restore: a restored device only receives until a new handshake',
  (t) => {
    const { alice, bob, a, b } = line();
    const backup = a.encode();
    const inFlight = b.encrypt(text, start).message;
    a.encrypt(text, start);
    const restored = PeerSessions.decode(
      backup,
      { ours: alice.own, peer: bob.party, generation: 2 },
      start,
    );
    t.notOk(restored.canSend(start));
    t.equal(
      codeOf(() => restored.encrypt(text, start)),
      'receive_only',
    );
    t.same(
      restored.decrypt(inFlight, start, alice).plaintext,
      text,
      'what was on its way is received',
    );
    t.notOk(restored.canSend(start));
    restored.start(bob.bundle(), start);
    bob.commit(b.decrypt(restored.encrypt(text, start).message, start, bob));
    t.equal(active(b), active(restored));
    t.same(restored.decrypt(b.encrypt(text, start).message, start, alice).plaintext, text);

    // The copy that was left behind can't make a session with Bob any more.
    a.start(bob.bundle(), start);
    const before = b.encode();
    t.equal(
      codeOf(() => b.decrypt(a.encrypt(text, start).message, start, bob)),
      'stale_generation',
    );
    t.same(b.encode(), before);
    t.equal(
      codeOf(() =>
        PeerSessions.decode(
          restored.encode(),
          { ours: alice.own, peer: bob.party, generation: 1 },
          start,
        ),
      ),
      'stale_generation',
      'nor is a newer state taken for an older one',
    );
    t.end();
  },
);

t.test(
  'M1 pitfall: counter reuse after crash: numbers that were reserved are not used again',
  (t) => {
    const { alice, bob, a, b } = line();
    const options = { ours: alice.own, peer: bob.party, generation: 1 };
    t.notOk(a.encrypt(text, start).mayLeave, 'nothing is stored yet');
    const stored = a.snapshot(3);
    t.notOk(a.encrypt(text, start).mayLeave, 'the snapshot is not durable yet');
    stored.stored();
    const left = [1, 2].map(() => a.encrypt(text, start));
    t.strictSame(
      left.map(({ mayLeave }) => mayLeave),
      [true, true],
      'the reservation covers two more',
    );
    t.notOk(a.encrypt(text, start).mayLeave);
    for (const { message } of left) b.decrypt(message, start, bob);

    const crashed = PeerSessions.decode(stored.bytes, options, start);
    const next = crashed.encrypt(text, start);
    t.notOk(next.mayLeave);
    t.same(
      b.decrypt(next.message, start, bob).plaintext,
      text,
      'not a duplicate: its number is new',
    );
    crashed.snapshot(1).stored();
    t.ok(crashed.encrypt(text, start).mayLeave);

    // A turn opens a chain that no stored state knows.
    crashed.decrypt(b.encrypt(text, start).message, start, alice);
    t.notOk(crashed.encrypt(text, start).mayLeave);
    t.equal(
      codeOf(() => crashed.snapshot(257)),
      'malformed',
    );
    t.end();
  },
);

t.test('M1 pitfall: duplicate delivery: the second is told apart and changes nothing', (t) => {
  const { alice, bob, a, b } = line(false);
  a.start(bob.bundle(), start);
  const first = a.encrypt(text, start).message;
  const second = a.encrypt(text, start).message;
  bob.commit(b.decrypt(first, start, bob));
  b.decrypt(second, start, bob);
  const answers = [b.encrypt(text, start).message, b.encrypt(text, start).message];
  for (const message of answers) a.decrypt(message, start, alice);
  b.decrypt(a.encrypt(text, start).message, start, bob);
  const [stateA, stateB] = [a.encode(), b.encode()];
  for (const message of [first, second])
    t.equal(
      codeOf(() => b.decrypt(message, start, bob)),
      'duplicate',
    );
  for (const message of answers)
    t.equal(
      codeOf(() => a.decrypt(message, start, alice)),
      'duplicate',
    );
  const damaged = Uint8Array.from(answers[1] as Uint8Array);
  damaged[damaged.length - 1] = (damaged[damaged.length - 1] ?? 0) ^ 1;
  t.equal(
    codeOf(() => a.decrypt(damaged, start, alice)),
    'duplicate',
    'the number was used, whatever the body',
  );
  t.same(a.encode(), stateA);
  t.same(b.encode(), stateB);
  t.end();
});

t.test('M1 pitfall: last-resort replay and EK reuse: a first message makes a session once', (t) => {
  const { bob, a, b, alice } = line(false);
  a.start(bob.bundle(false), start);
  const first = a.encrypt(text, start).message;
  const used = b.decrypt(first, start, bob);
  t.equal(used.used?.oneTime, undefined, 'no one-time prekey to be used up');
  bob.commit(used);
  const fresh = bob.with(alice);
  t.equal(
    codeOf(() => fresh.decrypt(first, start, bob)),
    'replayed',
    'also after the session is gone',
  );
  const more = a.encrypt(text, start).message;
  t.equal(
    codeOf(() => fresh.decrypt(more, start, bob)),
    'replayed',
    'the same EK in another message',
  );
  t.strictSame(fresh.sessionIds(), []);
  t.end();
});

t.test(
  'M1 pitfall: OPK exhaustion: without a one-time prekey a session still begins; a used one is refused',
  (t) => {
    const { alice, bob, a, b } = line(false);
    a.start(bob.bundle(false), start);
    bob.commit(b.decrypt(a.encrypt(text, start).message, start, bob));
    const bundle = bob.bundle();
    const [one, two] = [new SampleDevice('c', 1), new SampleDevice('d', 1)];
    const [withOne, withTwo] = [one.with(bob), two.with(bob)];
    withOne.start(bundle, start);
    withTwo.start(bundle, start);
    bob.commit(bob.with(one).decrypt(withOne.encrypt(text, start).message, start, bob));
    const other = bob.with(two);
    t.equal(
      codeOf(() => other.decrypt(withTwo.encrypt(text, start).message, start, bob)),
      'prekey_gone',
    );
    t.ok(alice);
    t.end();
  },
);

t.test('M1 pitfall: downgrade: a handshake without the post-quantum part is refused', (t) => {
  const { alice, bob, a, b } = line(false);
  const weak = alice.with(bob, { suites: [x3dh] });
  weak.start(bob.bundle(), start);
  const first = weak.encrypt(text, start).message;
  t.equal(
    codeOf(() => b.decrypt(first, start, bob)),
    'pq_required',
    'PI/1 has one suite',
  );

  // Where the test suite allows it, the floor rises with the first post-quantum session and stays.
  const lenient = bob.with(alice, { suites: [x3dh] });
  bob.commit(lenient.decrypt(first, start, bob));
  a.start(bob.bundle(), start);
  bob.commit(lenient.decrypt(a.encrypt(text, start).message, start, bob));
  const again = alice.with(bob, { suites: [x3dh] });
  again.start(bob.bundle(), start);
  const second = again.encrypt(text, start).message;
  t.equal(
    codeOf(() => lenient.decrypt(second, start, bob)),
    'pq_required',
  );
  const options = { ours: bob.own, peer: alice.party, generation: 1, suites: [x3dh] };
  const stored = PeerSessions.decode(lenient.encode(), options, start);
  t.equal(
    codeOf(() => stored.decrypt(second, start, bob)),
    'pq_required',
    'also after storage',
  );
  t.equal(
    codeOf(() => stored.start(alice.bundle(), start)),
    'pq_required',
  );
  t.end();
});

t.test('M1 pitfall: UKS: sessions stored for one pair of keys are refused for another', (t) => {
  const { alice, bob, a } = line();
  const mallory = new SampleDevice('b', 1);
  for (const peer of [
    mallory.party,
    { ...bob.party, aik: mallory.party.aik },
    { ...bob.party, dik: mallory.party.dik },
  ]) {
    const options = { ours: alice.own, peer, generation: 1 };
    t.equal(
      codeOf(() => PeerSessions.decode(a.encode(), options, start)),
      'wrong_identity',
    );
  }
  t.end();
});

t.test('M1 a message of an unknown session is told apart from a damaged one', (t) => {
  const one = line();
  const two = line();
  const before = one.b.encode();
  t.equal(
    codeOf(() => one.b.decrypt(two.a.encrypt(text, start).message, start, one.bob)),
    'no_session',
  );
  const message = one.a.encrypt(text, start).message;
  for (const at of [2, 20, 60, 90, 130, message.length - 1]) {
    const damaged = Uint8Array.from(message);
    damaged[at] = (damaged[at] ?? 0) ^ 0x40;
    t.equal(
      codeOf(() => one.b.decrypt(damaged, start, one.bob)),
      at === 2 ? 'no_session' : 'undecryptable',
    );
  }
  t.same(one.b.encode(), before);
  t.same(one.b.decrypt(message, start, one.bob).plaintext, text);
  t.end();
});

t.test('M1 the handshake in a later message of a session cannot be exchanged', (t) => {
  const { bob, a, b } = line(false);
  a.start(bob.bundle(), start);
  bob.commit(b.decrypt(a.encrypt(text, start).message, start, bob));
  const message = a.encrypt(text, start).message;
  const other = Uint8Array.from(message);
  other[30] = (other[30] ?? 0) ^ 1;
  t.equal(
    codeOf(() => b.decrypt(other, start, bob)),
    'undecryptable',
  );
  t.same(b.decrypt(message, start, bob).plaintext, text);
  t.end();
});

t.test('M1 at most eight sessions only receive, the newest of them', (t) => {
  const { alice, bob, a, b } = line();
  const messages = [a.encrypt(text, start).message];
  for (let i = 0; i < sessionLimits.inactive + 2; i++) {
    a.start(bob.bundle(), start);
    bob.commit(b.decrypt(a.encrypt(text, start).message, start, bob));
    messages.push(a.encrypt(text, start).message);
  }
  t.equal(a.sessionIds().length, sessionLimits.inactive + 1);
  t.equal(b.sessionIds().length, sessionLimits.inactive + 1);
  const codes = messages.map((message) => codeOf(() => b.decrypt(message, start, bob)));
  t.equal(codes.filter((code) => code === 'none').length, sessionLimits.inactive + 1);
  t.equal(codes[0], 'no_session');
  t.ok(alice);
  t.end();
});

t.test('M1 a handshake that nobody answers is not sent for ever', (t) => {
  const { bob, a } = line(false);
  a.start(bob.bundle(), start);
  t.ok(a.canSend(start + 13 * day));
  t.notOk(a.canSend(start + 14 * day), 'the peer may have dropped its prekeys');
  t.equal(
    codeOf(() => a.encrypt(text, start + 14 * day)),
    'receive_only',
  );
  t.end();
});

t.test('a message that would not fit into an envelope is refused before anything changes', (t) => {
  const { a } = line();
  const before = a.encode();
  t.equal(
    codeOf(() => a.encrypt(new Uint8Array(16_000), start)),
    'too_large',
  );
  t.ok(equal(a.encode(), before));
  t.end();
});
