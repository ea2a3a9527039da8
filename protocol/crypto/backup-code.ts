/**
 * A backup code: 100 random bits that a person writes down, and the keys that come of them (A2, A3).
 * docs/protocol/keys.md §2, §3
 *
 *     code  = five groups of five characters of Crockford's base32, each four of data and one check character
 *     check = g + 2·d1 + 4·d2 + 8·d3 + 16·d4  in GF(32) = GF(2)[x] / (x^5 + x^2 + 1),  g = 1 … 5 the number of the group
 *
 *     K      = Argon2id( the 20 data characters, codes salt 16, codes parameters, 32 bytes )
 *     loc    = HKDF( salt = empty, K, "PI/1/code/loc", 16 )      names the slot
 *     proof  = HKDF( salt = empty, K, "PI/1/code/proof", 32 )    sent to the island when the code is used
 *     dh     = X25519 from HKDF( salt = empty, K, "PI/1/code/key", 32 )
 *     anchor = HMAC( HKDF( salt = empty, K, "PI/1/code/anchor", 32 ), account 16 ‖ AIK 32 )
 *
 * All weights differ and none is 0, so that one wrong character and any two of a group exchanged change
 * the sum; two groups exchanged have the wrong number.
 */
import { concat, utf8Bytes } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import type { AccountId } from '../wire/ids.ts';
import { fromHex } from '../wire/text.ts';
import { type Argon2id, checkKdf, type KdfParameters } from './password.ts';
import { type DhPair, hkdf, hmac, type Random, randomBytes, x25519 } from './primitives.ts';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const groups = 5;
const dataCharacters = 4;
const groupCharacters = dataCharacters + 1;

/** What was typed is no backup code. `group`: 1 to 5, where the mistake is, if that can be told. */
export class CodeMistake extends Error {
  override name = 'CodeMistake';
  readonly group: number | undefined;

  constructor(group?: number) {
    super(
      group === undefined
        ? 'A backup code has five groups of five characters. Compare it with what was written down.'
        : `Something in group ${group} of the backup code is not right. Compare it with what was written down.`,
    );
    this.group = group;
  }
}

/** Multiplies by x. */
const twice = (value: number): number => (value & 0x10 ? (value << 1) ^ 0x25 : value << 1);

/** The check character of group `number` (1 to 5) with these values. */
function checkOf(number: number, values: readonly number[]): number {
  // Horner's rule, from the highest power down; the lowest is x.
  const sum = values.reduceRight((sum, value) => twice(sum ^ value), 0);
  return sum ^ number;
}

const groupOf = (data: string, index: number): string =>
  data.slice(index * dataCharacters, (index + 1) * dataCharacters);

/** The 20 data characters as they are shown: `ABCDE-FGHJK-…`. */
export function codeText(data: string): string {
  const shown = Array.from({ length: groups }, (_, i) => {
    const group = groupOf(data, i);
    const check = checkOf(
      i + 1,
      [...group].map((character) => alphabet.indexOf(character)),
    );
    return group + alphabet.charAt(check);
  });
  return shown.join('-');
}

/** A new code as it is shown. */
export function makeCode(random: Random = randomBytes): string {
  const values = random(groups * dataCharacters);
  return codeText(Array.from(values, (value) => alphabet.charAt(value & 0x1f)).join(''));
}

/** What a person may write instead of a character of the alphabet. */
const lookalikes: Readonly<Record<string, string>> = { I: '1', L: '1', O: '0' };

/**
 * The 20 data characters of a code as somebody typed it: case, spaces and dashes do not matter, I and L
 * are 1, O is 0. Throws `CodeMistake`.
 */
export function readCode(text: string): string {
  const parts = text
    .trim()
    // Of all of Unicode, ı, ſ and ß would become letters and digits of a code, too.
    .replace(/[a-z]/g, (letter) => letter.toUpperCase())
    .split(/[\s-]+/);
  const typed = parts.join('');
  if (typed.length !== groups * groupCharacters) {
    const uneven = parts.findIndex((part) => part.length !== groupCharacters);
    throw new CodeMistake(parts.length === groups ? uneven + 1 : undefined);
  }
  let data = '';
  for (let i = 0; i < groups; i++) {
    const group = typed.slice(i * groupCharacters, (i + 1) * groupCharacters);
    const values = [...group].map((character) =>
      alphabet.indexOf(lookalikes[character] ?? character),
    );
    const check = values.pop();
    if (values.includes(-1) || check !== checkOf(i + 1, values)) throw new CodeMistake(i + 1);
    for (const value of values) data += alphabet.charAt(value);
  }
  return data;
}

/** What a code becomes. */
export interface CodeKeys {
  /** 16 bytes: the name of its slot. */
  loc: Uint8Array;
  /** 32 bytes: shown to the island once. */
  proof: Uint8Array;
  dh: DhPair;
  /** 32 bytes: makes and checks the anchor of its slot. */
  anchorKey: Uint8Array;
}

const none = new Uint8Array(0);

/**
 * `data`: the 20 characters of `readCode`. `salt` (16 bytes) and `kdf`: the account's for codes. Throws what
 * `checkKdf` throws, `malformed` for a salt or data of another form.
 */
export async function openCode(
  data: string,
  salt: Uint8Array,
  kdf: KdfParameters,
  argon2id: Argon2id,
  pinned?: KdfParameters,
): Promise<CodeKeys> {
  checkKdf(kdf, pinned);
  const characters = groups * dataCharacters;
  const inForm = data.length === characters && [...data].every((c) => alphabet.includes(c));
  if (salt.length !== 16 || !inForm) throw new Fault('malformed');
  const k = await argon2id(utf8Bytes(data), salt, kdf);
  if (k.length !== 32) throw new Fault('internal');
  const keys = {
    loc: hkdf(none, k, 'PI/1/code/loc', 16),
    proof: hkdf(none, k, 'PI/1/code/proof', 32),
    dh: x25519.fromPrivate(hkdf(none, k, 'PI/1/code/key', 32)),
    anchorKey: hkdf(none, k, 'PI/1/code/anchor', 32),
  };
  k.fill(0);
  return keys;
}

/**
 * 32 bytes that tie a code to the account and the AIK (public) that made it: whoever has the code knows
 * by it which identity is the true one, and the island can't make it for another.
 */
export const anchorOf = (code: CodeKeys, account: AccountId, aik: Uint8Array): Uint8Array =>
  hmac(code.anchorKey, concat(fromHex(account), aik));
