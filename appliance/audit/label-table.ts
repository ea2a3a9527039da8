/**
 * The newest event of every label, by the label's index, in typed arrays: 1M labels take about 90 MB.
 *
 *     record = index 32 ‖ eventHash 32 ‖ u64 ( erased << 63 ‖ eventIndex ) ‖ u32 version        76 bytes, in the order of arrival
 *
 * Indices come from the log that is judged, so where a record is looked for depends on a seed that it doesn't know.
 */
import { randomBytes } from 'node:crypto';

export const recordBytes = 76;
const chunkRecords = 16_384;

export interface Newest {
  version: number;
  /** Number of the entry in the log. */
  eventIndex: number;
  eventHash: Uint8Array;
  /** Nothing may follow. */
  erased: boolean;
}

export interface LabelTable {
  readonly count: number;
  get(index: Uint8Array): Newest | undefined;
  set(index: Uint8Array, newest: Newest): void;
  /** The records in pieces, as they are kept in a file. */
  pieces(): Iterable<Uint8Array>;
  /** Each record once: the index is a view. */
  entries(): Iterable<[Uint8Array, Newest]>;
}

/** `records`: what `pieces` gave, one behind the other. */
export function openLabelTable(records: Uint8Array = new Uint8Array(0)): LabelTable {
  const seed = randomBytes(8);
  const chunks: Uint8Array[] = [];
  const views: DataView[] = [];
  let count = 0;
  let slots = new Uint32Array(1 << 16);

  const at = (record: number): [Uint8Array, DataView, number] => {
    const chunk = Math.floor(record / chunkRecords);
    const [bytes, view] = [chunks[chunk], views[chunk]];
    if (bytes === undefined || view === undefined) throw new RangeError('no such record');
    return [bytes, view, (record % chunkRecords) * recordBytes];
  };
  const place = (index: Uint8Array, from = 0): number => {
    let mixed = 0x811c9dc5;
    for (let i = 0; i < 8; i++) {
      mixed = Math.imul(mixed ^ (index[from + i] ?? 0) ^ (seed[i] ?? 0), 0x01000193);
      mixed ^= mixed >>> 15;
    }
    return mixed >>> 0;
  };
  const holds = (record: number, index: Uint8Array): boolean => {
    const [bytes, , offset] = at(record);
    for (let i = 0; i < 32; i++) if (bytes[offset + i] !== index[i]) return false;
    return true;
  };
  /** Number of the slot that has it, or of the empty one where it belongs. */
  const seek = (index: Uint8Array): number => {
    const mask = slots.length - 1;
    for (let slot = place(index) & mask; ; slot = (slot + 1) & mask) {
      const taken = slots[slot] ?? 0;
      if (taken === 0 || holds(taken - 1, index)) return slot;
    }
  };
  const grow = (): void => {
    slots = new Uint32Array(slots.length * 2);
    const mask = slots.length - 1;
    for (let record = 0; record < count; record++) {
      const [bytes, , offset] = at(record);
      let slot = place(bytes, offset) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = record + 1;
    }
  };
  const append = (): number => {
    if (count % chunkRecords === 0) {
      const bytes = new Uint8Array(chunkRecords * recordBytes);
      chunks.push(bytes);
      views.push(new DataView(bytes.buffer));
    }
    return count++;
  };
  const read = (record: number): Newest => newestAt(...at(record));

  const table: LabelTable = {
    get count() {
      return count;
    },
    get(index) {
      const taken = slots[seek(index)] ?? 0;
      return taken === 0 ? undefined : read(taken - 1);
    },
    set(index, { version, eventIndex, eventHash, erased }) {
      if (count * 2 >= slots.length) grow();
      const slot = seek(index);
      const known = slots[slot] ?? 0;
      const record = known === 0 ? append() : known - 1;
      slots[slot] = record + 1;
      const [bytes, view, offset] = at(record);
      bytes.set(index, offset);
      bytes.set(eventHash, offset + 32);
      view.setBigUint64(offset + 64, BigInt(eventIndex) | (erased ? erasedBit : 0n));
      view.setUint32(offset + 72, version);
    },
    *pieces() {
      for (let record = 0; record < count; record += chunkRecords) {
        const [bytes] = at(record);
        yield bytes.subarray(0, Math.min(chunkRecords, count - record) * recordBytes);
      }
    },
    *entries() {
      for (let record = 0; record < count; record++) {
        const [bytes, , offset] = at(record);
        yield [bytes.subarray(offset, offset + 32), read(record)];
      }
    },
  };
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
  for (let offset = 0; offset + recordBytes <= records.length; offset += recordBytes) {
    table.set(records.subarray(offset, offset + 32), newestAt(records, view, offset));
  }
  return table;
}

/** Entries are numbered below 2^53. */
const erasedBit = 1n << 63n;

function newestAt(bytes: Uint8Array, view: DataView, offset: number): Newest {
  const entry = view.getBigUint64(offset + 64);
  return {
    eventHash: bytes.subarray(offset + 32, offset + 64),
    eventIndex: Number(entry & ~erasedBit),
    version: view.getUint32(offset + 72),
    erased: (entry & erasedBit) !== 0n,
  };
}
