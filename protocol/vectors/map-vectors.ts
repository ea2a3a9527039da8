/** Vectors of labels, entries, the map and answers. docs/protocol/transparency.md §3, §4, §5 */
import {
  accountOfName,
  checkAnswer,
  encodeAnswer,
  readAnswer,
  toTlogProof,
} from '../transparency/answer.ts';
import { checkCommitment } from '../transparency/commitment.ts';
import { followEvents, nothingKnown } from '../transparency/event-chain.ts';
import { accountLabel, nameLabel, readLabel } from '../transparency/label.ts';
import { encodeEvent, eventHash, readEvent, readLeaf } from '../transparency/leaves.ts';
import {
  emptyMapRoot,
  mapValue,
  noChild,
  readMapProof,
  verifyAbsence,
  verifyMembership,
} from '../transparency/map-proof.ts';
import { createMap } from '../transparency/map-tree.ts';
import { prove, verify } from '../transparency/vrf.ts';
import { concat } from '../wire/bytes.ts';
import { fromHex } from '../wire/text.ts';
import { SampleAccount } from './sample-account.ts';
import { SampleDirectory } from './sample-directory.ts';
import { seededRandom } from './seeded.ts';
import { changed, refused, refusedForms, type VectorFile } from './vector-file.ts';

/** 2026-11-01, ms. */
const start = 1_793_491_200_000;

function maps() {
  const index = (...bytes: number[]): Uint8Array => changed(new Uint8Array(32), 0, ...bytes);
  const close = changed(index(0xff), 31, 1);
  const steps = [index(0x00), index(0xff), close, index(0xf0), index(0x00, 0x01)];
  const map = createMap();
  const entries = steps.map((at, i) => {
    const value = mapValue(1, i, at);
    map.set(at, value);
    return { index: at, value, root: map.root };
  });
  const { root } = map;
  const [first] = entries;
  if (first === undefined) throw new Error('no entry');
  const members = entries.map(({ index, value }) => ({ index, value, proof: map.prove(index) }));
  const absent = [index(0x80), index(0xff, 0x80), changed(index(0xff), 31, 2), index(0x00, 0x02)];
  const right = createMap();
  right.set(index(0xff), first.value);
  const check = (proof: Uint8Array) => verifyMembership({ ...first, root, proof });
  const [{ proof } = { proof: root }] = members;
  return {
    emptyRoot: emptyMapRoot,
    emptySide: noChild,
    entries,
    root,
    members,
    absent: absent.map((at) => ({ index: at, proof: map.prove(at) })),
    emptyMap: { root: createMap().root, index: first.index, proof: createMap().prove(first.index) },
    emptyHalf: { root: right.root, index: first.index, proof: right.prove(first.index) },
    refused: [
      refused('a member as absent', proof, () =>
        verifyAbsence({ root, index: first.index, proof }),
      ),
      refused('a sibling changed', changed(proof, -1, (proof.at(-1) ?? 0) ^ 1), check),
      refused('the way of another index', map.prove(index(0xff)), check),
      refused('kind 4', changed(proof, 0, 4), readMapProof),
      refused('a trailing byte', concat(proof, Uint8Array.of(0)), readMapProof),
      refused('the root left out', changed(proof, 2, 1), readMapProof),
    ],
  };
}

export const vectors: VectorFile = {
  name: 'map',
  document: 'docs/protocol/transparency.md §3, §4, §5',
  async make() {
    const random = seededRandom('map');
    const directory = new SampleDirectory(random);
    await directory.epoch(start);
    const ann = new SampleAccount(random, 'ann');
    const label = accountLabel(ann.account);
    const name = nameLabel('ann');
    directory.put(label, ann.list.bytes);
    directory.put(name, fromHex(ann.account));
    directory.put(nameLabel('gone'), random(16));
    await directory.epoch(start + 60_000);
    ann.change({ devices: [...ann.list.devices, ann.cert(ann.device(2))] });
    directory.put(label, ann.list.bytes);
    directory.put(nameLabel('gone'));
    await directory.epoch(start + 120_000);

    const { vrf, pins, seeds } = directory;
    const { proof, output } = prove(vrf, label);
    const answer = await directory.answer(name, label);
    const bytes = encodeAnswer(answer);
    const nobody = nameLabel('nobody');
    const options = { log: pins, labels: [name, accountOfName], allowUnwitnessed: false };
    const check = (given: Uint8Array) => checkAnswer(given, options);
    const history = directory.versions(label);
    const [, vrfKey = new Uint8Array(0)] = directory.tree.entries;
    const [one, two] = history;
    const [, newest] = check(bytes).labels;
    if (!one || !two || !newest?.present) throw new Error('no history');
    const event = readEvent(two.event);
    const other = changed(proof, 0, (proof[0] ?? 0) ^ 1);
    const labels = answer.labels.map(({ shown, ...place }, i) => {
      return i === 0 || !shown ? { ...place, ...(shown && { shown }) } : place;
    });
    const opened = { label, version: 2, opening: two.opening, state: two.state };
    const steps = history.map((step) => ({ ...step, hash: eventHash(step.event) }));
    return {
      seeds,
      pins,
      labels: [label, name],
      labelsRefused: [
        refused('kind 3', changed(name, 0, 3), readLabel),
        refused('17 bytes of account', concat(label, name), readLabel),
        refused('a capital', changed(name, 1, 0x41), readLabel),
      ],
      vrf: {
        ...{ private: vrf.private, public: vrf.public, alpha: label, proof, output },
        refused: [
          refused('changed', other, (given) => verify(vrf.public, label, given)),
          refused('of another label', proof, (given) => verify(vrf.public, name, given)),
          refused('the identity', changed(proof, 0, ...new Uint8Array(32)), (given) =>
            verify(vrf.public, label, given),
          ),
        ],
      },
      commitment: { ...opened, commitment: event.commitment },
      commitmentRefused: [
        refused('another state', one.state, (state) =>
          checkCommitment(event.commitment, { ...opened, state }),
        ),
      ],
      entries: directory.tree.entries,
      entriesRefused: [
        refused('type 4', changed(two.event, 0, 4), readLeaf),
        refused('a trailing byte', concat(two.event, Uint8Array.of(0)), readLeaf),
        refused('the last byte missing', two.event.subarray(0, -1), readLeaf),
        refused('no flags', changed(two.event, 1, 0), readLeaf),
        refused('version 0', changed(two.event, 34, 0, 0, 0, 0), readLeaf),
        refused('a first event with one before', changed(two.event, 34, 0, 0, 0, 1), readLeaf),
        refused('a second key of the VRF', changed(vrfKey, 5, 2), readLeaf),
      ],
      map: maps(),
      answer: {
        ...{ labels: [name, label], bytes, file: toTlogProof(answer) },
        absent: { labels: [nobody], bytes: await directory.answerBytes(nobody) },
        erased: {
          labels: [nameLabel('gone')],
          bytes: await directory.answerBytes(nameLabel('gone')),
        },
        unreadable: refusedForms(bytes, readAnswer),
        refused: [
          refused('another name', bytes, (given) =>
            checkAnswer(given, { ...options, labels: [nameLabel('bob'), accountOfName] }),
          ),
          refused('the account hidden', encodeAnswer({ ...answer, labels }), check),
          refused('another state', changed(bytes, -1, (bytes.at(-1) ?? 0) ^ 1), check),
          refused(
            'another epoch',
            encodeAnswer({ ...answer, epoch: changed(answer.epoch, 8, 1) }),
            check,
          ),
          refused(
            'below quorum',
            encodeAnswer({
              ...answer,
              note: `${answer.note.split('\n').slice(0, 6).join('\n')}\n`,
            }),
            check,
          ),
        ],
      },
      history: {
        label,
        steps,
        refused: [
          refused('the first left out', two.event, () =>
            followEvents(nothingKnown, steps.slice(1), newest),
          ),
          refused('another one before', one.event, () => {
            const prevEvent = changed(event.prevEvent, 0, (event.prevEvent[0] ?? 0) ^ 1);
            const forged = encodeEvent({ ...event, prevEvent });
            followEvents(nothingKnown, [one, { ...two, event: forged }], newest);
          }),
        ],
      },
    };
  },
};
