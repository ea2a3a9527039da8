/** A directory with its log, its map and three witnesses, for vectors and tests. */
import { listFlags } from '../crypto/account-state.ts';
import { ed25519, type Random, sha256 } from '../crypto/primitives.ts';
import { type Answer, encodeAnswer, type LogPins } from '../transparency/answer.ts';
import { signCheckpoint } from '../transparency/checkpoint.ts';
import { commit } from '../transparency/commitment.ts';
import { ed25519Cosigner } from '../transparency/cosignature.ts';
import type { EventStep } from '../transparency/event-chain.ts';
import { labelIndex, readLabel } from '../transparency/label.ts';
import type { LabelProof } from '../transparency/label-proof.ts';
import {
  encodeEpoch,
  encodeEvent,
  encodeOperator,
  eventHash,
  noEvent,
  operatorKinds,
} from '../transparency/leaves.ts';
import { mapValue } from '../transparency/map-proof.ts';
import { createMap } from '../transparency/map-tree.ts';
import { addSignatures, formatVkey, noteSigner, parseNote } from '../transparency/note.ts';
import { inclusionProof, rootAt } from '../transparency/tree-proofs.ts';
import { deriveVrfKey, prove, type VrfKey } from '../transparency/vrf.ts';
import { utf8Bytes } from '../wire/bytes.ts';
import { hex } from '../wire/text.ts';
import { memoryTree } from './memory-tree.ts';

export const directoryOrigin = 'pi-kt/sample';

export interface SampleVersion extends EventStep {
  eventIndex: number;
  version: number;
  flags: number;
}

export class SampleDirectory {
  readonly tree = memoryTree();
  readonly map = createMap();
  readonly vrf: VrfKey;
  readonly pins: LogPins;
  readonly seeds: { log: Uint8Array; vrf: Uint8Array; witnesses: Uint8Array[] };
  readonly #random: Random;
  readonly #labels = new Map<string, SampleVersion[]>();
  readonly #signer;
  readonly #witnesses;
  #newest: { note: string; size: number; epoch: Uint8Array } = {
    note: '',
    size: 0,
    epoch: noEvent,
  };

  /** With policy 1: two of three witnesses, or as `policy` makes it of their vkeys. */
  constructor(random: Random, policy?: (witnesses: readonly string[]) => string) {
    this.#random = random;
    const seeds = { log: random(32), vrf: random(32), witnesses: [1, 2, 3].map(() => random(32)) };
    this.seeds = seeds;
    this.#signer = noteSigner(directoryOrigin, ed25519.fromSeed(seeds.log));
    this.vrf = deriveVrfKey(seeds.vrf);
    this.#witnesses = seeds.witnesses.map((seed, i) =>
      ed25519Cosigner(`w${i + 1}.example`, ed25519.fromSeed(seed)),
    );
    const keys = this.#witnesses.map(({ vkey }) => formatVkey(vkey));
    const lines = keys.map((key, i) => `witness w${i + 1} ${key}\n`);
    const text = policy?.(keys) ?? `${lines.join('')}group g 2 w1 w2 w3\nquorum g\n`;
    const vkey = formatVkey(this.#signer.vkey);
    this.pins = { vkey, vrf: this.vrf.public, policy: text, policyNumber: 1 };
    const first = { kind: operatorKinds.policy, number: 1, hash: sha256(utf8Bytes(text)) };
    this.tree.push(encodeOperator(first));
    const second = { kind: operatorKinds.vrf, number: 1, hash: sha256(this.vrf.public) };
    this.tree.push(encodeOperator(second));
  }

  versions(label: Uint8Array): readonly SampleVersion[] {
    return this.#labels.get(hex(label)) ?? [];
  }

  indexOf(label: Uint8Array): Uint8Array {
    return labelIndex(prove(this.vrf, label).output);
  }

  /** The next version of a label; without a state, its erasure. */
  put(label: Uint8Array, state?: Uint8Array, flags = this.#flagsOf(label, state)): SampleVersion {
    const before = this.versions(label);
    const version = before.length + 1;
    const opening = state ? this.#random(16) : new Uint8Array(16);
    const last = before.at(-1);
    const event = encodeEvent({
      ...{ flags, version, index: this.indexOf(label) },
      prevEvent: last ? eventHash(last.event) : noEvent,
      commitment: state ? commit({ label, version, opening, state }) : noEvent,
    });
    const eventIndex = this.tree.push(event);
    this.map.set(this.indexOf(label), mapValue(version, eventIndex, eventHash(event)));
    const shown = { event, opening, state: state ?? new Uint8Array(0), eventIndex, version, flags };
    this.#labels.set(hex(label), [...before, shown]);
    return shown;
  }

  #flagsOf(label: Uint8Array, state: Uint8Array | undefined): number {
    if (state === undefined) return listFlags.erase;
    return this.versions(label).length === 0 ? listFlags.register : listFlags.update;
  }

  /** Ends the epoch; its checkpoint is signed by so many of the witnesses. `timestamp`: ms. */
  async epoch(timestamp: number, witnesses = 3): Promise<void> {
    const { root: mapRoot, count: mapCount } = this.map;
    const epoch = encodeEpoch({ timestamp, mapRoot, mapCount, firstEvent: this.#newest.size });
    this.tree.push(epoch);
    const size = this.tree.entries.length;
    const root = await rootAt(size, this.tree.read);
    const bare = signCheckpoint({ origin: directoryOrigin, size, root }, this.#signer);
    const { text } = parseNote(bare);
    const seconds = Math.floor(timestamp / 1000) + 1;
    const signed = this.#witnesses.slice(0, witnesses).map((each) => each.cosign(text, seconds));
    this.#newest = { note: addSignatures(bare, signed), size, epoch };
  }

  async labelProof(label: Uint8Array): Promise<LabelProof> {
    const { kind } = readLabel(label);
    const place = { kind, vrfProof: prove(this.vrf, label).proof };
    const proofs = { ...place, mapProof: this.map.prove(this.indexOf(label)) };
    const newest = this.versions(label).at(-1);
    if (newest === undefined) return proofs;
    const { eventIndex, event, opening, state } = newest;
    const proof = await inclusionProof(eventIndex, this.#newest.size, this.tree.read);
    return { ...proofs, shown: { eventIndex, event, proof, opening, state } };
  }

  /** About labels as they are in the newest epoch: nothing may have been put since. */
  async answer(...labels: readonly Uint8Array[]): Promise<Answer> {
    const { note, epoch, size } = this.#newest;
    const epochProof = await inclusionProof(size - 1, size, this.tree.read);
    const proofs = await Promise.all(labels.map((label) => this.labelProof(label)));
    return { note, epoch, epochProof, labels: proofs };
  }

  async answerBytes(...labels: readonly Uint8Array[]): Promise<Uint8Array> {
    return encodeAnswer(await this.answer(...labels));
  }
}
