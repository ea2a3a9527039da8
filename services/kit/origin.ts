/**
 * Where a request comes from, as a keyed hash. The address itself is neither kept nor written
 * anywhere; the key lives in this process's memory, so after a restart no hash can be recomputed.
 * docs/protocol/limits.md §3
 */
import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { isIPv6 } from 'node:net';

/** 16 bytes that stand for an address. Each opening has its own key: hashes for one purpose tell nothing of another's. */
export type Origin = (address: string) => Uint8Array;

export function openOrigin(): Origin {
  const key = createSecretKey(randomBytes(32));
  return (address) => {
    const hash = createHmac('sha256', key).update(network(address)).digest();
    return Uint8Array.from(hash.subarray(0, 16));
  };
}

/** What one person can be expected to hold: an IPv4 address, or the first 64 bits of an IPv6 address. */
export function network(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!isIPv6(address)) return address;
  const [bare = ''] = address.split('%');
  const [head = '', tail] = bare.split('::');
  const groups = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const width = groups.length + after.length + (bare.includes('.') ? 1 : 0);
  const zeros: string[] = tail === undefined ? [] : Array(8 - width).fill('0');
  return [...groups, ...zeros, ...after]
    .slice(0, 4)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''))
    .join(':');
}
