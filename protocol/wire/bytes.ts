/**
 * The binary encoding of PI/1: `u8 version ‖ u8 type ‖ fields`, big-endian, variable fields with a
 * length before them, no trailing bytes. docs/protocol/encoding.md §1
 */
import { Fault } from './fault.ts';

// ignoreBOM: a byte order mark is text like any other; dropping it would give one text two encodings.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Appends fields; grows as needed. */
export class Writer {
  #bytes: Uint8Array;
  #at = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  #room(count: number): number {
    const at = this.#at;
    const need = at + count;
    if (need > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(need, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#at = need;
    return at;
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#room(2);
    this.#bytes[at] = value >> 8;
    this.#bytes[at + 1] = value;
    return this;
  }

  u32(value: number): this {
    this.#putWord(this.#room(4), value);
    return this;
  }

  /** Unsigned, at most 2^53 - 1; throws `RangeError` for anything else. */
  u64(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('no unsigned integer');
    const at = this.#room(8);
    this.#putWord(at, Math.floor(value / 2 ** 32));
    this.#putWord(at + 4, value);
    return this;
  }

  /** Of a number its lowest 32 bits. */
  #putWord(at: number, value: number): void {
    this.#bytes[at] = value >>> 24;
    this.#bytes[at + 1] = value >>> 16;
    this.#bytes[at + 2] = value >>> 8;
    this.#bytes[at + 3] = value;
  }

  /** Fixed length: both sides know it. */
  raw(bytes: Uint8Array): this {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  var16(bytes: Uint8Array): this {
    if (bytes.length > 0xffff) throw new Fault('too_large');
    return this.u16(bytes.length).raw(bytes);
  }

  var32(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  /** Throws `malformed` for a lone surrogate: UTF-8 has no spelling for it. */
  text16(text: string): this {
    if (!text.isWellFormed()) throw new Fault('malformed');
    return this.var16(encoder.encode(text));
  }

  done(): Uint8Array {
    return this.#at === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.#at);
  }
}

/** Takes fields off the front. Every method throws `truncated` past the end; `end()` throws `trailing_bytes`. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    const { buffer, byteOffset, byteLength } = bytes;
    // Views of a Buffer would be Buffers, whose `slice` does not copy.
    this.#bytes = new Uint8Array(buffer, byteOffset, byteLength);
    this.#view = new DataView(buffer, byteOffset, byteLength);
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) throw new Fault('truncated');
    this.#at = at + count;
    return at;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  u64(): number {
    const value = this.#view.getBigUint64(this.#take(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Fault('malformed');
    return Number(value);
  }

  /** A view of the input, not a copy. */
  raw(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  var16(max = 0xffff): Uint8Array {
    const count = this.u16();
    if (count > max) throw new Fault('too_large');
    return this.raw(count);
  }

  var32(max: number): Uint8Array {
    const count = this.u32();
    if (count > max) throw new Fault('too_large');
    return this.raw(count);
  }

  text16(max = 0xffff): string {
    try {
      return utf8.decode(this.var16(max));
    } catch (error) {
      if (error instanceof Fault) throw error;
      throw new Fault('malformed');
    }
  }

  /** Checks `u8 version ‖ u8 type` of a structure that has one version and one type. */
  header(version: number, type: number): this {
    if (this.u8() !== version) throw new Fault('unknown_version');
    if (this.u8() !== type) throw new Fault('unknown_type');
    return this;
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new Fault('trailing_bytes');
  }
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export const utf8Bytes = (text: string): Uint8Array => encoder.encode(text);
