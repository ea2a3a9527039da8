/** Epochs that are cut off anywhere, and witnesses that take their time. docs/protocol/transparency.md §6 */
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import { accountOfName, checkAnswer } from '@island/protocol/transparency/answer.ts';
import { parseCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { nameLabel } from '@island/protocol/transparency/label.ts';
import { formatVkey, keyTypes, makeVkey, parseNote } from '@island/protocol/transparency/note.ts';
import { emptyRoot, verifyConsistency } from '@island/protocol/transparency/tree.ts';
import { hex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { eventually } from '../../kit/testing/outcome.ts';
import type { DirectoryStore } from '../database.ts';
import { type TestKeyLog, testKeyLog } from '../testing/key-log.ts';
import type { Asked } from './epoch-witnesses.ts';

/** Signs what continues what it signed before, and remembers all that it was ever shown. */
function testWitness() {
  let known = { size: 0, root: emptyRoot };
  const roots = new Map<number, string>();
  return {
    roots,
    async cosign({ note, proofFrom }: Asked): Promise<string> {
      const { size, root } = parseCheckpoint(parseNote(note).text);
      const before = roots.get(size) ?? hex(root);
      if (before !== hex(root)) throw new Error(`two roots of size ${size}`);
      roots.set(size, before);
      if (known.size > 0) {
        const proof = await proofFrom(known.size);
        const { size: oldSize, root: oldRoot } = known;
        verifyConsistency({ oldSize, oldRoot, newSize: size, newRoot: root, proof });
      }
      known = { size, root };
      return note;
    },
  };
}

/** Policy 2 of the log: one witness has to sign. */
async function witnessed({ store, log }: TestKeyLog): Promise<void> {
  const key = makeVkey('w.example/1', keyTypes.cosignature, ed25519.generate().public);
  const { vkey } = await log.pinned();
  const text = `log ${vkey}\nwitness w ${formatVkey(key)}\nquorum w\n`;
  await store.write((_db, sql) =>
    sql.run('INSERT INTO policies (number, text, published) VALUES (2, ?, 0)', [text]),
  );
  log.wake();
}

/** A store whose process is killed at its write number `at`: before it, or after it and before anybody hears of it. */
function mortal(at: number, after: boolean) {
  const killed = () => Promise.reject(new Error('killed'));
  let writes = 0;
  return {
    get writes() {
      return writes;
    },
    wrap: (store: DirectoryStore): DirectoryStore => ({
      ...store,
      read: store.read,
      async write(work) {
        writes += 1;
        if (writes > at || (writes === at && !after)) return killed();
        const done = await store.write(work);
        return writes === at ? killed() : done;
      },
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    }),
  };
}

/** The life of a log up to its end, or until it is killed. */
async function live(
  dir: string,
  witness: ReturnType<typeof testWitness>,
  store = mortal(1e9, true),
) {
  const test = await testKeyLog(dir, { cosign: witness.cosign, wrap: store.wrap });
  try {
    await witnessed(test);
    for (const name of ['ada', 'bob']) {
      const [account] = await test.join(name);
      await Promise.race([test.log.settled(), dead(store)]);
      if (account !== undefined) await test.change([account], 2);
    }
    await Promise.race([test.log.settled(), dead(store)]);
  } finally {
    await test[Symbol.asyncDispose]();
  }

  async function dead({ writes }: ReturnType<typeof mortal>): Promise<never> {
    await eventually(() => store.writes > writes + 50, 250).catch(() => undefined);
    throw new Error('killed');
  }
}

t.test(
  'K2: killed at any write, the log never shows two roots of one size, and goes on',
  async (t) => {
    const whole = mortal(1e9, true);
    await live(t.testdir(), testWitness(), whole);
    t.ok(whole.writes > 8, `${whole.writes} writes`);
    for (let at = 1; at <= whole.writes; at++) {
      for (const after of [false, true]) {
        const dir = t.testdir();
        const witness = testWitness();
        await live(dir, witness, mortal(at, after)).catch(() => undefined);
        await using test = await testKeyLog(dir, { cosign: witness.cosign });
        await test.join(`later`);
        await test.log.settled();
        const name = 'later';
        const { labels } = checkAnswer(await test.log.lookUp(name), {
          log: { ...(await test.log.pinned()), policy: `log ${test.log.keys.vkey}\nquorum none\n` },
          labels: [nameLabel(name), accountOfName],
          allowUnwitnessed: true,
        });
        t.match(labels, [{ version: 1 }, { version: 1 }], `${at} ${after ? 'after' : 'before'}`);
      }
    }
  },
);

t.test(
  'an epoch that witnesses have not signed is shown to nobody, and taken up again as it was',
  async (t) => {
    const dir = t.testdir();
    const shown: string[] = [];
    const slow = (asked: Asked, signal: AbortSignal) => {
      shown.push(asked.note);
      return new Promise<string>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    };
    let published: string;
    {
      await using test = await testKeyLog(dir, { cosign: slow });
      published = test.log.checkpoint();
      await witnessed(test);
      await eventually(() => shown.length === 1);
      await test.join('ada');
      const begun = performance.now();
      await test.log.settled();
      t.ok(performance.now() - begun < 5000, 'who waits for it waits no longer than that');
      t.equal(test.log.checkpoint(), published);
      t.equal(
        (await test.log.pinned()).policyNumber,
        1,
        'the policy is in force once it is published',
      );
      t.equal(shown.length, 1, 'what is new waits behind it');
    }
    {
      await using test = await testKeyLog(dir, { cosign: slow });
      await eventually(() => shown.length === 2);
      t.equal(test.log.checkpoint(), published);
    }
    const witness = testWitness();
    await using test = await testKeyLog(dir, {
      async cosign(asked, _signal) {
        shown.push(asked.note);
        t.equal(
          asked.policies.length,
          shown.length === 3 ? 2 : 1,
          'the policy before and the new one',
        );
        return witness.cosign(asked);
      },
    });
    await test.log.settled();
    t.equal(shown[1], shown[0]);
    t.equal(shown[2], shown[0], 'the very same checkpoint');
    t.equal((await test.log.pinned()).witnessed, true);
    t.equal(witness.roots.size, 2);
  },
);

t.test(
  'K2: a database that was put back signs nothing: witnesses know more than it has',
  async (t) => {
    const dir = t.testdir();
    const witness = testWitness();
    {
      await using test = await testKeyLog(dir, { cosign: witness.cosign });
      await witnessed(test);
      await eventually(async () => (await test.log.pinned()).witnessed);
    }
    let theirs: number | undefined = 100;
    let looked = 0;
    await using test = await testKeyLog(dir, {
      cosign: witness.cosign,
      async known({ size }) {
        looked += 1;
        return new Map(theirs === undefined ? [] : [['w', Math.max(size, theirs)]]);
      },
    });
    const before = test.log.checkpoint();
    await test.join('ada');
    test.log.wake();
    await eventually(() => looked > 1);
    t.match(test.log.standing(), { problem: 'rolled_back' }, 'and it is said');
    theirs = undefined;
    const since = looked;
    await eventually(() => looked > since + 1);
    t.match(test.log.standing(), { problem: 'unanswered' });
    t.equal(
      test.log.checkpoint(),
      before,
      'neither when they say more, nor when nobody says anything',
    );
    t.equal(witness.roots.size, 1);
    theirs = 0;
    await eventually(() => test.told.length === 1);
    t.not(test.log.checkpoint(), before);
    t.equal(test.log.standing().problem, undefined);
  },
);

t.test(
  'K2: those who do not say how far they are cannot have been a quorum: below a majority one silent witness is waited for',
  async (t) => {
    const dir = t.testdir();
    const witness = testWitness();
    const names = ['w0', 'w1', 'w2'];
    {
      await using test = await testKeyLog(dir, { cosign: witness.cosign });
      const { vkey } = await test.log.pinned();
      const lines = names.map((name) => {
        const key = makeVkey(`${name}.example`, keyTypes.cosignature, ed25519.generate().public);
        return `witness ${name} ${formatVkey(key)}`;
      });
      const group = `group some 1 ${names.join(' ')}`;
      const text = [`log ${vkey}`, ...lines, group, 'quorum some', ''].join('\n');
      await test.store.write((_db, sql) =>
        sql.run('INSERT INTO policies (number, text, published) VALUES (2, ?, 0)', [text]),
      );
      test.log.wake();
      await eventually(async () => (await test.log.pinned()).witnessed);
    }
    let answering = ['w0', 'w1'];
    let looked = 0;
    await using test = await testKeyLog(dir, {
      cosign: witness.cosign,
      async known({ size }) {
        looked += 1;
        return new Map(answering.map((name) => [name, size]));
      },
    });
    const before = test.log.checkpoint();
    await test.join('ada');
    test.log.wake();
    await eventually(() => looked > 1);
    t.match(test.log.standing(), { problem: 'unanswered' });
    t.equal(test.log.checkpoint(), before);
    t.equal(witness.roots.size, 1, 'w2 alone may have signed what this database does not know');
    answering = names;
    await eventually(() => test.told.length === 1);
    const since = looked;
    answering = [];
    await test.join('bob');
    await test.log.settled();
    t.equal(test.told.length, 2, 'once the process has begun nobody is asked again');
    t.equal(looked, since);
  },
);

t.test('a disk that is full for a while costs nothing but time', async (t) => {
  let full = false;
  await using test = await testKeyLog(t.testdir(), {
    wrap: (store) => ({
      ...store,
      read: store.read,
      write: (work) => (full ? Promise.reject(new Error('full')) : store.write(work)),
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    }),
  });
  await test.join('ada');
  full = true;
  test.log.wake();
  const waited = test.log.settled();
  await new Promise((resolve) => setTimeout(resolve, 20));
  full = false;
  await waited;
  t.equal(test.told.length, 1);
});
