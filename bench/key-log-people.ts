/**
 * Who is in the log that is measured, and who witnesses it. A few people have real lists and real proofs of the VRF,
 * so that a client can check answers about them. Of all others, list, VRF proof and place are random bytes as long as
 * real ones: a directory looks into none of them, and places are random for whoever does not have the VRF's key.
 */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { ed25519, sha256 } from '@island/protocol/crypto/primitives.ts';
import { ed25519Cosigner } from '@island/protocol/transparency/cosignature.ts';
import { addSignatures, formatVkey, parseNote } from '@island/protocol/transparency/note.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { type AccountId, accountId } from '@island/protocol/wire/ids.ts';
import { base32, hex } from '@island/protocol/wire/text.ts';
import { newcomer } from '@island/services/directory/testing/newcomer.ts';
import { nextList } from '@island/services/directory/testing/next-list.ts';

/** People 0 to 31 are the real ones; from 16 on they have three devices, before that one. */
export const realPeople = 32;
export const firstOfThree = 16;

export const nameOf = (person: number): string => `person${person}`;

/** Of those who are not real. */
export const accountOf = (person: number): AccountId =>
  accountId(hex(sha256(utf8Bytes(nameOf(person))).subarray(0, 16)));

export interface RealPerson {
  account: AccountId;
  list: Uint8Array;
}

export function realPerson(person: number): RealPerson {
  const { aik, enrolment } = newcomer(nameOf(person));
  const { account, list } = enrolment;
  if (person < firstOfThree) return { account, list };
  const two = nextList({ aik, list: openDeviceList(list) }, { add: true });
  return { account, list: nextList(two, { add: true }).list.bytes };
}

const witnesses = [1, 2, 3].map((number) => {
  const pair = ed25519.fromSeed(sha256(utf8Bytes(`witness ${number}`)));
  const name = `pi-witness/${base32(sha256(pair.public).subarray(0, 16))}`;
  return { name: `w${number}`, cosigner: ed25519Cosigner(name, pair) };
});

/** As the policy calls them. */
export const witnessNames: readonly string[] = witnesses.map(({ name }) => name);

/** All three have to sign. */
export const policyOf = (logVkey: string): string =>
  [
    `log ${logVkey}`,
    ...witnesses.map(({ name, cosigner }) => `witness ${name} ${formatVkey(cosigner.vkey)}`),
    'group three all w1 w2 w3',
    'quorum three',
    '',
  ].join('\n');

/** With their signatures, without a way to them: that is no part of what is measured. */
export function cosigned(note: string): string {
  const { text } = parseNote(note);
  const seconds = Math.floor(Date.now() / 1000);
  return addSignatures(
    note,
    witnesses.map(({ cosigner }) => cosigner.cosign(text, seconds)),
  );
}
