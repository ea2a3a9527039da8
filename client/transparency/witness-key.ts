/**
 * This device as a witness of its island's log: a key that signs nothing else, and the newest checkpoint that it has
 * signed. docs/protocol/transparency.md §7.6
 *
 * Invariant: the key is never older than what was signed with it. A home that was put back from a copy has forgotten
 * some of that, so its key is retired; the next one is another witness, from the beginning.
 */
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import type { Cosigner } from '@island/protocol/transparency/cosignature.ts';
import { memberCosigner } from '@island/protocol/transparency/member-witness.ts';
import { formatVkey, parseVkey } from '@island/protocol/transparency/note.ts';
import { emptyRoot } from '@island/protocol/transparency/tree.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import { type Batch, type Put, type Storage, untilCommitted } from '../storage/storage.ts';

const keyRecord = v.strictObject({
  on: v.boolean(),
  vkey: v.string(),
  /** Of the log under which it was made. */
  origin: v.string(),
  /** Absent once the key is retired. */
  seed: v.optional(bytes64),
});

const signedRecord = v.strictObject({
  size: s.count,
  root: bytes64,
  /** Unix seconds of the newest signature. */
  signed: v.number(),
  /** With the signatures of the log and ours. */
  note: v.string(),
});
export type Signed = v.InferOutput<typeof signedRecord>;

const keyPlace = { namespace: 'witness', key: 'key' };
/** By log: who goes on to another one begins there anew. */
const signedPlace = (log: string) => ({ namespace: 'witness', key: `signed ${log}` });
const nothingSigned: Signed = { size: 0, root: emptyRoot, signed: 0, note: '' };

export interface DeviceWitness {
  on: boolean;
  /** The line that the operator puts into the policy. */
  vkey: string;
  origin: string;
  /** Absent once the key is retired. */
  cosigner?: Cosigner;
  /** Of size 0 before the first. */
  signed: Signed;
  /** What has to be as it is for a commit to hold. */
  expect: NonNullable<Batch['expect']>;
}

/** `log`: origin of the one that is to be signed; that of the key unless given. */
export async function readWitness(
  storage: Storage,
  log?: string,
): Promise<DeviceWitness | undefined> {
  const row = await storage.read(keyPlace.namespace, keyPlace.key);
  if (!row) return undefined;
  const { on, vkey, origin, seed } = decodeRecord(keyRecord, row);
  const place = signedPlace(log ?? origin);
  const kept = await storage.read(place.namespace, place.key);
  return {
    ...{ on, vkey, origin },
    ...(seed && { cosigner: memberCosigner(origin, seed) }),
    signed: kept ? decodeRecord(signedRecord, kept) : nothingSigned,
    expect: [
      { ...keyPlace, version: row.version },
      { ...place, version: kept?.version ?? 0 },
    ],
  };
}

/** For the commit before which no signature leaves. */
export const signedRow = (log: string, signed: Signed): Put => ({
  ...signedPlace(log),
  bytes: encodeRecord(signed),
});

/** With the key of before, where it has one that is not retired. `log`: verifier key of the island's log. */
export function turnOn(storage: Storage, log: string): Promise<DeviceWitness> {
  return untilCommitted(async () => {
    const before = await storage.read(keyPlace.namespace, keyPlace.key);
    const kept = before && decodeRecord(keyRecord, before);
    const seed = kept?.seed ?? randomBytes(32);
    const origin = kept?.seed ? kept.origin : parseVkey(log).name;
    const vkey = formatVkey(memberCosigner(origin, seed).vkey);
    await storage.commit({
      put: [{ ...keyPlace, bytes: encodeRecord({ on: true, vkey, origin, seed }) }],
      expect: [{ ...keyPlace, version: before?.version ?? 0 }],
    });
    const witness = await readWitness(storage);
    if (!witness) throw new TypeError('a witness that was just written is gone');
    return witness;
  });
}

/** The key stays, and what it signed: turned on again, it is the same witness. */
export const turnOff = (storage: Storage): Promise<void> =>
  untilCommitted(async () => {
    const row = await storage.read(keyPlace.namespace, keyPlace.key);
    if (!row) return;
    const bytes = encodeRecord({ ...decodeRecord(keyRecord, row), on: false });
    const expect = [{ ...keyPlace, version: row.version }];
    await storage.commit({ put: [{ ...keyPlace, bytes }], expect });
  });

/** What ends the key for good: its seed goes, its name stays for whoever asks what became of it. */
export async function retiredWitness(storage: Storage): Promise<Required<Omit<Batch, 'append'>>> {
  const row = await storage.read(keyPlace.namespace, keyPlace.key);
  if (!row) return { put: [], remove: [], expect: [] };
  const { vkey, origin } = decodeRecord(keyRecord, row);
  const signed = (await storage.list(keyPlace.namespace)).filter(({ key }) => key !== keyPlace.key);
  return {
    put: [{ ...keyPlace, bytes: encodeRecord({ on: false, vkey, origin }) }],
    remove: signed.map(({ key }) => ({ namespace: keyPlace.namespace, key })),
    expect: [{ ...keyPlace, version: row.version }],
  };
}
