/** The log of a directory, for whoever judges one: honest, unless it is told what to say instead. */
import { ed25519, sha256 } from '../crypto/primitives.ts';
import { signCheckpoint } from '../transparency/checkpoint.ts';
import { ed25519Cosigner } from '../transparency/cosignature.ts';
import type { ShownLeaf } from '../transparency/evidence.ts';
import {
  type EpochLeaf,
  type EventLeaf,
  encodeEpoch,
  encodeEvent,
  encodeOperator,
  eventHash,
  isErasure,
  noEvent,
  type OperatorLeaf,
  operatorKinds,
} from '../transparency/leaves.ts';
import { mapValue } from '../transparency/map-proof.ts';
import { createMap, type LabelMap } from '../transparency/map-tree.ts';
import { addSignatures, formatVkey, noteSigner, parseNote } from '../transparency/note.ts';
import { inclusionProof, rootAt } from '../transparency/tree-proofs.ts';
import { deriveVrfKey, type VrfKey } from '../transparency/vrf.ts';
import { utf8Bytes } from '../wire/bytes.ts';
import { hex } from '../wire/text.ts';
import { type MemoryTree, memoryTree } from './memory-tree.ts';

const seed = (name: string): Uint8Array => sha256(utf8Bytes(name));
const origin = 'pi-kt/test';
const signer = noteSigner(origin, ed25519.fromSeed(seed('log')));
const witnesses = ['w1', 'w2', 'w3'].map((name) => ({
  name,
  cosigner: ed25519Cosigner(`witness.example/${name}`, ed25519.fromSeed(seed(name))),
}));

/** All of its logs have this key. */
export const testVkey: string = formatVkey(signer.vkey);
/** Two of three. */
export const testPolicy: string = [
  ...witnesses.map(({ name, cosigner }) => `witness ${name} ${formatVkey(cosigner.vkey)}`),
  'group all-of-them 2 w1 w2 w3',
  'quorum all-of-them',
  '',
].join('\n');
/** The log as a witness of itself. */
export const ownCosigner = ed25519Cosigner(origin, ed25519.fromSeed(seed('log')));

export const label = (name: string): Uint8Array => seed(`label ${name}`);

/** Of the first epoch; each is a minute after the one before. */
export const firstTime = Date.UTC(2026, 0, 1);

type Newest = { version: number; hash: Uint8Array };

export interface DirectoryLog extends MemoryTree {
  readonly size: number;
  readonly map: LabelMap;
  readonly vrf: VrfKey;
  /** The next event of a label; answers its number. */
  event(index: Uint8Array, said?: Partial<EventLeaf>): number;
  epoch(said?: Partial<EpochLeaf>): number;
  operator(said: Partial<OperatorLeaf>): number;
  /** Signed, and cosigned by the witnesses of these names. */
  checkpoint(said?: { by?: readonly string[]; seconds?: number; size?: number }): Promise<string>;
  shown(index: number, note?: number): Promise<ShownLeaf>;
}

/** With policy 1, VRF key 1 and an epoch, unless `bare`. */
export function directoryLog({ bare = false, policy = testPolicy } = {}): DirectoryLog {
  const { entries, push, read, tile } = memoryTree();
  const map = createMap();
  const newest = new Map<string, Newest>();
  const vrf = deriveVrfKey(seed('vrf'));
  let epochs = 0;
  let begins = 0;

  const log: DirectoryLog = {
    entries,
    map,
    vrf,
    push,
    read,
    tile,
    get size() {
      return entries.length;
    },
    event(index, said = {}) {
      const name = hex(index);
      const before = newest.get(name);
      const version = said.version ?? (before?.version ?? 0) + 1;
      const event = {
        flags: version === 1 ? 1 : 2,
        index,
        version,
        prevEvent: version === 1 ? noEvent : (before?.hash ?? noEvent),
        commitment: isErasure({ flags: said.flags ?? 0 })
          ? noEvent
          : seed(`commitment ${entries.length}`),
        ...said,
      };
      const bytes = encodeEvent(event);
      const hash = eventHash(bytes);
      newest.set(name, { version, hash });
      map.set(index, mapValue(version, entries.length, hash));
      return push(bytes);
    },
    epoch(said = {}) {
      const timestamp = firstTime + epochs++ * 60_000;
      const honest = { timestamp, mapRoot: map.root, mapCount: map.count, firstEvent: begins };
      const at = push(encodeEpoch({ ...honest, ...said }));
      begins = at + 1;
      return at;
    },
    operator: ({ kind = operatorKinds.policy, number = 1, hash = noEvent }) =>
      push(encodeOperator({ kind, number, hash })),
    async checkpoint({
      by = ['w1', 'w2'],
      seconds = firstTime / 1000,
      size = entries.length,
    } = {}) {
      const note = signCheckpoint({ origin, size, root: await rootAt(size, read) }, signer);
      const { text } = parseNote(note);
      const chosen = witnesses.filter(({ name }) => by.includes(name));
      return addSignatures(
        note,
        chosen.map(({ cosigner }) => cosigner.cosign(text, seconds)),
      );
    },
    async shown(index, note = 0) {
      const leaf = entries[index] ?? new Uint8Array(0);
      return { note, index, leaf, proof: await inclusionProof(index, entries.length, read) };
    },
  };
  if (!bare) {
    log.operator({ kind: operatorKinds.policy, hash: sha256(utf8Bytes(policy)) });
    log.operator({ kind: operatorKinds.vrf, hash: sha256(vrf.public) });
    log.epoch();
  }
  return log;
}
