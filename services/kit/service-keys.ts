/**
 * The keys that wrap a service's data keys (KEK), by version: derived from the island's master key, which only
 * the supervisor reads, and handed to the process over its IPC channel; on no disk. docs/protocol/at-rest.md §2
 */
import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { Writer } from '@island/protocol/wire/bytes.ts';
import type { ServiceName } from './names.ts';

/** KEKs as they are handed over: by version, base64url. */
export type KeyWire = Readonly<Record<string, string>>;

/** What a process is given: of its own services only. */
export type ProcessKeys = Readonly<Partial<Record<ServiceName, ServiceKeys>>>;

export interface ServiceKeys {
  readonly service: string;
  /** What new wraps are made under. */
  readonly newest: number;
  kek(version: number): KeyObject | undefined;
  /** Newer versions, while the service runs. */
  add(wire: KeyWire): void;
  /** Told when there is a newer version; returns how to stop that. */
  onNewer(listener: () => void): () => void;
  /** The vault says so: everything in it is wrapped under this version. */
  settled(version: number): void;
  /** What it last said; undefined when it has not yet, or there is no vault. */
  readonly at: number | undefined;
  onSettled(listener: (version: number) => void): void;
  /** The service has started: if it opened no vault, it is settled, now and at every newer version. */
  idle(): void;
}

/**
 *     KEK = HKDF-SHA-256( ikm = master key of the version, salt = island id, info, 32 )
 *     info = "PI/1/kek" ‖ u32 version ‖ text16 service
 */
export function deriveKek(
  master: Uint8Array,
  island: string,
  version: number,
  service: string,
): Buffer {
  const info = new Writer(64).raw(Buffer.from('PI/1/kek')).u32(version).text16(service).done();
  return Buffer.from(hkdfSync('sha256', master, Buffer.from(island), info, 32));
}

export function openServiceKeys(service: string, wire: KeyWire): ServiceKeys {
  const keks = new Map<number, KeyObject>();
  const newer = new Set<() => void>();
  const settled = new Set<(version: number) => void>();
  let newest = 0;
  let at: number | undefined;

  function take(given: KeyWire): boolean {
    const before = newest;
    for (const [name, text] of Object.entries(given)) {
      const version = Number(name);
      const bytes = Buffer.from(text, 'base64url');
      if (!Number.isSafeInteger(version) || version < 1 || bytes.length !== 32)
        throw new TypeError('a key of a service is not in the form it should be');
      if (!keks.has(version)) keks.set(version, createSecretKey(bytes));
      bytes.fill(0);
      newest = Math.max(newest, version);
    }
    return newest > before;
  }

  take(wire);
  if (newest === 0) throw new TypeError('a service was given no key');
  return {
    service,
    get newest() {
      return newest;
    },
    get at() {
      return at;
    },
    kek: (version) => keks.get(version),
    add(given) {
      if (take(given)) for (const listener of newer) listener();
    },
    onNewer(listener) {
      newer.add(listener);
      return () => newer.delete(listener);
    },
    settled(version) {
      at = version;
      for (const listener of settled) listener(version);
    },
    onSettled(listener) {
      settled.add(listener);
    },
    idle() {
      if (newer.size > 0) return;
      const settle = (): void => this.settled(newest);
      newer.add(settle);
      settle();
    },
  };
}
