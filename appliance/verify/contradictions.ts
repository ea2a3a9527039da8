/**
 * K2: a real client is shown what an island that misbehaves would show: proofs with a part exchanged, an older log,
 * two histories of one size, a history that was rewritten. The two last ones need the key of the log, which this
 * check does not have: there it stands between the client and the island with a log of its own key, over the real one.
 * docs/protocol/transparency.md §8
 */
import { ed25519, randomBytes } from '@island/protocol/crypto/primitives.ts';
import {
  type Answer,
  encodeAnswer,
  type LogPins,
  readAnswer,
} from '@island/protocol/transparency/answer.ts';
import { parseCheckpoint, signCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { verifyEvidence } from '@island/protocol/transparency/conviction.ts';
import { encodeEpoch, readEpoch } from '@island/protocol/transparency/leaves.ts';
import {
  formatVkey,
  type NoteSigner,
  noteSigner,
  parseNote,
} from '@island/protocol/transparency/note.ts';
import { tileReader } from '@island/protocol/transparency/tiles.ts';
import { leafHash, nodeHash } from '@island/protocol/transparency/tree.ts';
import {
  type HashReader,
  inclusionProof,
  rootAt,
} from '@island/protocol/transparency/tree-proofs.ts';
import type { SaidLog } from '@island/protocol/wire/routes.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { checkParts, flips } from './exchanged-parts.ts';
import { type Finding, type Findings, found } from './finding.ts';
import { type Onlooker, onlooker, outcomeOf } from './onlooker.ts';
import type { Person } from './people.ts';
import { openPublicDoor, type PublicDoor } from './public-door.ts';
import type { Scene } from './scene.ts';

/** @param grow lets somebody join: the log is longer then */
export async function checkContradictions(
  scene: Scene,
  alice: Person,
  bob: Person,
  grow: () => Promise<unknown>,
): Promise<Findings> {
  using door = await openPublicDoor(scene);
  const answers = new Map<string, Uint8Array>();
  const honest = onlooker(alice);
  const keep = async (name: string): Promise<string> => {
    honest.between = {
      answer(bytes) {
        answers.set(name, bytes);
        return bytes;
      },
    };
    return honest.ask(name);
  };
  const asked = [await keep(bob.name), await keep(alice.name)];
  const [ofBob, ofAlice] = [answers.get(bob.name), answers.get(alice.name)];
  if (ofBob === undefined || ofAlice === undefined) throw new Error('nothing was answered');
  const exchanged = await checkParts(alice, bob.name, ofBob, ofAlice);
  const before = await honest.seen();
  await grow();
  asked.push(await keep(bob.name));
  const after = await honest.seen();
  const newer = answers.get(bob.name) ?? ofBob;
  const whole = onlooker(alice, { answer: () => ofAlice });
  const ghost = found(
    (await whole.ask(bob.name)) !== 'accepted',
    'what is proved of one person, shown for another: refused',
  );
  return {
    summary: `a client refused ${flips} answers with a bit turned over and ${exchanged.length - 1} with a part exchanged; an older log, a fork and a rewritten log are caught, stay caught, and two of them convict`,
    findings: [
      found(
        asked.every((outcome) => outcome === 'accepted') && after > before,
        `what the island proves: ${asked.join(', ')}; the client saw its log grow from ${before} to ${after}`,
      ),
      ...exchanged,
      ghost,
      ...(await checkOlder(honest, bob, ofBob)),
      ...(await checkFork(alice, bob.name, newer, door)),
      ...(await checkRewrite(alice, bob.name, { older: ofBob, newer }, door)),
    ],
  };
}

/** The island's own earlier answer, shown to a client that has seen more. */
async function checkOlder(client: Onlooker, bob: Person, older: Uint8Array): Promise<Finding[]> {
  const known = (await client.people.known(bob.account.account)) !== undefined;
  client.between = { answer: () => older };
  const caught = await client.ask(bob.name);
  return [
    ...(await checkCaught('an older log', client, bob.name, caught, 'rolled_back')),
    found(
      known && (await client.people.known(bob.account.account)) !== undefined,
      'who was known before is still known, by the keys of before',
    ),
  ];
}

/** Caught, and nothing that the island shows is believed from then on, also not what is right. */
async function checkCaught(
  what: string,
  client: Onlooker,
  name: string,
  outcome: string,
  wanted: string,
): Promise<Finding[]> {
  const code = (await client.latch())?.code;
  client.between = { ...client.between, answer: (bytes) => bytes };
  const then = [await client.ask(name), await client.restarted().ask(name)];
  return [
    found(outcome === 'directory_contradicted' && code === wanted, `${what}: ${outcome} (${code})`),
    found(
      then.every((one) => one === 'directory_contradicted'),
      `after ${what} the client takes nothing over, also when it is started anew: ${then.join(', ')}`,
    ),
  ];
}

/** A log of another key over the real one, as a client has known it from the beginning; no witness vouches for it. */
function impostor(): { signer: NoteSigner; pinned: (real: SaidLog) => LogPins } {
  const signer = noteSigner(`verify/${hex(randomBytes(8))}`, ed25519.generate());
  const vkey = formatVkey(signer.vkey);
  const policy = `log ${vkey}\nquorum none\n`;
  return { signer, pinned: ({ vrf }) => ({ vkey, vrf, policy, policyNumber: 1 }) };
}

/** The same answer out of that log. */
function under(signer: NoteSigner, bytes: Uint8Array): Uint8Array {
  const answer = readAnswer(bytes);
  const checkpoint = { ...checkpointOf(answer), origin: signer.vkey.name };
  return encodeAnswer({ ...answer, note: signCheckpoint(checkpoint, signer) });
}

const checkpointOf = ({ note }: Answer) => parseCheckpoint(parseNote(note).text);

/** The same size, and another last entry: everything in it is proved, by another root. */
async function forked(
  signer: NoteSigner,
  bytes: Uint8Array,
  door: PublicDoor,
): Promise<Uint8Array> {
  const answer = readAnswer(bytes);
  const { size, root } = checkpointOf(answer);
  const { timestamp, ...rest } = readEpoch(answer.epoch);
  const epoch = encodeEpoch({ ...rest, timestamp: timestamp + 1 });
  const real = tileReader({ size, root }, (path) => door.file(path));
  const read: HashReader = async (level, index) => {
    if (Math.floor((size - 1) / 2 ** level) !== index) return real(level, index);
    if (level === 0) return leafHash(epoch);
    return nodeHash(await read(level - 1, 2 * index), await read(level - 1, 2 * index + 1));
  };
  const labels = answer.labels.map(async (label) => {
    const { shown } = label;
    if (shown === undefined) return label;
    return {
      ...label,
      shown: { ...shown, proof: await inclusionProof(shown.eventIndex, size, read) },
    };
  });
  const checkpoint = { origin: signer.vkey.name, size, root: await rootAt(size, read) };
  return encodeAnswer({
    note: signCheckpoint(checkpoint, signer),
    epoch,
    epochProof: await inclusionProof(size - 1, size, read),
    labels: await Promise.all(labels),
  });
}

async function checkFork(
  alice: Person,
  name: string,
  shown: Uint8Array,
  door: PublicDoor,
): Promise<Finding[]> {
  const { signer, pinned } = impostor();
  const other = await forked(signer, shown, door);
  const client = onlooker(alice, { answer: () => under(signer, shown) }, pinned);
  const first = await client.ask(name);
  const alone = await onlooker(alice, { answer: () => other }, pinned).ask(name);
  client.between = { answer: () => other };
  const caught = await client.ask(name);
  return [
    found(
      first === 'accepted' && alone === 'accepted',
      `each of two histories of one size by itself: ${first}, ${alone}`,
    ),
    ...(await checkCaught('the other history of that size', client, name, caught, 'forked')),
    await convicts('the fork', client, signer),
  ];
}

async function checkRewrite(
  alice: Person,
  name: string,
  { older, newer }: { older: Uint8Array; newer: Uint8Array },
  door: PublicDoor,
): Promise<Finding[]> {
  const { signer, pinned } = impostor();
  const other = await forked(signer, older, door);
  const client = onlooker(alice, { answer: () => other }, pinned);
  const first = await client.ask(name);
  client.between = { answer: () => under(signer, newer) };
  const caught = first === 'accepted' ? await client.ask(name) : first;
  const what = 'a longer log without what was seen before';
  return [
    ...(await checkCaught(what, client, name, caught, 'consistency_invalid')),
    await convicts('the rewritten log', client, signer),
  ];
}

/** What the client has kept, to somebody who has the log's key and nothing else. */
async function convicts(what: string, client: Onlooker, signer: NoteSigner): Promise<Finding> {
  const evidence = (await client.latch())?.evidence ?? '';
  const outcome = await outcomeOf(() =>
    verifyEvidence(evidence, { vkey: formatVkey(signer.vkey) }),
  );
  return found(
    outcome === 'accepted',
    `evidence of ${what}, ${evidence.length} bytes, to an outsider with the log's key alone: ${outcome === 'accepted' ? 'it convicts' : outcome}`,
  );
}
