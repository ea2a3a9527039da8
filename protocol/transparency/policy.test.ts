/** Policies: the example of c2sp.org/tlog-policy, everything that is none, and who is enough. */
import * as fc from 'fast-check';
import t from 'tap';
import { type Checkpoint, signCheckpoint } from './checkpoint.ts';
import { addSignatures, formatNote, formatVkey, parseNote } from './note.ts';
import {
  type CheckOptions,
  checkCheckpoint,
  formatPolicy,
  hasQuorum,
  type Policy,
  parsePolicy,
  policyBytesMax,
  satisfied,
} from './policy.ts';
import { logNamed, mldsaWitnessNamed, witnessNamed } from './testing/keys.ts';
import { TransparencyFault } from './transparency-fault.ts';
import { emptyRoot } from './tree.ts';

const log = logNamed('log.example');
const names = ['X1', 'X2', 'X3', 'Y1', 'Y2', 'Y3'] as const;
const vkeyOf = (name: string) => formatVkey(witnessNamed(name).vkey);
const witness = (name: string) => `witness ${name} ${vkeyOf(name)}`;

/** The example of c2sp.org/tlog-policy, with keys. */
const example = `log ${formatVkey(log.vkey)}

${names.slice(0, 3).map(witness).join('\n')}
group X-witnesses 2 X1 X2 X3

${names.slice(3).map(witness).join('\n')}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
`;

const checkpoint: Checkpoint = { origin: 'log.example', size: 7, root: emptyRoot };
const bare = signCheckpoint(checkpoint, log);
const { text } = parseNote(bare);

function cosigned(...by: readonly string[]): string {
  const stamps = by.map((name, i) => witnessNamed(name).cosign(text, 1000 + i));
  return addSignatures(bare, stamps);
}

const strict = { allowUnwitnessed: false };
const verdict = (policy: Policy, note: string, options: CheckOptions = strict): string => {
  try {
    checkCheckpoint(policy, note, options);
    return 'accepted';
  } catch (error) {
    if (error instanceof TransparencyFault) return error.code;
    throw error;
  }
};

t.test('K1: a checkpoint below quorum is never accepted', async (t) => {
  const policy = parsePolicy(example);
  for (let subset = 0; subset < 2 ** names.length; subset++) {
    const by = names.filter((_, i) => subset & (2 ** i));
    const enough =
      by.filter((name) => name.startsWith('X')).length >= 2 && by.some((n) => n.startsWith('Y'));
    const note = by.length === 0 ? bare : cosigned(...by);
    t.equal(verdict(policy, note), enough ? 'accepted' : 'quorum_missing', by.join(' '));
    t.equal(
      verdict(policy, note, { allowUnwitnessed: true }),
      enough ? 'accepted' : 'quorum_missing',
    );
    t.equal(satisfied(policy, note).ok, enough);
  }
  const { cosigners, witnessed } = checkCheckpoint(policy, cosigned('X3', 'Y1', 'X1'), strict);
  t.equal(witnessed, true);
  t.same(cosigners, [
    { name: 'X3', timestamp: 1000 },
    { name: 'Y1', timestamp: 1001 },
    { name: 'X1', timestamp: 1002 },
  ]);
});

t.test('K1: one witness is one, however often and under whatever name it signs', async (t) => {
  const policy = parsePolicy(`log ${formatVkey(log.vkey)}\n${['X1', 'X2'].map(witness).join('\n')}
group both all X1 X2
quorum both\n`);
  const x1 = witnessNamed('X1');
  const twice = addSignatures(bare, [x1.cosign(text, 1), x1.cosign(text, 9), x1.cosign(text, 5)]);
  t.equal(verdict(policy, twice), 'quorum_missing');
  t.same(satisfied(policy, twice).cosigners, [{ name: 'X1', timestamp: 9 }]);
  const posing = { ...x1.cosign(text, 1), name: 'X2' };
  t.equal(verdict(policy, addSignatures(twice, [posing])), 'quorum_missing', 'of nobody known');
  const { keyId } = witnessNamed('X2').vkey;
  const forged = addSignatures(twice, [{ ...posing, keyId }]);
  t.equal(verdict(policy, forged), 'signature_invalid');
});

t.test('K1: cosignatures of another checkpoint or of nobody in the policy are none', async (t) => {
  const policy = parsePolicy(`log ${formatVkey(log.vkey)}\n${witness('X1')}\nquorum X1\n`);
  t.equal(verdict(policy, cosigned('X1')), 'accepted');
  t.equal(verdict(policy, cosigned('X2', 'X3', 'Y1')), 'quorum_missing');
  t.equal(verdict(policy, bare), 'quorum_missing');
  const { text: later } = parseNote(signCheckpoint({ ...checkpoint, size: 8 }, log));
  const moved = addSignatures(bare, [witnessNamed('X1').cosign(later, 5)]);
  t.equal(verdict(policy, moved), 'signature_invalid');
});

t.test('K1: without the log nothing counts, however many witnesses signed', async (t) => {
  const policy = parsePolicy(example);
  const stamps = parseNote(cosigned(...names)).signatures.slice(1);
  const other = logNamed('other.example');
  const foreign = addSignatures(signCheckpoint(checkpoint, other), stamps);
  t.equal(verdict(policy, foreign), 'signature_invalid');
  const elsewhere = signCheckpoint({ ...checkpoint, origin: 'other.example' }, other);
  t.equal(verdict(policy, elsewhere), 'unknown_origin');
  const pinned = { ...strict, log: other.vkey };
  t.equal(verdict(policy, cosigned(...names), pinned), 'unknown_origin', 'the pin counts');
  const none = parsePolicy(example.replace(/^log .*$/m, ''));
  t.equal(verdict(none, cosigned(...names)), 'unknown_origin', 'no log is listed');
  t.equal(verdict(none, cosigned(...names), { ...strict, log: log.vkey }), 'accepted');
});

t.test('K1: a log is not its own witness', async (t) => {
  const both = mldsaWitnessNamed('log.example');
  const key = formatVkey(both.vkey);
  const lines = `witness self ${key}\nquorum self\n`;
  t.throws(() => parsePolicy(`log ${key}\n${lines}`), { code: 'policy_malformed' });
  t.throws(() => parsePolicy(`${lines}log ${key}\n`), { code: 'policy_malformed' });
  const note = formatNote({ text, signatures: [both.cosign(text, 5)] });
  const policy = parsePolicy(lines);
  t.equal(verdict(policy, note, { ...strict, log: both.vkey }), 'quorum_missing', 'pinned');
  t.equal(satisfied(policy, note).ok, true, 'of another log it might be one');
});

t.test('K1: an empty witness list is nobody, never everybody', async (t) => {
  const start = `log ${formatVkey(log.vkey)}\n`;
  for (const lines of [
    'group g any\nquorum g\n',
    'group g all\nquorum g\n',
    'group g 0\nquorum g\n',
    'quorum g\n',
    'quorum\n',
    'quorum all\n',
    'quorum any\n',
    '',
    `${witness('X1')}\ngroup g 0 X1\nquorum g\n`,
    'group g all none\nquorum g\n',
  ]) {
    t.throws(() => parsePolicy(`${start}${lines}`), { code: 'policy_malformed' }, lines);
  }
  const made = (threshold: number): Policy => ({
    ...{ logs: [{ vkey: log.vkey }], witnesses: [], quorum: 'g' },
    groups: [{ name: 'g', threshold, members: [] }],
  });
  for (const threshold of [0, -1, Number.NaN]) {
    t.notOk(hasQuorum(made(threshold), new Set()), `k = ${threshold}, made by hand`);
    t.equal(verdict(made(threshold), bare, { allowUnwitnessed: true }), 'quorum_missing');
  }
  t.notOk(hasQuorum(made(1), new Set(['g'])), 'a cosigner with the name of the group');
});

t.test('K1: quorum none is reported, never passes by default', async (t) => {
  const policy = parsePolicy(`log ${formatVkey(log.vkey)}\n${witness('X1')}\nquorum none\n`);
  t.equal(policy.quorum, undefined);
  t.equal(verdict(policy, bare), 'quorum_missing');
  t.equal(verdict(policy, cosigned('X1')), 'quorum_missing', 'whoever signed');
  t.match(satisfied(policy, cosigned('X1')), { ok: false, witnessed: false });
  const allowed = checkCheckpoint(policy, cosigned('X1'), { allowUnwitnessed: true });
  t.equal(allowed.witnessed, false, 'asked for, it passes and says what it is');
  t.same(allowed.cosigners, [{ name: 'X1', timestamp: 1000 }]);
  const forged = bare.replace('7\n', '8\n');
  t.equal(verdict(policy, forged, { allowUnwitnessed: true }), 'signature_invalid');
});

t.test('a group of both keys of one witness, Ed25519 and ML-DSA', async (t) => {
  const pq = mldsaWitnessNamed('W');
  const policy = parsePolicy(`log ${formatVkey(log.vkey)}
witness W-1 ${vkeyOf('W')}
witness W-2 ${formatVkey(pq.vkey)}
group W any W-1 W-2
quorum W\n`);
  const note = addSignatures(bare, [pq.cosign(text, 77)]);
  t.same(checkCheckpoint(policy, note, strict).cosigners, [{ name: 'W-2', timestamp: 77 }]);
});

t.test(
  'a policy comes back as it was; comments, tabs and blank lines count for nothing',
  async (t) => {
    const policy = parsePolicy(example);
    t.same(parsePolicy(formatPolicy(policy)), policy);
    t.same(
      policy.groups.map(({ name, threshold }) => [name, threshold]),
      [
        ['X-witnesses', 2],
        ['Y-witnesses', 1],
        ['X-and-Y', 2],
      ],
    );
    const airy = `\t# by nobody \u00e9\n\n${example.replaceAll(' ', ' \t ').replaceAll('\n', ' \n  ')}`;
    t.same(parsePolicy(airy), policy);
    const [first] = parsePolicy(`${witness('X1')} https://w.example/w1\nquorum X1`).witnesses;
    t.equal(first?.url, 'https://w.example/w1');
    const sound = { ...policy, quorum: 'X1' };
    t.equal(parsePolicy(formatPolicy(sound)).quorum, 'X1');
    for (const bad of [
      { ...policy, quorum: 'X1 X2' },
      { ...policy, quorum: 'none' },
      { ...policy, witnesses: policy.witnesses.map((w) => ({ ...w, name: `${w.name}\n` })) },
      { ...policy, witnesses: policy.witnesses.map((w) => ({ ...w, url: 'a b' })) },
      { ...policy, groups: [{ name: 'g', threshold: 0, members: [] }] },
    ]) {
      t.throws(() => formatPolicy(bad), { code: 'policy_malformed' });
    }
  },
);

t.test('what is no policy is refused', async (t) => {
  const x1 = witness('X1');
  const key = formatVkey(log.vkey);
  const cases: Record<string, string> = {
    'no quorum': `${x1}\n`,
    'two quorums': `${x1}\nquorum X1\nquorum X1\n`,
    'a quorum before its witness': `quorum X1\n${x1}\n`,
    'a member before its line': `group g any X1\n${x1}\nquorum g\n`,
    'a name twice': `${x1}\nwitness X1 ${vkeyOf('X2')}\nquorum X1\n`,
    'a group with the name of a witness': `${x1}\ngroup X1 any X1\nquorum X1\n`,
    'a group in itself': `${x1}\ngroup g any X1 g\nquorum g\n`,
    'a member twice': `${x1}\ngroup g 2 X1 X1\nquorum g\n`,
    'a member of two groups': `${x1}\ngroup g any X1\ngroup h any X1\nquorum g\n`,
    'a witness called none': `witness none ${vkeyOf('X1')}\nquorum none\n`,
    'k above n': `${x1}\ngroup g 2 X1\nquorum g\n`,
    'k with a zero in front': `${x1}\ngroup g 01 X1\nquorum g\n`,
    'k with a sign': `${x1}\ngroup g +1 X1\nquorum g\n`,
    'one key under two names': `${x1}\nwitness X2 ${vkeyOf('X1')}\nquorum X1\n`,
    'one log twice': `log ${key}\nlog ${key}\nquorum none\n`,
    'a witness with the key of a log': `witness X1 ${key}\nquorum X1\n`,
    'a log with the key of a witness': `log ${vkeyOf('X1')}\nquorum none\n`,
    'a log without a key': 'log\nquorum none\n',
    'a witness without a key': 'witness X1\nquorum none\n',
    'another word behind': `${x1} https://a b\nquorum X1\n`,
    'a word behind the log': `log ${key} https://a b\nquorum none\n`,
    'a word behind the quorum': 'quorum none none\n',
    'an unknown word': 'threshold 2\nquorum none\n',
    'words in capitals': 'QUORUM none\n',
    'a carriage return': 'quorum none\r\n',
    'a no-break space between': 'quorum\u00a0none\n',
    'a zero byte': 'quorum none\n# \0\n',
    'a delete character': 'quorum none\n# \x7f\n',
    'a lone surrogate': 'quorum none\n# \ud800\n',
    'too much': `quorum none\n#${'x'.repeat(policyBytesMax)}\n`,
  };
  for (const [what, policy] of Object.entries(cases)) {
    t.throws(() => parsePolicy(policy), { code: 'policy_malformed' }, what);
  }
  const bad = `witness X1 ${vkeyOf('X1').slice(0, -4)}\nquorum X1\n`;
  t.throws(() => parsePolicy(bad), { code: 'vkey_malformed' });
});

t.test('32 logs, 32 witnesses and 32 groups fit, as c2sp.org/tlog-policy asks', async (t) => {
  const many = Array.from({ length: 32 }, (_, i) => i);
  const lines = [
    ...many.map((i) => `log ${formatVkey(logNamed(`l${i}`).vkey)} https://log.example/${i}/`),
    ...many.map((i) => `witness w${i} ${formatVkey(mldsaWitnessNamed(`w${i}`).vkey)}`),
    ...many.map((i) => `group g${i} any w${i}${i === 0 ? '' : ` g${i - 1}`}`),
    'quorum g31',
  ];
  const policy = parsePolicy(`${lines.join('\n')}\n`);
  t.equal(policy.groups.length, 32);
  t.ok(hasQuorum(policy, new Set(['w0'])), 'through every group');
  const tooMany = Array.from({ length: 65 }, (_, i) => i);
  for (const one of [
    (i: number) => `log ${formatVkey(logNamed(`l${i}`).vkey)}`,
    (i: number) => `group g${i} any ${i === 0 ? 'W' : `g${i - 1}`}`,
  ]) {
    const lines = (count: number) => tooMany.slice(0, count).map(one).join('\n');
    const text = (count: number) => `${witness('W')}\n${lines(count)}\nquorum none\n`;
    t.doesNotThrow(() => parsePolicy(text(64)));
    t.throws(() => parsePolicy(text(65)), { code: 'policy_malformed' });
  }
});

t.test('any lines get a fault or a policy that asks for somebody', async () => {
  const item = fc.constantFrom(
    ...['log', 'witness', 'group', 'quorum', 'X1', 'X2', 'g', 'none', 'any', 'all', '1', '2', '#'],
    ...[vkeyOf('X1'), vkeyOf('X2'), formatVkey(log.vkey), '\n', '\n', '\n', 'https://a'],
  );
  await fc.assert(
    fc.property(fc.array(item, { maxLength: 30 }), (items) => {
      try {
        return !hasQuorum(parsePolicy(items.join(' ')), new Set());
      } catch (error) {
        return (
          error instanceof TransparencyFault &&
          (error.code === 'policy_malformed' || error.code === 'vkey_malformed')
        );
      }
    }),
    { numRuns: 1500 },
  );
});
