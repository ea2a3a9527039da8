import * as fc from 'fast-check';
import t from 'tap';
import { quick } from '../vectors/sample-account.ts';
import { seededRandom } from '../vectors/seeded.ts';
import { accountId } from '../wire/ids.ts';
import { anchorOf, CodeMistake, codeText, makeCode, openCode, readCode } from './backup-code.ts';
import { type Argon2id, kdfCeiling, kdfFloor } from './password.ts';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const salt = new Uint8Array(16).fill(7);
const data = fc.string({ unit: fc.constantFrom(...alphabet), minLength: 20, maxLength: 20 });
const position = fc.nat({ max: 24 });

/** The group that `readCode` names, `0` if it names none, `undefined` if it takes the text. */
function mistakeIn(text: string): number | undefined {
  try {
    readCode(text);
    return undefined;
  } catch (error) {
    if (error instanceof CodeMistake) return error.group ?? 0;
    throw error;
  }
}

/** A code without its dashes, changed and shown again. */
function edited(code: string, change: (characters: string[]) => void): string {
  const characters = [...code.replaceAll('-', '')];
  change(characters);
  return (characters.join('').match(/.{1,5}/g) ?? []).join('-');
}

const exchange = (characters: string[], a: number, b: number): void => {
  const kept = characters[a] ?? '';
  characters[a] = characters[b] ?? '';
  characters[b] = kept;
};

t.test('A2: a code is five groups of five, and reads as what it was made of', async (t) => {
  const code = makeCode(seededRandom('code'));
  t.match(code, /^[0-9A-HJKMNP-TV-Z]{5}(?:-[0-9A-HJKMNP-TV-Z]{5}){4}$/);
  t.equal(readCode(code).length, 20);
  await fc.assert(fc.property(data, (characters) => readCode(codeText(characters)) === characters));
});

t.test('every character of the alphabet comes up in every place of the data', async (t) => {
  const seen = Array.from({ length: 20 }, () => new Set<string>());
  for (let i = 0; i < 2_000; i++) {
    for (const [at, character] of [...readCode(makeCode())].entries()) seen[at]?.add(character);
  }
  t.ok(seen.every((characters) => characters.size === 32));
});

t.test('case, spaces and dashes do not matter, nor I and L for 1 and O for 0', async (t) => {
  const characters = '0123456789ABCDEF0101';
  const code = codeText(characters);
  const plain = code.replaceAll('-', '');
  const others = [
    code.toLowerCase(),
    plain,
    plain.toLowerCase(),
    `  ${code.replaceAll('-', ' ')}\n`,
    plain.split('').join(' '),
    code.replaceAll('-', ' - '),
    code.replaceAll('0', 'O').replaceAll('1', 'l'),
    code.replaceAll('0', 'o').replaceAll('1', 'I'),
  ];
  for (const text of others) t.equal(readCode(text), characters, text);
});

t.test(
  'a code has no letters but those of ASCII: ı is not 1, ſ is not S, ß is not SS',
  async (t) => {
    const code = codeText('1SS00000000000000000');
    for (const [at, odd] of [
      ['1', '\u0131'],
      ['S', '\u017f'],
      ['SS', '\u00df'],
      ['1', '\uff11'],
    ] as const)
      t.not(mistakeIn(code.replace(at, odd)), undefined, odd);
  },
);

t.test('any one wrong character is noticed, and its group is named', async () => {
  await fc.assert(
    fc.property(
      data,
      position,
      fc.constantFrom(...alphabet, 'U', 'u', '*', 'é'),
      (d, at, wrong) => {
        const code = codeText(d);
        fc.pre(code.replaceAll('-', '')[at] !== wrong);
        const text = edited(code, (characters) => {
          characters[at] = wrong;
        });
        return mistakeIn(text) === Math.floor(at / 5) + 1;
      },
    ),
  );
});

t.test('any two characters of a group exchanged are noticed', async () => {
  const inGroup = fc.nat({ max: 4 });
  await fc.assert(
    fc.property(data, inGroup, inGroup, inGroup, (d, group, a, b) => {
      const code = codeText(d);
      const [x, y] = [group * 5 + a, group * 5 + b];
      const plain = code.replaceAll('-', '');
      fc.pre(plain[x] !== plain[y]);
      return mistakeIn(edited(code, (all) => exchange(all, x, y))) === group + 1;
    }),
  );
});

t.test('two neighbours exchanged across a dash are noticed', async () => {
  await fc.assert(
    fc.property(data, fc.integer({ min: 1, max: 4 }), (d, group) => {
      const code = codeText(d);
      const plain = code.replaceAll('-', '');
      const at = group * 5;
      fc.pre(plain[at] !== plain[at - 1]);
      return mistakeIn(edited(code, (all) => exchange(all, at - 1, at))) === group;
    }),
  );
});

t.test('any two groups exchanged are noticed', async () => {
  const group = fc.nat({ max: 4 });
  await fc.assert(
    fc.property(data, group, group, (d, a, b) => {
      fc.pre(a !== b);
      const groups = codeText(d).split('-');
      exchange(groups, a, b);
      return mistakeIn(groups.join('-')) === Math.min(a, b) + 1;
    }),
  );
});

t.test('a group that is too short or too long is named, as far as it can be told', async (t) => {
  const groups = makeCode(seededRandom('short')).split('-');
  const short = groups.map((group, i) => (i === 2 ? group.slice(1) : group));
  t.equal(mistakeIn(short.join('-')), 3);
  t.equal(mistakeIn(short.join('')), 0);
  t.equal(mistakeIn(groups.slice(1).join('-')), 0);
  t.equal(mistakeIn(`${groups.join('-')}X`), 5);
  t.equal(mistakeIn(''), 0);
  t.match(new CodeMistake(3).message, /group 3/);
});

t.test('fuzz: any text is a code or a mistake', async () => {
  await fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
      mistakeIn(text);
    }),
  );
  const long = fc.string({ unit: 'binary', minLength: 25, maxLength: 25 });
  await fc.assert(
    fc.property(long, (text) => {
      mistakeIn(text);
    }),
  );
});

t.test('A3: the keys of a code are of one slow hash, and steady', async (t) => {
  const seen: { text: string; salt: Uint8Array; memory: number }[] = [];
  const recorder: Argon2id = (bytes, salt, { memory }) => {
    seen.push({ text: Buffer.from(bytes).toString(), salt, memory });
    return quick(bytes, salt, kdfFloor);
  };
  const characters = readCode(makeCode(seededRandom('keys')));
  const keys = await openCode(characters, salt, kdfFloor, recorder);
  t.same(seen, [{ text: characters, salt, memory: 65_536 }]);
  t.same(
    [keys.loc, keys.proof, keys.dh.public, keys.dh.private, keys.anchorKey].map((k) => k.length),
    [16, 32, 32, 32, 32],
  );
  t.same(await openCode(characters, salt, kdfFloor, quick), keys);
  const elsewhere = await openCode(characters, new Uint8Array(16), kdfFloor, quick);
  t.notSame(elsewhere.loc, keys.loc, 'another salt, another slot');
});

t.test(
  'pitfall: KDF downgrade: below the floor or what was used before no code is hashed',
  async (t) => {
    let hashed = 0;
    const count: Argon2id = async () => {
      hashed++;
      return new Uint8Array(32);
    };
    const characters = '0'.repeat(20);
    const weak = { name: 'Fault', code: 'kdf_too_weak' };
    for (const less of [{ memory: 65_535 }, { passes: 2 }, { lanes: 0 }]) {
      await t.rejects(openCode(characters, salt, { ...kdfFloor, ...less }, count), weak);
    }
    const pinned = { ...kdfFloor, passes: 4 };
    await t.rejects(openCode(characters, salt, kdfFloor, count, pinned), weak);
    const malformed = { name: 'Fault', code: 'malformed' };
    const most = { ...kdfCeiling, memory: kdfCeiling.memory + 1 };
    await t.rejects(openCode(characters, salt, most, count), malformed);
    await t.rejects(openCode(characters, salt.subarray(1), kdfFloor, count), malformed);
    for (const bad of ['', '0'.repeat(19), '0'.repeat(21), `${'0'.repeat(19)}U`, 'o'.repeat(20)]) {
      await t.rejects(openCode(bad, salt, kdfFloor, count), malformed);
    }
    t.equal(hashed, 0);
  },
);

t.test('an anchor is of one code, one account and one identity', async (t) => {
  const random = seededRandom('anchor');
  const [a, b] = await Promise.all(
    [1, 2].map(() => openCode(readCode(makeCode(random)), salt, kdfFloor, quick)),
  );
  if (a === undefined || b === undefined) throw new Error('no codes');
  const [mine, other] = [accountId('0a'.repeat(16)), accountId('0b'.repeat(16))];
  const [aik, another] = [random(32), random(32)];
  const anchor = anchorOf(a, mine, aik);
  t.equal(anchor.length, 32);
  for (const wrong of [
    anchorOf(b, mine, aik),
    anchorOf(a, other, aik),
    anchorOf(a, mine, another),
  ]) {
    t.notSame(wrong, anchor);
  }
});
