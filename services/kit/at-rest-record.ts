/**
 * Records at rest: AES-256-GCM, bound to the place where they lie, so that whoever copies a database reads
 * nothing, and a value that is moved to another service, table, column or row does not open there.
 * docs/protocol/at-rest.md §3
 *
 *     record = u8 1 ‖ u32 kid ‖ nonce 12 ‖ ciphertext ‖ tag 16
 *     AAD    = u8 1 ‖ text16 service ‖ text16 table ‖ text16 column ‖ var16 row
 *
 * Nonces are random, so a key is good for a number of records far below 2^32: vault-keys.ts counts them.
 */
import { createCipheriv, createDecipheriv, type KeyObject, randomFillSync } from 'node:crypto';
import { Writer } from '@island/protocol/wire/bytes.ts';
import { release } from '@island/protocol/wire/release.ts';

export const recordVersion = 1;
const nonceBytes = 12;
const bodyAt = 5 + nonceBytes;
/** A shorter tag would be accepted unless said. */
const tag = { authTagLength: 16 } as const;

/** Bytes that a record has more than what is in it. */
export const recordBytes = bodyAt + tag.authTagLength;

/** A record that does not open where it lies: changed, moved, or under a key that is gone. Names no row. */
export class UnopenedRecord extends Error {
  override name = 'UnopenedRecord';
  readonly code = 'record_unopened';

  constructor(table: string, column: string) {
    super(`a sealed value of ${table}.${column} does not open where it lies`);
  }
}

/** All of the AAD but the row: the same for a whole column. */
export const columnBytes = (service: string, table: string, column: string): Buffer =>
  Buffer.from(new Writer(96).u8(recordVersion).text16(service).text16(table).text16(column).done());

/** @param column as `columnBytes` gives it */
export function placeBytes(column: Buffer, row: Uint8Array): Buffer {
  if (row.length > 0xffff) throw new RangeError('the name of a row is at most 65535 bytes long');
  const place = Buffer.allocUnsafe(column.length + 2 + row.length);
  place.set(column);
  place.writeUInt16BE(row.length, column.length);
  place.set(row, column.length + 2);
  return place;
}

/** Randomness is drawn in stock: one call of the system for many nonces. */
const stock = Buffer.alloc(nonceBytes * 1024);
let used = stock.length;

function nextNonce(into: Buffer, at: number): void {
  if (used === stock.length) {
    randomFillSync(stock);
    used = 0;
  }
  stock.copy(into, at, used, used + nonceBytes);
  stock.fill(0, used, used + nonceBytes);
  used += nonceBytes;
}

/**
 * @param nonce for known answers only; drawn otherwise
 * @param into where the record is to be, with just the room for it; made otherwise
 */
export function sealRecord(
  key: KeyObject,
  kid: number,
  place: Uint8Array,
  plain: Uint8Array,
  { nonce, into }: { nonce?: Uint8Array; into?: Buffer | undefined } = {},
): Buffer {
  const record = into ?? Buffer.allocUnsafe(recordBytes + plain.length);
  if (record.length !== recordBytes + plain.length)
    throw new RangeError('a record needs just its room');
  record[0] = recordVersion;
  record.writeUInt32BE(kid, 1);
  if (nonce === undefined) nextNonce(record, 5);
  else record.set(nonce, 5);
  const cipher = createCipheriv('aes-256-gcm', key, record.subarray(5, bodyAt), tag).setAAD(place);
  const sealed = cipher.update(plain);
  record.set(sealed, bodyAt);
  release(sealed);
  cipher.final();
  record.set(cipher.getAuthTag(), bodyAt + plain.length);
  return record;
}

/** The key that a record names; undefined when it can't be a record. */
export function kidOf(record: Uint8Array): number | undefined {
  if (record.length < recordBytes || record[0] !== recordVersion) return undefined;
  return new DataView(record.buffer, record.byteOffset).getUint32(1);
}

/** What is in the record; undefined when it was not sealed for this place under this key, or was changed. */
export function openRecord(
  key: KeyObject,
  place: Uint8Array,
  record: Uint8Array,
): Buffer | undefined {
  if (kidOf(record) === undefined) return undefined;
  const end = record.length - tag.authTagLength;
  const decipher = createDecipheriv('aes-256-gcm', key, record.subarray(5, bodyAt), tag)
    .setAAD(place)
    .setAuthTag(record.subarray(end));
  const plain = decipher.update(record.subarray(bodyAt, end));
  try {
    decipher.final();
    return plain;
  } catch {
    return undefined;
  }
}
