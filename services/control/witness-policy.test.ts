import { memberCosigner } from '@island/protocol/transparency/member-witness.ts';
import { formatVkey, keyTypes, makeVkey } from '@island/protocol/transparency/note.ts';
import { hasQuorum, parsePolicy } from '@island/protocol/transparency/policy.ts';
import t from 'tap';
import { testLogOf } from '../witness/testing/log.ts';
import { readSimple, type SimplePolicy, writeSimple } from './witness-policy.ts';

const origin = `pi-kt/${'b'.repeat(26)}`;
const log = testLogOf(origin).vkey;
const member = (n: number) => ({
  name: `m${n}`,
  vkey: formatVkey(memberCosigner(origin, new Uint8Array(32).fill(n)).vkey),
});
const other = (n: number) => ({
  name: `w${n}`,
  vkey: formatVkey(makeVkey(`w${n}`, keyTypes.cosignature, new Uint8Array(32).fill(n + 9))),
  url: `https://w${n}.example/witness`,
});
const none = { quorum: 0, witnesses: [] };

t.test(
  'K1: members are a group of their own, which counts beside the others and not among them',
  async (t) => {
    const policy: SimplePolicy = {
      log,
      witnesses: { quorum: 1, witnesses: [other(1), other(2)] },
      members: { quorum: 2, witnesses: [member(1), member(2), member(3)] },
    };
    const text = writeSimple(policy);
    t.match(
      text,
      /group witnesses 1 w1 w2\ngroup members 2 m1 m2 m3\ngroup both 2 witnesses members\nquorum both\n$/,
    );
    t.match(text, `witness m1 ${member(1).vkey}\n`, 'a line without an address');
    t.same(readSimple(text), policy);
    const parsed = parsePolicy(text);
    for (const [names, enough] of [
      [['m1', 'm2', 'm3'], false],
      [['w1', 'w2', 'm1'], false],
      [['w1', 'm1', 'm3'], true],
    ] as const)
      t.equal(hasQuorum(parsed, new Set(names)), enough, names.join(' '));
  },
);

t.test('one class alone is the quorum by itself', async (t) => {
  const members = { log, witnesses: none, members: { quorum: 1, witnesses: [member(1)] } };
  t.match(writeSimple(members), /group members 1 m1\nquorum members\n$/);
  const others = { log, witnesses: { quorum: 1, witnesses: [other(1)] }, members: none };
  t.match(writeSimple(others), /group witnesses 1 w1\nquorum witnesses\n$/);
  const nobody = { log, witnesses: none, members: none };
  for (const each of [members, others, nobody]) t.same(readSimple(writeSimple(each)), each);
});

t.test(
  'K1: a policy that counts members among the others is none of the simple kind',
  async (t) => {
    const lines = (...more: string[]) =>
      [
        `log ${log}`,
        `witness w1 ${other(1).vkey} ${other(1).url}`,
        `witness m1 ${member(1).vkey}`,
        ...more,
        '',
      ].join('\n');
    const mixed = ['group witnesses 1 w1 m1\nquorum witnesses'];
    const either = [
      'group witnesses 1 w1',
      'group members 1 m1',
      'group both 1 witnesses members',
      'quorum both',
    ];
    const half = ['group witnesses 1 w1', 'group members 1 m1', 'quorum witnesses'];
    for (const each of [mixed, either, half]) t.equal(readSimple(lines(...each)), undefined);
    const big = { log, witnesses: { quorum: 2, witnesses: [other(1)] }, members: none };
    t.throws(() => writeSimple(big), { code: 'malformed' });
  },
);
