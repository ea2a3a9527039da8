/** Records as they lie in a file, one after the other: a few are read at once, the next few while these are opened. */
import type { FileHandle } from 'node:fs/promises';
import { release } from '@island/protocol/wire/release.ts';

export interface Records {
  /** The next record, shorter or empty where the file ends; good until the next call. */
  next(): Promise<Buffer>;
  /** To be called once, before the file is closed. */
  end(): Promise<void>;
}

/** Records that are read at once. */
const atOnce = 4;

/** @param length of a record; those from `first` to before `last` will be asked for */
export function openRecords(
  file: FileHandle,
  length: number,
  first: number,
  last: number,
): Records {
  const most = Math.min(atOnce, last - first);
  let [buffer, other] = [make(most * length), make(last - first > most ? most * length : 0)];
  let have: Buffer = Buffer.alloc(0);
  let at = 0;
  let from = first;
  let reading = ahead();

  async function ahead(): Promise<Buffer> {
    const count = Math.min(atOnce, last - from);
    if (count <= 0) return buffer.subarray(0, 0);
    const { bytesRead } = await file.read(buffer, 0, count * length, from * length);
    return buffer.subarray(0, bytesRead);
  }

  return {
    async next() {
      if (at === have.length) {
        have = await reading;
        at = 0;
        from += atOnce;
        [buffer, other] = [other, buffer];
        reading = ahead();
        reading.catch(() => undefined);
      }
      const record = have.subarray(at, at + length);
      at += record.length;
      return record;
    },
    async end() {
      await reading.catch(() => undefined);
      for (const each of [buffer, other]) release(each);
    },
  };
}

const make = (bytes: number): Buffer => Buffer.allocUnsafeSlow(bytes);
