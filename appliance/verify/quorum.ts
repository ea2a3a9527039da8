/** K1: a checkpoint below quorum, made for this visit out of the real one, shown to the policy and to a client. docs/protocol/transparency.md §2.5 */
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import { encodeAnswer, readAnswer } from '@island/protocol/transparency/answer.ts';
import { type Cosigner, ed25519Cosigner } from '@island/protocol/transparency/cosignature.ts';
import {
  addSignatures,
  type NoteSignature,
  noteFromBytes,
  parseNote,
  parseVkey,
} from '@island/protocol/transparency/note.ts';
import {
  checkCheckpoint,
  formatPolicy,
  type Policy,
  parsePolicy,
} from '@island/protocol/transparency/policy.ts';
import type { SaidLog } from '@island/protocol/wire/routes.ts';
import { type Finding, found } from './finding.ts';
import { type Onlooker, onlooker, outcomeOf } from './onlooker.ts';
import type { Person } from './people.ts';
import type { PublicDoor } from './public-door.ts';

/** How many of the three made here have to sign. */
const quorum = 2;
const names = ['one', 'two', 'three'];

interface Strangers {
  text: string;
  policy: Policy;
  cosigners: readonly Cosigner[];
}

export async function checkQuorum(
  door: PublicDoor,
  log: SaidLog,
  alice: Person,
  bob: Person,
): Promise<Finding[]> {
  const strangers = strangersOf(log);
  const note = noteFromBytes(await door.file('checkpoint'));
  return [
    ...(await checkPolicy(log, strangers, note)),
    ...(await checkClient(strangers, alice, bob)),
  ];
}

function strangersOf({ vkey }: SaidLog): Strangers {
  const cosigners = names.map((name) => ed25519Cosigner(`verify/${name}`, ed25519.generate()));
  const text = formatPolicy({
    logs: [{ vkey: parseVkey(vkey) }],
    witnesses: cosigners.map((cosigner, i) => ({ name: names[i] ?? '', vkey: cosigner.vkey })),
    groups: [{ name: 'strangers', threshold: quorum, members: names }],
    quorum: 'strangers',
  });
  return { text, policy: parsePolicy(text), cosigners };
}

/** Signatures of the first `count` of them, and what is to pass for more. */
function cosigned(
  note: string,
  { cosigners }: Strangers,
  count: number,
  more: readonly NoteSignature[] = [],
): string {
  const { text } = parseNote(note);
  const now = Math.floor(Date.now() / 1000);
  const lines = cosigners.slice(0, count).map((one) => one.cosign(text, now));
  const added = [...lines, ...more];
  return added.length === 0 ? note : addSignatures(note, added);
}

async function checkPolicy(
  { vkey }: SaidLog,
  strangers: Strangers,
  note: string,
): Promise<Finding[]> {
  const { policy, cosigners } = strangers;
  const { text } = parseNote(note);
  const [one, two] = cosigners;
  if (one === undefined || two === undefined) throw new TypeError('no witnesses');
  const other = ed25519Cosigner(two.vkey.name, ed25519.generate());
  const forged = { ...other.cosign(text, 1), keyId: two.vkey.keyId };
  const said = async (shown: string, under: Policy = policy): Promise<string> =>
    outcomeOf(() =>
      checkCheckpoint(under, shown, { allowUnwitnessed: true, log: parseVkey(vkey) }),
    );
  const nobody = { ...policy, groups: [{ name: 'strangers', threshold: 0, members: [] }] };
  const tries: [what: string, outcome: string, wanted: string][] = [
    ['no signature of a witness', await said(cosigned(note, strangers, 0)), 'quorum_missing'],
    [
      `1 of the ${quorum} that are needed`,
      await said(cosigned(note, strangers, 1)),
      'quorum_missing',
    ],
    [
      'one that signed twice',
      await said(cosigned(note, strangers, 1, [one.cosign(text, 7)])),
      'quorum_missing',
    ],
    [
      'another key of the same name',
      await said(cosigned(note, strangers, 1, [other.cosign(text, 7)])),
      'quorum_missing',
    ],
    ['a forged signature', await said(cosigned(note, strangers, 1, [forged])), 'signature_invalid'],
    [
      'an empty list of witnesses',
      await said(cosigned(note, strangers, 3), nobody),
      'quorum_missing',
    ],
    [`${quorum} witnesses`, await said(cosigned(note, strangers, quorum)), 'accepted'],
  ];
  return tries.map(([what, outcome, wanted]) =>
    found(
      outcome === wanted,
      `a checkpoint with ${what}, under a policy of ${quorum} of 3: ${outcome}`,
    ),
  );
}

/** A client that pins this policy, and is shown the island's answers with so many signatures. */
async function checkClient(strangers: Strangers, alice: Person, bob: Person): Promise<Finding[]> {
  const shown = (count: number): Onlooker =>
    onlooker(
      alice,
      {
        answer(bytes) {
          const answer = readAnswer(bytes);
          return encodeAnswer({ ...answer, note: cosigned(answer.note, strangers, count) });
        },
      },
      ({ vkey, vrf }) => ({ vkey, vrf, policy: strangers.text, policyNumber: 1 }),
    );
  const below = shown(quorum - 1);
  const refused = await below.ask(bob.name);
  const left = (await below.people.known(bob.account.account)) !== undefined;
  // What the island really says of its policy does not talk the client out of the one that it knows.
  below.between = {};
  const talked = await below.ask(bob.name);
  const seen = await below.seen();
  const enough = await shown(quorum).ask(bob.name);
  return [
    found(
      refused === 'unwitnessed' && !left && seen === 0,
      `a client shown ${quorum - 1} of ${quorum} signatures: ${refused}; it has taken ${left || seen > 0 ? 'SOMETHING' : 'nothing'} from there`,
    ),
    found(talked === 'unwitnessed', `the same, told that no witness is needed any more: ${talked}`),
    found(enough === 'accepted', `a client shown ${quorum} of ${quorum} signatures: ${enough}`),
  ];
}
