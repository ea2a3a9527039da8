/** Everything that lies in databases and requests, tried as a key to everything that is sealed there. */
import { createDecipheriv, hkdfSync } from 'node:crypto';
import type { Sent } from '@island/appliance/verify/recording.ts';
import { readSegment } from '@island/protocol/crypto/archive-segment.ts';
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import {
  type KeyRecord,
  openKeyRecord,
  readKeyRecord,
} from '@island/protocol/crypto/key-record.ts';
import { openCodeSlot, openDeviceSlot, readKeyring } from '@island/protocol/crypto/key-slots.ts';
import { x25519 } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { bytesIn, rowsOf, type Table } from './databases.ts';

/** Public by what they are, and most of the bytes: prekeys, their batches and paths. */
const prekeys = new Set(['one_time_prekeys', 'standing_prekeys', 'batches']);
const keyBytes = 32;

/** Every value: columns, and strings of requests, as they are and as the bytes that they spell. */
export function* loot(tables: readonly Table[], sent: readonly Sent[]): Generator<Uint8Array> {
  for (const { name, rows } of tables)
    if (!prekeys.has(name))
      for (const row of rows)
        for (const value of Object.values(row)) {
          if (value instanceof Uint8Array) yield value;
          else if (typeof value === 'string') yield* spelled(value);
        }
  for (const { path, token, body } of sent) {
    if (token !== undefined) yield* spelled(token);
    if (path === '/v1/send' || body.length === 0) continue;
    yield* strings(tryJson(body));
  }
}

function tryJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return undefined;
  }
}

function* strings(value: unknown): Generator<Uint8Array> {
  if (typeof value === 'string') yield* spelled(value);
  else if (typeof value === 'object' && value !== null)
    for (const [name, each] of Object.entries(value))
      if (!/^(?:batch|signedPrekey|lastResort)$/.test(name)) yield* strings(each);
}

/** Longer texts are tokens and bytes in base64url. */
const longestText = 64;

function* spelled(text: string): Generator<Uint8Array> {
  if (text.length <= longestText) yield Buffer.from(text, 'utf8');
  yield Buffer.from(text, 'base64url');
  if (/^[0-9a-f]+$/.test(text)) yield Buffer.from(text, 'hex');
}

/** Every 32 bytes that stand side by side in it, each once. */
export function keysIn(values: Iterable<Uint8Array>): Uint8Array[] {
  const seen = new Set<string>();
  for (const value of values)
    for (let from = 0; from + keyBytes <= value.length; from++)
      seen.add(Buffer.from(value.subarray(from, from + keyBytes)).toString('latin1'));
  return [...seen].map((key) => new Uint8Array(Buffer.from(key, 'latin1')));
}

/** Values of exactly the length of a key: what could be the private half of a pair. */
export function wholeKeysIn(values: Iterable<Uint8Array>): Uint8Array[] {
  const seen = new Map<string, Uint8Array>();
  for (const value of values)
    if (value.length === keyBytes)
      seen.set(Buffer.from(value).toString('hex'), new Uint8Array(value));
  return [...seen.values()];
}

/** The present records of all accounts. */
export const recordsIn = (tables: readonly Table[]): KeyRecord[] =>
  rowsOf(tables, 'accounts', 'records').map((row) => {
    const lists = rowsOf(tables, 'directory', 'lists').filter(
      ({ account }) => account === row['account'],
    );
    const newest = lists.toSorted((a, b) => Number(b['epoch']) - Number(a['epoch']))[0];
    return openKeyRecord(
      readKeyRecord(bytesIn(row, 'bytes')).bytes,
      openDeviceList(bytesIn(newest, 'bytes')).aik,
    );
  });

const opens = (work: () => unknown): boolean => {
  try {
    work();
    return true;
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
};

/** What opened: nothing, if all is well. `keys` for what is sealed symmetrically, `pairs` for what is sealed to a public key. */
export function opened(
  tables: readonly Table[],
  { keys, pairs }: { keys: readonly Uint8Array[]; pairs: readonly Uint8Array[] },
): string[] {
  const found: string[] = [];
  for (const record of recordsIn(tables)) {
    const { account, firstEpoch, arkEpoch, keyring, slots, devices } = record;
    const of = { account, firstEpoch, arkEpoch };
    if (keys.some((key) => opens(() => readKeyring(of, key, keyring)))) found.push('a keyring');
    for (const secret of pairs) {
      const pair = x25519.fromPrivate(secret);
      for (const { device } of devices)
        if (opens(() => openDeviceSlot(record, device, pair))) found.push(`the slot of ${device}`);
      // Shares are among the requests: what is missing is the code.
      for (const { loc, dh } of slots)
        if (Buffer.compare(dh, pair.public) === 0)
          for (const share of pairs) {
            const code = { loc, dh: pair, proof: secret, anchorKey: secret };
            if (opens(() => openCodeSlot(record, code, share))) found.push('the slot of a code');
          }
    }
  }
  for (const bytes of firstOfEachKey(tables))
    if (keys.some((key) => opensSegment(bytes, key))) found.push('a segment');
  return found;
}

/** One segment of each archive key: what opens one opens the others. */
function firstOfEachKey(tables: readonly Table[]): Uint8Array[] {
  const first = new Map<string, Uint8Array>();
  for (const row of rowsOf(tables, 'archive', 'segments')) {
    const bytes = bytesIn(row, 'bytes');
    const { account, arkEpoch } = readSegment(bytes);
    const key = `${account}.${arkEpoch}`;
    first.set(key, first.get(key) ?? bytes);
  }
  return [...first.values()];
}

/** docs/protocol/archive.md §2, without the signature: that is public. */
function opensSegment(bytes: Uint8Array, ark: Uint8Array): boolean {
  const { sealed, id } = readSegment(bytes);
  const both = Buffer.from(hkdfSync('sha256', ark, id, 'PI/1/archive-segment', 44));
  const cipher = createDecipheriv('aes-256-gcm', both.subarray(0, 32), both.subarray(32), {
    authTagLength: 16,
  });
  cipher.setAAD(bytes.subarray(0, 86)).setAuthTag(sealed.subarray(-16));
  try {
    cipher.update(sealed.subarray(0, -16));
    cipher.final();
    return true;
  } catch {
    return false;
  }
}
