/** island.json: what this island is. Written last at the first boot, so its presence says "whole". docs/operations.md §2 */
import { access } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { writePrivate } from '@island/pki/store.ts';
import { loadPrivateJson } from '@island/services/kit/config.ts';
import * as v from 'valibot';
import type { Layout } from './layout.ts';
import { Stated } from './stated.ts';

const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535));

const islandFile = v.strictObject({
  version: v.literal(1),
  id: v.pipe(v.string(), v.uuid()),
  /** Display name. */
  name: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
  /** How clients reach it: a DNS name or an IP address. `localhost` also means: this machine only. */
  host: v.pipe(v.string(), v.minLength(1), v.maxLength(253)),
  port,
  /** Loopback ports behind the edge. */
  internal: v.strictObject({
    nats: port,
    redis: port,
    gateway: port,
    /** 0: an island of before there was one, that gets it at its next start. */
    media: v.optional(v.union([port, v.literal(0)]), 0),
  }),
  /** SHA-256 of the root certificate, base64url. */
  caFingerprint: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{43}$/)),
  created: v.pipe(v.string(), v.isoTimestamp()),
  /** Where the master key lies: never in this folder. Absent until there is one. */
  masterKey: v.exactOptional(v.pipe(v.string(), v.startsWith('/'), v.maxLength(4096))),
});

export type Island = v.InferOutput<typeof islandFile>;

/** The island in this folder; undefined when there is none yet. */
export async function readIsland(layout: Layout): Promise<Island | undefined> {
  let value: unknown;
  try {
    value = await loadPrivateJson(layout.island);
  } catch (error) {
    if (await isAbsent(layout.island)) return undefined;
    throw new Stated(error instanceof Error ? error.message : String(error));
  }
  const result = v.safeParse(islandFile, value);
  if (result.success) return result.output;
  const about =
    typeof value === 'object' && value !== null && 'version' in value ? value.version : 1;
  throw new Stated(
    about === 1
      ? `${layout.island} is damaged: restore it from a backup.`
      : `${layout.island} was written by a newer version of Private Island: use that version or a newer one.`,
  );
}

export async function writeIsland(layout: Layout, island: Island): Promise<void> {
  await writePrivate(layout.island, `${JSON.stringify(island, undefined, 2)}\n`);
}

async function isAbsent(path: string): Promise<boolean> {
  return access(path).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  );
}

/** `https://host[:port]`, as clients write it. */
export function islandAddress({ host, port }: Pick<Island, 'host' | 'port'>): string {
  const name = isIPv6(host) ? `[${host}]` : host;
  return port === 443 ? `https://${name}` : `https://${name}:${port}`;
}

/** Whether only this machine is to reach the island. */
export const isLocal = ({ host }: Pick<Island, 'host'>): boolean =>
  host === 'localhost' || host === '127.0.0.1' || host === '::1';

/** Names in the public certificate. */
export const publicNames = ({ host }: Pick<Island, 'host'>): string[] => [
  ...new Set([host, 'localhost', '127.0.0.1', '::1']),
];
