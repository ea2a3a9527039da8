/**
 * What an auditor keeps of a log, in a folder of its own: the copy of every entry, the last checkpoint that they make
 * up, and the newest event of every label. A run that is cut off leaves what the run before it left.
 *
 *     log.json    what is trusted, the checkpoint, and the frontier of its tree: replaced as a whole
 *     entries     n × { u16 length ‖ bytes }: counted up to `bytes` of log.json; what is behind was not verified yet
 *     labels      "pi-kt audit 1\n" ‖ u32 length ‖ tally as JSON ‖ n × record (label-table.ts) ‖ SHA-256 of all before
 */
import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { base64, fromBase64 } from '@island/protocol/wire/text.ts';
import { Stated } from '@island/provisioning/stated.ts';
import type { Finding } from './findings.ts';
import { type LabelTable, openLabelTable } from './label-table.ts';
import type { Pins } from './pins.ts';
import { noTally, type Tally } from './replay.ts';

/** The whole of log.json. */
export interface Kept {
  version: 1;
  pins: Pins;
  /** The last checkpoint whose entries we have; empty before the first. */
  note: string;
  size: number;
  /** Of `entries`. */
  bytes: number;
  /** base64, largest subtree first. */
  frontier: string[];
  /** What the log is convicted of: it stays so. */
  lasting: Finding[];
}

export interface OwnLog extends AsyncDisposable {
  readonly folder: string;
  readonly kept: Kept;
  /** On the disk when it resolves; so are the entries that it counts. */
  keep(change: Partial<Kept>): Promise<void>;
  /** Behind byte `at`: what stood there is gone. */
  append(at: number, bytes: Uint8Array): Promise<void>;
  /** From byte `at` on; ends in front of one that is not whole. */
  entries(at: number, end?: number): AsyncGenerator<Uint8Array>;
  labels(): Promise<{ labels: LabelTable; tally: Tally }>;
  keepLabels(labels: LabelTable, tally: Tally): Promise<void>;
  /** A file beside the others. */
  write(name: string, text: string): Promise<string>;
}

const magic = Buffer.from('pi-kt audit 1\n');
const chunk = 1 << 20;

/** The log of this key, or the one of this address. Throws `Stated` where there are several of that: one was begun in place of the other. */
export async function findKept(
  state: string,
  { vkey, address }: { vkey?: string; address: string },
): Promise<Kept | undefined> {
  const found: Kept[] = [];
  for (const entry of await readdir(state, { withFileTypes: true })) {
    const kept = entry.isDirectory() ? await readKept(join(state, entry.name)) : undefined;
    if (kept === undefined) continue;
    if (vkey === undefined ? kept.pins.address === address : kept.pins.vkey === vkey)
      found.push(kept);
  }
  if (found.length > 1)
    throw new Stated(
      `This auditor has seen more than one log at ${address}. Say which with --vkey: ${found.map(({ pins }) => pins.vkey).join(' or ')}`,
    );
  return found[0];
}

/** The log that is kept in `folder`, if there is one. Throws `Stated` for a damaged one. */
export async function readKept(folder: string): Promise<Kept | undefined> {
  const text = await readFile(join(folder, 'log.json'), 'utf8').catch((error) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    const kept = JSON.parse(text) as Kept;
    if (kept.version === 1 && Number.isSafeInteger(kept.size) && Array.isArray(kept.lasting)) {
      return kept;
    }
  } catch {
    // said below
  }
  throw damaged(join(folder, 'log.json'));
}

/** Parts of the folder that do not belong together, or are not what was written. */
export const damaged = (file: string): Stated =>
  new Stated(
    `${file} is damaged: put back a copy of the whole folder, or audit from the beginning with another --state.`,
  );

export const nothingKept = (pins: Pins): Kept => ({
  version: 1,
  pins,
  note: '',
  size: 0,
  bytes: 0,
  frontier: [],
  lasting: [],
});

export async function openOwnLog(folder: string, first: Kept): Promise<OwnLog> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  let kept = first;
  // Not 'a': that would append wherever a run that was cut off has ended.
  const file = await open(join(folder, 'entries'), 'r+').catch(() =>
    open(join(folder, 'entries'), 'w+', 0o600),
  );
  const { size } = await file.stat();
  if (size < kept.bytes) {
    await file.close();
    throw damaged(join(folder, 'entries'));
  }
  return {
    folder,
    get kept() {
      return kept;
    },
    async keep(change) {
      await file.datasync();
      const next = { ...kept, ...change };
      await replace(folder, 'log.json', [Buffer.from(`${JSON.stringify(next)}\n`)]);
      kept = next;
    },
    async append(at, bytes) {
      await file.write(bytes, 0, bytes.length, at);
    },
    entries: (at, end) => readEntries(file, at, end),
    labels: () => readLabels(join(folder, 'labels')),
    keepLabels: (labels, tally) => replace(folder, 'labels', snapshot(labels, tally)),
    async write(name, text) {
      await replace(folder, name, [Buffer.from(text)]);
      return join(folder, name);
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

async function* readEntries(
  file: FileHandle,
  at: number,
  end = Number.POSITIVE_INFINITY,
): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array = new Uint8Array(0);
  let offset = at;
  while (offset < end) {
    const buffer = new Uint8Array(Math.min(chunk, end - offset));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
    if (bytesRead === 0) return;
    offset += bytesRead;
    const bytes = new Uint8Array(rest.length + bytesRead);
    bytes.set(rest);
    bytes.set(buffer.subarray(0, bytesRead), rest.length);
    let from = 0;
    for (;;) {
      const length = ((bytes[from] ?? 0) << 8) | (bytes[from + 1] ?? 0);
      if (from + 2 + length > bytes.length || from + 2 > bytes.length) break;
      yield bytes.subarray(from + 2, from + 2 + length);
      from += 2 + length;
    }
    rest = bytes.subarray(from);
  }
}

/** Whole or not at all, also when the power fails. */
async function replace(folder: string, name: string, parts: Iterable<Uint8Array>): Promise<void> {
  const draft = join(folder, `.${name}.new`);
  const file = await open(draft, 'w', 0o600);
  try {
    for (const part of parts) await file.writeFile(part);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, join(folder, name));
  const dir = await open(folder, 'r');
  try {
    await dir.sync();
  } finally {
    await dir.close();
  }
}

function* snapshot(labels: LabelTable, tally: Tally): Generator<Uint8Array> {
  const hash = createHash('sha256');
  const json = Buffer.from(JSON.stringify(tally, (_, value) => asText(value)));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(json.length);
  for (const part of [magic, head, json]) {
    hash.update(part);
    yield part;
  }
  for (const part of labels.pieces()) {
    hash.update(part);
    yield part;
  }
  yield hash.digest();
}

const asText = (value: unknown): unknown =>
  value instanceof Uint8Array ? { base64: base64(value) } : value;

function fromText(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('base64' in value)) return value;
  return typeof value.base64 === 'string' ? fromBase64(value.base64) : value;
}

async function readLabels(path: string): Promise<{ labels: LabelTable; tally: Tally }> {
  const bytes = await readFile(path).catch((error) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (bytes === undefined) return { labels: openLabelTable(), tally: noTally() };
  const end = bytes.length - 32;
  const start = magic.length + 4;
  if (end < start || !bytes.subarray(0, magic.length).equals(magic)) throw damaged(path);
  const sum = createHash('sha256').update(bytes.subarray(0, end)).digest();
  if (!equal(sum, bytes.subarray(end))) throw damaged(path);
  const json = start + bytes.readUInt32BE(magic.length);
  const tally = JSON.parse(bytes.toString('utf8', start, json), fromText) as Tally;
  return { labels: openLabelTable(bytes.subarray(json, end)), tally };
}
