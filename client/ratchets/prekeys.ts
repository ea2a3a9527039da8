/**
 * This device's prekeys: the private halves, what others used of them, and what the island holds.
 * docs/protocol/prekeys.md
 *
 * A one-time prekey is removed in the commit that stores the message it opened. Signed and last-resort
 * prekeys are replaced every `limits.prekeyRotationDays` and kept `limits.prekeyKeptDays` longer, for
 * messages that are still on their way. Ids count up and are never used twice.
 */
import { dayOf } from '@island/protocol/crypto/device.ts';
import type {
  PrekeyLookup,
  SeenHandshake,
  UsedPrekeys,
} from '@island/protocol/crypto/handshake.ts';
import { makeBatch, makeLastResort, makeSignedPrekey } from '@island/protocol/crypto/prekeys.ts';
import { mlkem768, type SigningPair, x25519 } from '@island/protocol/crypto/primitives.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { hex } from '@island/protocol/wire/text.ts';
import * as v from 'valibot';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Batch, Place, Put, Row, Storage } from '../storage/storage.ts';

const kinds = ['signed', 'last-resort', 'one-time'] as const;

const record = v.strictObject({
  kind: v.picklist(kinds),
  id: v.number(),
  /** Days since 1970-01-01 UTC. */
  createdDay: v.number(),
  /** When a newer one took its place; one-time prekeys are never replaced. */
  replacedDay: v.optional(v.number()),
  /** X25519 private key, 32 bytes. */
  dh: v.optional(bytes64),
  /** ML-KEM-768 seed, 64 bytes. */
  kem: v.optional(bytes64),
});
type PrekeyRecord = v.InferOutput<typeof record>;
type Kind = PrekeyRecord['kind'];

/** Ids to give next, and what the island has not confirmed yet. */
const standing = v.strictObject({
  next: v.strictObject({ signed: v.number(), lastResort: v.number(), oneTime: v.number() }),
  /** Others are due at the next look, whatever is there. */
  renew: v.optional(v.literal(true)),
  /** What was made and is to be published, or published again when the answer was lost. */
  publish: v.optional(
    v.strictObject({
      signedPrekey: v.optional(v.string()),
      lastResort: v.optional(v.string()),
      batch: v.optional(v.string()),
    }),
  ),
});
export type Standing = v.InferOutput<typeof standing>;

const namespace = 'prekeys';
const standingKey = 'standing';
const seenNamespace = 'handshakes';
const seenRecord = v.strictObject({ signedId: v.number(), pqId: v.number() });

const keyOf = (kind: Kind, id: number): string => `${kind}-${String(id).padStart(10, '0')}`;
const rowOf = (prekey: PrekeyRecord) => ({
  namespace,
  key: keyOf(prekey.kind, prekey.id),
  bytes: encodeRecord(prekey),
});

export interface Made {
  /** The private halves and the ids to give next: to be committed before anything is published. */
  rows: Put[];
  signedPrekey?: Uint8Array;
  lastResort?: Uint8Array;
  batch?: Uint8Array;
}

const firstIds: Standing['next'] = { signed: 1, lastResort: 1, oneTime: 1 };

/** Makes what `wanted` says. `previous` are the ids to give next, none for a new device. */
export function makePrekeys(
  dsk: SigningPair,
  now: number,
  wanted: { standing: boolean; batch: boolean },
  previous: Standing['next'] = firstIds,
): Made & { next: Standing['next'] } {
  const day = dayOf(now);
  const made: Made = { rows: [] };
  const rows: PrekeyRecord[] = [];
  const next = { ...previous };
  if (wanted.standing) {
    const signed = makeSignedPrekey(dsk, next.signed++, day);
    const last = makeLastResort(dsk, next.lastResort++, day);
    rows.push({ kind: 'signed', id: signed.id, createdDay: day, dh: signed.pair.private });
    rows.push({ kind: 'last-resort', id: last.id, createdDay: day, kem: last.pair.private });
    made.signedPrekey = signed.public;
    made.lastResort = last.public;
  }
  if (wanted.batch) {
    const batch = makeBatch(dsk, next.oneTime, day);
    next.oneTime += batch.pairs.length;
    for (const { id, dh, kem } of batch.pairs) {
      rows.push({ kind: 'one-time', id, createdDay: day, dh: dh.private, kem: kem.private });
    }
    made.batch = batch.public;
  }
  return { ...made, rows: rows.map(rowOf), next };
}

export const standingRow = (value: Standing) => ({
  namespace,
  key: standingKey,
  bytes: encodeRecord(value),
});

export async function readStanding(
  storage: Storage,
): Promise<{ value: Standing; row: Row } | undefined> {
  const row = await storage.read(namespace, standingKey);
  return row && { value: decodeRecord(standing, row), row };
}

/** Ids by which a device that has lost count goes on: further than it can have come since the copy. */
const lostCount = { signed: 1_000, lastResort: 1_000, oneTime: 100_000 };

/** For a home that was put back from a copy: the island may have newer prekeys than are here, so others take their place. */
export async function renewedStanding(storage: Storage) {
  const held = await readStanding(storage);
  if (!held) return undefined;
  const { signed, lastResort, oneTime } = held.value.next;
  const next = {
    signed: signed + lostCount.signed,
    lastResort: lastResort + lostCount.lastResort,
    oneTime: oneTime + lostCount.oneTime,
  };
  return {
    put: standingRow({ next, renew: true }),
    expect: { namespace, key: standingKey, version: held.row.version },
  };
}

/** Every private half and the standing row: for a registration that was refused. */
export async function allPrekeyKeys(storage: Storage): Promise<Place[]> {
  const rows = await storage.list(namespace);
  return rows.map(({ key }) => ({ namespace, key }));
}

/** The private halves in memory, for one holder of the inbox at a time. */
export interface PrekeyBox {
  lookup: PrekeyLookup;
  /** What belongs into the commit of the message that used them; `settle` after it. */
  spend(used: UsedPrekeys): { batch: Pick<Batch, 'put' | 'remove'>; settle: () => void };
  /** Present prekeys of a kind, ascending by id. */
  present(kind: Kind): readonly PrekeyRecord[];
  /** Takes in what was committed: made or replaced ones. */
  adopt(rows: Put[]): void;
  /** Lets go of what was removed. */
  forget(places: readonly Place[]): void;
}

const seenKey = ({ signedId, pqId, ek }: SeenHandshake): string => `${signedId}-${pqId}-${hex(ek)}`;

export async function openPrekeyBox(storage: Storage): Promise<PrekeyBox> {
  const prekeys = new Map<string, PrekeyRecord>();
  for (const row of await storage.list(namespace)) {
    if (row.key !== standingKey) prekeys.set(row.key, decodeRecord(record, row));
  }
  const seen = new Set((await storage.list(seenNamespace)).map((row) => row.key));
  const dhOf = (kind: Kind, id: number) => {
    const dh = prekeys.get(keyOf(kind, id))?.dh;
    return dh && x25519.fromPrivate(dh);
  };
  return {
    lookup: {
      signed: (id) => dhOf('signed', id),
      oneTime: (id) => dhOf('one-time', id),
      pq(kind, id) {
        const kem = prekeys.get(keyOf(kind, id))?.kem;
        return kem && mlkem768.fromSeed(kem);
      },
      seen: (handshake) => seen.has(seenKey(handshake)),
    },
    spend(used) {
      const ids = [used.oneTime, used.pqOneTime].filter((id) => id !== undefined);
      const keys = ids.map((id) => keyOf('one-time', id));
      const handshake = seenKey(used.seen);
      const { signedId, pqId } = used.seen;
      const bytes = encodeRecord({ signedId, pqId });
      return {
        batch: {
          put: [{ namespace: seenNamespace, key: handshake, bytes }],
          remove: keys.map((key) => ({ namespace, key })),
        },
        settle() {
          seen.add(handshake);
          for (const key of keys) prekeys.delete(key);
        },
      };
    },
    adopt(rows) {
      for (const { key, bytes } of rows) {
        if (key !== standingKey) prekeys.set(key, decodeRecord(record, { key, bytes, version: 0 }));
      }
    },
    forget(places) {
      for (const place of places)
        (place.namespace === namespace ? prekeys : seen).delete(place.key);
    },
    present: (kind) =>
      [...prekeys.values()].filter((each) => each.kind === kind).sort((a, b) => a.id - b.id),
  };
}

/**
 * What has aged: replaced prekeys after their time, one-time prekeys that expired, and handshakes that
 * can't be repeated because their signed prekey is gone. What nothing has replaced stays, however old.
 */
export async function forgetPrekeys(storage: Storage, box: PrekeyBox, now: number): Promise<void> {
  const day = dayOf(now);
  const remove: Place[] = [];
  const signed = new Set<number>();
  for (const row of await storage.list(namespace)) {
    if (row.key === standingKey) continue;
    const { kind, id, createdDay, replacedDay } = decodeRecord(record, row);
    const over =
      kind === 'one-time'
        ? day > createdDay + limits.prekeyDays
        : replacedDay !== undefined && day > replacedDay + limits.prekeyKeptDays;
    if (over) remove.push({ namespace, key: row.key });
    else if (kind === 'signed') signed.add(id);
  }
  for (const row of await storage.list(seenNamespace)) {
    const { signedId } = decodeRecord(seenRecord, row);
    if (!signed.has(signedId)) remove.push({ namespace: seenNamespace, key: row.key });
  }
  if (remove.length > 0) await storage.commit({ remove });
  box.forget(remove);
}

/** Rows that say of the present signed and last-resort prekeys that newer ones take their place. */
export const replacedRows = (box: PrekeyBox, now: number): Put[] =>
  [...box.present('signed'), ...box.present('last-resort')]
    .filter((prekey) => prekey.replacedDay === undefined)
    .map((prekey) => rowOf({ ...prekey, replacedDay: dayOf(now) }));
