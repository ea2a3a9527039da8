/**
 * Secrets in a database, sealed to their place: whoever copies the database without the key reads
 * nothing, and a value that is moved to another row, column or table does not open there.
 * docs/protocol/accounts.md §8
 *
 *     sealed = u8 1 ‖ nonce 12 ‖ AES-256-GCM( key, nonce, secret, AD = u8 1 ‖ text16 table ‖ text16 column ‖ text16 row )
 *
 * Nonces are random: one key is good for 2^32 values.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Writer } from '@island/protocol/wire/bytes.ts';

/** Where a value lies; `row` is the primary key as text. */
export interface Place {
  table: string;
  column: string;
  row: string;
}

export interface Sealing {
  seal(place: Place, secret: Uint8Array): Buffer;
  /** @throws Error when the value was not sealed for this place under this key, or was changed */
  open(place: Place, sealed: Uint8Array): Uint8Array<ArrayBuffer>;
}

const version = 1;
const nonceBytes = 12;
/** A shorter tag would be accepted unless said. */
const tag = { authTagLength: 16 } as const;
const least = 1 + nonceBytes + tag.authTagLength;

/** @param key 32 bytes, for this purpose only */
export function createSealing(key: Uint8Array): Sealing {
  return {
    seal(place, secret) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', key, nonce, tag).setAAD(placeBytes(place));
      const body = [cipher.update(secret), cipher.final()];
      return Buffer.concat([Buffer.of(version), nonce, ...body, cipher.getAuthTag()]);
    },
    open(place, sealed) {
      if (sealed.length < least || sealed[0] !== version) throw unopened(place);
      const end = sealed.length - tag.authTagLength;
      const nonce = sealed.subarray(1, 1 + nonceBytes);
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, tag)
        .setAAD(placeBytes(place))
        .setAuthTag(sealed.subarray(end));
      try {
        const body = decipher.update(sealed.subarray(1 + nonceBytes, end));
        return new Uint8Array(Buffer.concat([body, decipher.final()]));
      } catch {
        throw unopened(place);
      }
    },
  };
}

const placeBytes = ({ table, column, row }: Place): Uint8Array =>
  new Writer(96).u8(version).text16(table).text16(column).text16(row).done();

/** Names no row: rows are named by people's ids. */
const unopened = ({ table, column }: Place): Error =>
  new Error(`a sealed value of ${table}.${column} does not open where it lies`);
