/**
 * K1: the log of keys as anybody finds it, by the functions of C2SP alone; what its witnesses have to have signed; and
 * this island as a witness of others. docs/protocol/transparency.md §2, §6, §7
 */
import { equal } from '@island/protocol/crypto/primitives.ts';
import { readAnswer, toTlogProof } from '@island/protocol/transparency/answer.ts';
import { openCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { verifierOf } from '@island/protocol/transparency/cosignature.ts';
import { leafTypes, readEpoch, readLeaf } from '@island/protocol/transparency/leaves.ts';
import { witnessClass } from '@island/protocol/transparency/member-witness.ts';
import { noteFromBytes, parseVkey } from '@island/protocol/transparency/note.ts';
import { checkCheckpoint, parsePolicy } from '@island/protocol/transparency/policy.ts';
import {
  decodeEntries,
  tilePath,
  tileReader,
  tileWidth,
  widthIn,
} from '@island/protocol/transparency/tiles.ts';
import { parseTlogProof, verifyTlogProof } from '@island/protocol/transparency/tlog-proof.ts';
import {
  leafHash,
  verifyConsistency,
  verifyInclusion,
} from '@island/protocol/transparency/tree.ts';
import {
  consistencyProof,
  inclusionProof,
  rootAt,
} from '@island/protocol/transparency/tree-proofs.ts';
import type { SaidLog } from '@island/protocol/wire/routes.ts';
import { type Finding, type Findings, found } from './finding.ts';
import { onlooker, outcomeOf } from './onlooker.ts';
import type { Person } from './people.ts';
import { openPublicDoor, type PublicDoor } from './public-door.ts';
import { checkQuorum } from './quorum.ts';
import type { Scene } from './scene.ts';
import { checkWitnessDoor } from './witness-door.ts';

export async function checkKeyLog(scene: Scene, alice: Person, bob: Person): Promise<Findings> {
  using door = await openPublicDoor(scene);
  const log = await door.log();
  const { size, findings } = await checkFormats(door, log);
  const { finding, witnessed } = await checkWitnessed(door, log);
  return {
    summary: `${size} entries in the formats of C2SP; ${witnessed}; below a quorum neither policy nor client takes a checkpoint; as a witness it signs nothing but growth`,
    findings: [
      ...findings,
      await checkProofFile(log, alice, bob),
      finding,
      ...(await checkQuorum(door, log, alice, bob)),
      ...(await checkWitnessDoor(scene, door, log)),
    ],
  };
}

/** The size of the smallest log: a policy, a key, an epoch. */
const first = 3;

async function checkFormats(door: PublicDoor, { vkey }: SaidLog) {
  const shown = await door.get('/log/checkpoint');
  const note = noteFromBytes(shown.body);
  const { origin, size, root } = openCheckpoint(note, verifierOf(parseVkey(vkey)));
  const read = tileReader({ size, root }, (path) => door.file(path));
  const oldRoot = await rootAt(first, read);
  const consistency = await outcomeOf(async () => {
    const proof = await consistencyProof(first, size, read);
    verifyConsistency({ oldSize: first, oldRoot, newSize: size, newRoot: root, proof });
  });
  const inclusion = await outcomeOf(async () => {
    const leaf = leafHash((await bundle(door, size, 0))[0] ?? new Uint8Array(0));
    const proof = await inclusionProof(0, size, read);
    verifyInclusion({ leaf, index: 0, size, proof, root });
  });
  const last = Math.floor((size - 1) / tileWidth);
  const entries = await bundle(door, size, last);
  const same = await Promise.all(
    entries.map(async (entry, i) => equal(leafHash(entry), await read(0, last * tileWidth + i))),
  );
  const newest = entries.at(-1) ?? new Uint8Array(0);
  const ends = readLeaf(newest).type === leafTypes.epoch;
  const age = Math.round((Date.now() - readEpoch(newest).timestamp) / 1000);
  const absent = [
    tilePath({ level: 'entries', index: last + 1, width: 1 }),
    tilePath({ level: 0, index: last + 4096, width: tileWidth }),
    'tile/0/000.p/256',
    'tile/0/0',
  ];
  const missing = await Promise.all(absent.map((path) => door.get(`/log/${path}`)));
  const findings: Finding[] = [
    found(
      shown.status === 200 && shown.type === 'text/plain',
      `GET /log/checkpoint: a signed note of ${origin}, ${size} entries, three lines, signed with the key of discovery`,
    ),
    found(
      same.every(Boolean),
      `hash tiles make up the signed root; ${entries.length} entries of the last bundle hash to their leaves`,
    ),
    found(inclusion === 'accepted', `inclusion of entry 0, by tiles: ${inclusion}`),
    found(
      consistency === 'accepted',
      `consistency from size ${first} to ${size}, by tiles: ${consistency}`,
    ),
    found(ends && age < 3600, `the last entry is an epoch, ${age} s old`),
    found(
      missing.every(({ status }) => status === 404),
      `tiles that the log does not have, or by other names: ${missing.map(({ status }) => status).join(', ')}`,
    ),
  ];
  return { size, findings };
}

async function bundle(door: PublicDoor, size: number, index: number): Promise<Uint8Array[]> {
  const width = widthIn(size, 'entries', index);
  return decodeEntries(await door.file(tilePath({ level: 'entries', index, width })), width);
}

/** The proof of somebody's keys as a file that any verifier of c2sp.org/tlog-proof takes. */
async function checkProofFile(log: SaidLog, alice: Person, bob: Person): Promise<Finding> {
  let text = '';
  let epoch: Uint8Array = new Uint8Array(0);
  const asked = await onlooker(alice, {
    answer(bytes) {
      const answer = readAnswer(bytes);
      text = toTlogProof(answer);
      epoch = answer.epoch;
      return bytes;
    },
  }).ask(bob.name);
  const options = { allowUnwitnessed: true, log: parseVkey(log.vkey) };
  const verified = await outcomeOf(() =>
    verifyTlogProof(parseTlogProof(text), leafHash(epoch), parsePolicy(log.policy), options),
  );
  return found(
    asked === 'accepted' && verified === 'accepted',
    `what is proved of somebody, as a .tlog-proof file of ${text.length} bytes: ${verified}`,
  );
}

/** Witnessed, and then the checkpoint has the signatures; or plainly not, and then nothing passes for it. */
async function checkWitnessed(door: PublicDoor, log: SaidLog) {
  const policy = parsePolicy(log.policy);
  const asks = policy.quorum !== undefined;
  const note = noteFromBytes(await door.file('checkpoint'));
  const check = (allowUnwitnessed: boolean) =>
    checkCheckpoint(policy, note, { allowUnwitnessed, log: parseVkey(log.vkey) });
  const strict = await outcomeOf(() => check(false));
  const { cosigners } = check(true);
  const names = cosigners.map(({ name }) => name).join(', ');
  const members = policy.witnesses
    .filter((one) => witnessClass(one) === 'member')
    .map(({ name }) => name);
  // Whoever counts them as others would think the island more independent than it is.
  const own =
    members.length === 0 ? '' : `, of the policy members of this island: ${members.join(', ')}`;
  const said = log.witnessed ? `cosigned by ${names}${own}` : 'unwitnessed, and says so';
  const good = log.witnessed === asks && strict === (asks ? 'accepted' : 'quorum_missing');
  return {
    witnessed: said,
    finding: found(
      good,
      `discovery says ${log.witnessed ? 'witnessed' : 'not witnessed'} under policy ${log.policyNumber}; as a witnessed checkpoint this one is ${strict}${names === '' ? '' : ` (${names})`}${own}`,
    ),
  };
}
