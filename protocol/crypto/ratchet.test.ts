/** The ratchet core in the PI/1 profile: limits, missing messages, time, and work that a sender can cause. */
import t from 'tap';
import { utf8Bytes, Writer } from '../wire/bytes.ts';
import { equal, randomBytes, x25519 } from './primitives.ts';
import { type RatchetState, ratchetDecrypt, ratchetEncrypt, ratchetLimits } from './ratchet.ts';
import { pi1 } from './ratchet-message.ts';
import type { RatchetProfile } from './ratchet-profile.ts';
import { writeRatchet } from './ratchet-state.ts';
import { codeOf, day, start } from './testing/devices.ts';

const ad = utf8Bytes('associated');
const text = utf8Bytes('text');

/** How often a profile was asked to do something. */
interface Counts {
  headers: number;
  steps: number;
  opens: number;
}

function counted(counts: Counts): RatchetProfile {
  return {
    ...pi1,
    openHeader: (...args) => {
      counts.headers++;
      return pi1.openHeader(...args);
    },
    messageKey: (chain) => {
      counts.steps++;
      return pi1.messageKey(chain);
    },
    open: (...args) => {
      counts.opens++;
      return pi1.open(...args);
    },
  };
}

/** One end of a ratchet, as a handshake leaves it. */
class End {
  state: RatchetState;
  readonly counts: Counts = { headers: 0, steps: 0, opens: 0 };
  readonly #profile = counted(this.counts);

  constructor(state: RatchetState) {
    this.state = state;
  }

  send(plaintext = text): Uint8Array {
    const made = ratchetEncrypt(this.#profile, this.state, plaintext, ad, randomBytes, () =>
      x25519.generate(),
    );
    this.state = made.state;
    return made.message;
  }

  receive(message: Uint8Array, now = start): Uint8Array {
    const opened = ratchetDecrypt(this.#profile, this.state, message, ad, now);
    this.state = opened.state;
    return opened.plaintext;
  }

  /** The stored form, to see that nothing has changed. */
  get bytes(): Uint8Array {
    const out = new Writer();
    writeRatchet(out, this.state, 0);
    return Uint8Array.from(out.done());
  }

  get missing(): number {
    const chains = [...(this.state.receiving ? [this.state.receiving] : []), ...this.state.older];
    return chains.reduce((sum, chain) => sum + chain.missing.length, 0);
  }
}

/** Two ends of one ratchet; the first has sent one message that the second has received. */
function ends(): [End, End] {
  const [root, toB, toA] = [randomBytes(32), randomBytes(32), randomBytes(32)];
  const opening = x25519.generate();
  const fresh = {
    root,
    sending: undefined,
    receiving: undefined,
    older: [],
    previous: 0,
    epoch: 0,
  };
  const a = new End({
    ...fresh,
    peer: opening.public,
    opening: undefined,
    nextSendKey: toB,
    nextReceiveKey: toA,
  });
  const b = new End({ ...fresh, peer: undefined, opening, nextSendKey: toA, nextReceiveKey: toB });
  b.receive(a.send());
  return [a, b];
}

const sent = (from: End, count: number): Uint8Array[] =>
  Array.from({ length: count }, () => from.send());

t.test('M1 messages of one chain open in any order, each once', (t) => {
  const [a, b] = ends();
  const messages = sent(a, 20);
  for (const i of [5, 0, 19, 18, 3, 1, 2, 4, 17, 6])
    t.same(b.receive(messages[i] as Uint8Array), text);
  t.equal(b.missing, 10);
  for (const i of [7, 8, 9, 10, 11, 12, 13, 14, 15, 16]) b.receive(messages[i] as Uint8Array);
  t.equal(b.missing, 0, 'no key is kept longer than it is needed');
  for (const message of messages)
    t.equal(
      codeOf(() => b.receive(message)),
      'duplicate',
    );
  t.end();
});

t.test('M1 messages of older chains open after turns, until five turns later', (t) => {
  const [a, b] = ends();
  const late: Uint8Array[] = [];
  for (let turn = 0; turn < 8; turn++) {
    late.push(a.send());
    b.receive(a.send());
    a.receive(b.send());
  }
  const codes = late.map((message) => codeOf(() => b.receive(message)));
  t.strictSame(codes, [...Array(4).fill('undecryptable'), ...Array(4).fill('none')]);
  t.end();
});

t.test('M1 an older chain without missing messages makes room for one with', (t) => {
  const [a, b] = ends();
  const late = a.send();
  for (let turn = 0; turn < ratchetLimits.chainEpochs; turn++) {
    b.receive(a.send());
    a.receive(b.send());
  }
  t.equal(b.state.older.length, 3);
  t.same(b.receive(late), text, 'four turns later');
  t.end();
});

t.test('M1 keys of missing messages die after seven days', (t) => {
  const [a, b] = ends();
  const messages = sent(a, 4);
  b.receive(messages[2] as Uint8Array, start);
  t.same(b.receive(messages[0] as Uint8Array, start + 7 * day - 1000), text);
  b.receive(messages[3] as Uint8Array, start + 7 * day);
  t.equal(b.missing, 0);
  t.equal(
    codeOf(() => b.receive(messages[1] as Uint8Array, start + 7 * day)),
    'too_old',
  );
  t.equal(
    codeOf(() => b.receive(messages[3] as Uint8Array, start + 7 * day)),
    'duplicate',
  );
  t.end();
});

t.test('M1 pitfall: skip-flood CPU/memory DoS: work is counted before it is done', (t) => {
  const [a, b] = ends();
  const messages = sent(a, ratchetLimits.skipPerMessage + 2);
  const far = messages[ratchetLimits.skipPerMessage + 1] as Uint8Array;
  const near = messages[ratchetLimits.skipPerMessage] as Uint8Array;
  const before = b.bytes;
  b.counts.steps = 0;
  t.equal(
    codeOf(() => b.receive(far)),
    'too_far_ahead',
  );
  t.equal(b.counts.steps, 0, 'not one key derived');
  t.same(b.bytes, before);
  t.same(b.receive(near), text, 'exactly the limit is allowed');
  t.equal(b.missing, ratchetLimits.skipPerMessage);
  t.end();
});

t.test('M1 pitfall: skip-flood CPU/memory DoS: both chains of a turn count together', (t) => {
  const [a, b] = ends();
  const half = ratchetLimits.skipPerMessage / 2;
  sent(a, half);
  a.receive(b.send());
  const inNext = sent(a, half + 2);
  const before = b.bytes;
  b.counts.steps = 0;
  t.equal(
    codeOf(() => b.receive(inNext[half + 1] as Uint8Array)),
    'too_far_ahead',
  );
  t.equal(b.counts.steps, 0);
  t.same(b.bytes, before);
  t.same(b.receive(inNext[half] as Uint8Array), text);
  t.equal(b.missing, 2 * half);
  t.end();
});

t.test(
  'M1 pitfall: skip-flood CPU/memory DoS: a session keeps at most 2,000 keys, the newest',
  (t) => {
    const [a, b] = ends();
    const kept: Uint8Array[][] = [];
    for (let flood = 0; flood < 4; flood++) {
      const messages = sent(a, 801);
      b.receive(messages[800] as Uint8Array);
      kept.push(messages);
      a.receive(b.send());
    }
    t.equal(b.missing, ratchetLimits.storedKeys);
    t.equal(
      codeOf(() => b.receive(kept[0]?.[0] as Uint8Array)),
      'too_old',
    );
    t.same(b.receive(kept[3]?.[0] as Uint8Array), text);
    t.same(b.receive(kept[2]?.[799] as Uint8Array), text);
    t.ok(b.bytes.length < 90_000, `${b.bytes.length} bytes at most to store`);
    t.end();
  },
);

t.test(
  'M1 pitfall: header trial DoS: at most five header keys are tried and no body is opened',
  (t) => {
    const [a, b] = ends();
    for (let turn = 0; turn < 10; turn++) {
      b.receive(a.send());
      a.receive(b.send());
    }
    const before = b.bytes;
    for (const junk of [randomBytes(300), randomBytes(132), randomBytes(10), new Uint8Array(0)]) {
      Object.assign(b.counts, { headers: 0, steps: 0, opens: 0 });
      t.equal(
        codeOf(() => b.receive(junk)),
        'undecryptable',
      );
      t.strictSame(b.counts, { headers: ratchetLimits.headerKeys, steps: 0, opens: 0 });
    }
    t.same(b.bytes, before);
    t.end();
  },
);

t.test(
  'M1 pitfall: state change on failed decrypt: the stored state is the same to the byte',
  (t) => {
    const [a, b] = ends();
    const inChain = sent(a, 3);
    a.receive(b.send());
    const afterTurn = sent(a, 3);
    for (const message of [...inChain, ...afterTurn]) {
      for (let at = 0; at < message.length; at += 7) {
        const damaged = Uint8Array.from(message);
        damaged[at] = (damaged[at] ?? 0) ^ 1;
        const [before, state] = [b.bytes, b.state];
        t.equal(
          codeOf(() => b.receive(damaged)),
          'undecryptable',
        );
        t.ok(equal(b.bytes, before) && b.state === state);
      }
      const before = b.bytes;
      t.throws(() => ratchetDecrypt(pi1, b.state, message, utf8Bytes('other'), start), {
        code: 'undecryptable',
      });
      t.same(b.bytes, before);
      t.same(b.receive(message), text);
    }
    t.end();
  },
);

t.test(
  'M1 decrypting the same message again from the same state arrives at the same state',
  (t) => {
    const [a, b] = ends();
    b.receive(a.send());
    a.receive(b.send());
    const message = a.send();
    const before = b.state;
    b.receive(message);
    const after = b.bytes;
    b.state = before;
    b.receive(message);
    t.same(b.bytes, after, 'a crash before the commit costs nothing');
    t.end();
  },
);

t.test(
  'M1 pitfall: counter reuse: even the same counter from a copied state gives another key and nonce',
  (t) => {
    const [a, b] = ends();
    a.send();
    const copy = a.state;
    const one = a.send();
    a.state = copy;
    const two = a.send();
    const body = (message: Uint8Array) => message.subarray(84, 116);
    t.notOk(equal(body(one), body(two)), 'the commitments to the keys differ');
    b.receive(one);
    t.equal(
      codeOf(() => b.receive(two)),
      'duplicate',
    );
    t.end();
  },
);

t.test('M1 a message opens under one key only: the commitment is checked before the tag', (t) => {
  const [a, b] = ends();
  const message = a.send();
  const damaged = Uint8Array.from(message);
  damaged[90] = (damaged[90] ?? 0) ^ 1;
  t.equal(
    codeOf(() => b.receive(damaged)),
    'undecryptable',
  );
  t.equal(pi1.open(randomBytes(32), message, ad), undefined);
  t.end();
});

t.test(
  'M1 a peer that turns without having seen our key, or lies about its chain, is refused',
  (t) => {
    const [a, b] = ends();
    b.receive(a.send());
    // B knows the next header key; only A, which has turned, could use it before B has sent anything.
    const forged = pi1.seal(
      randomBytes(32),
      b.state.nextReceiveKey,
      { dh: x25519.generate().public, previous: 2, n: 0 },
      text,
      ad,
      randomBytes,
    );
    const before = b.bytes;
    t.equal(
      codeOf(() => b.receive(forged)),
      'undecryptable',
    );
    b.send();
    const shorter = pi1.seal(
      randomBytes(32),
      b.state.nextReceiveKey,
      { dh: x25519.generate().public, previous: 0, n: 0 },
      text,
      ad,
      randomBytes,
    );
    t.equal(
      codeOf(() => b.receive(shorter)),
      'undecryptable',
      'fewer messages than have come',
    );
    const zero = pi1.seal(
      randomBytes(32),
      b.state.nextReceiveKey,
      { dh: new Uint8Array(32), previous: 2, n: 0 },
      text,
      ad,
      randomBytes,
    );
    t.equal(
      codeOf(() => b.receive(zero)),
      'not_canonical',
      'an all-zero ratchet key',
    );
    t.ok(before.length > 0);
    t.end();
  },
);
