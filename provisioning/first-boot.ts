/**
 * From an empty folder to an island, once: ids, ports, secrets, the CA. docs/decisions/032-first-boot.md
 *
 * island.json is written last. Until then a marker says that what lies in the folder is ours to throw
 * away: an interrupted first boot starts over, and never anywhere else than in a folder that was empty
 * when it began. The marker holds the id: the master key, which lies elsewhere, is of the island that is made
 * in the end.
 */
import { randomUUID } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { firstBootPki } from '@island/pki/first-boot.ts';
import { Refusal } from '@island/pki/refusal.ts';
import { writePrivate } from '@island/pki/store.ts';
import { type Island, readIsland, writeIsland } from './island-file.ts';
import { type Layout, ownFolder } from './layout.ts';
import { caKeysOf, obtainMasterKey } from './master-key.ts';
import { freePorts, isPortFree } from './ports.ts';
import { newPassphrase } from './secrets.ts';
import { Stated } from './stated.ts';

export interface Wishes {
  name?: string | undefined;
  host?: string | undefined;
  port?: number | undefined;
}

export interface FirstBootOptions {
  wishes: Wishes;
  /** Passphrase for the root's key; made up when absent. */
  passphrase?: string | undefined;
  /** File of the master key; in ~/.config unless given. */
  masterKey?: string | undefined;
  /** Receives a passphrase that was made up, before anything is final: it is told once and kept nowhere. */
  tellPassphrase: (passphrase: string) => void;
}

export const defaultPort = 8443;

/** Checks that the folder is an island's or may become one, and makes it ours alone. Changes nothing otherwise. */
export async function claimData(layout: Layout): Promise<void> {
  const names = await readdir(layout.data).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [] as string[];
    if (error.code === 'ENOTDIR')
      throw new Stated(`${layout.data} is a file, not a folder: choose another with --data.`);
    throw error;
  });
  const ours = ['island.json', 'first-boot-unfinished'].some((name) => names.includes(name));
  const foreign = names.filter((name) => name !== 'lost+found');
  if (!ours && foreign.length > 0) {
    throw new Stated(
      `The folder ${layout.data} is not empty and holds no island: choose an empty or new one with --data.`,
    );
  }
  await ownFolder(layout.data);
  if (!names.includes('island.json'))
    await writeFile(layout.unfinished, '', { mode: 0o600, flag: 'a' });
}

/** The island of this folder, made now if there is none, with the operator's wishes applied. */
export async function openIsland(layout: Layout, options: FirstBootOptions): Promise<Island> {
  const kept = await readIsland(layout);
  if (kept !== undefined) {
    await rm(layout.unfinished, { force: true });
    return adapt(layout, kept, options.wishes);
  }
  const { wishes } = options;
  for (const folder of [layout.pki, layout.secrets, layout.service('')]) {
    await rm(folder, { recursive: true, force: true });
  }
  const passphrase = options.passphrase ?? newPassphrase();
  const id = await intendedId(layout);
  const { master, named } = await obtainMasterKey(layout, { id }, options.masterKey);
  const keys = caKeysOf(master);
  const pki = firstBootPki({ dir: layout.pki, passphrase, keys });
  const { fingerprint } = await pki.catch(stateRefusal);
  const [nats = 0, redis = 0, gateway = 0, media = 0, spare = 0] = await freePorts(5);
  const island: Island = {
    version: 1,
    id,
    name: wishes.name ?? 'Private Island',
    host: wishes.host ?? 'localhost',
    port: wishes.port === 0 ? spare : (wishes.port ?? defaultPort),
    internal: { nats, redis, gateway, media },
    caFingerprint: Buffer.from(fingerprint).toString('base64url'),
    created: new Date().toISOString(),
    masterKey: named,
  };
  if (options.passphrase === undefined) options.tellPassphrase(passphrase);
  await writeIsland(layout, island);
  await rm(layout.unfinished, { force: true });
  return island;
}

/** Wishes of a later start, and internal ports that somebody else took meanwhile. */
async function adapt(layout: Layout, kept: Island, wishes: Wishes): Promise<Island> {
  const taken = await Promise.all(
    Object.values(kept.internal).map(async (port) => port === 0 || !(await isPortFree(port))),
  );
  let { internal } = kept;
  if (taken.includes(true)) {
    const [nats = 0, redis = 0, gateway = 0, media = 0] = await freePorts(4);
    internal = { nats, redis, gateway, media };
  }
  const island = {
    ...kept,
    internal,
    name: wishes.name ?? kept.name,
    host: wishes.host ?? kept.host,
    port: wishes.port === undefined || wishes.port === 0 ? kept.port : wishes.port,
  };
  if (JSON.stringify(island) !== JSON.stringify(kept)) await writeIsland(layout, island);
  return island;
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Of the first boot that was interrupted, or a new one. */
async function intendedId(layout: Layout): Promise<string> {
  const kept = await readFile(layout.unfinished, 'utf8').catch(() => '');
  if (uuid.test(kept)) return kept;
  const id = randomUUID();
  await writePrivate(layout.unfinished, id);
  return id;
}

export function stateRefusal(error: unknown): never {
  throw error instanceof Refusal ? new Stated(error.message, { cause: error }) : error;
}
