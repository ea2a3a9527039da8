/**
 * The master key of an island: a file outside of the data folder, so that a copy of the data folder opens
 * nothing (M5). Only the supervisor reads it. docs/protocol/at-rest.md §1
 *
 *     private-island master key
 *     island 4d1f…                       the island that it belongs to
 *     1 mhZx…                            version, 32 bytes in base64url; one line each, ascending
 */
import { randomBytes } from 'node:crypto';
import { lstat, mkdir, open, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { writePrivate } from '@island/pki/store.ts';
import { fromEnvironment } from '@island/services/kit/config.ts';
import {
  deriveKek,
  type KeyWire,
  openServiceKeys,
  type ServiceKeys,
} from '@island/services/kit/service-keys.ts';
import { type Island, writeIsland } from './island-file.ts';
import type { Layout } from './layout.ts';
import { Stated, statedFrom } from './stated.ts';

export interface MasterKey {
  file: string;
  island: string;
  /** 32 bytes each, by version. */
  versions: ReadonlyMap<number, Uint8Array>;
}

const title = 'private-island master key';
const largest = 65_536;

const closedToOthers = 0o077;
/** There a right of the one user it is for shows as the group's; its folder is closed to everybody else. */
const closedWhenLent = 0o037;

/** Where systemd puts what LoadCredential= names; read-only there. */
const credential = 'private-island.master-key';

type Owner = Pick<Island, 'id' | 'masterKey'>;

/** Opens it as `readMaster` does; for an island that has none yet it is made first, and island.json says where. */
export async function openMasterKey(
  layout: Layout,
  island: Island,
  wish: string | undefined,
): Promise<MasterKey> {
  const { master, named } = await obtainMasterKey(layout, island, wish);
  // Written last: from now on a missing file is refused, never made anew.
  if (island.masterKey !== named) await writeIsland(layout, { ...island, masterKey: named });
  return master;
}

/** The same, with what island.json has to say of it. */
export async function obtainMasterKey(
  layout: Layout,
  island: Owner,
  wish: string | undefined,
): Promise<{ master: MasterKey; named: string }> {
  const { file, named, closed } = await placeOf(layout, island, wish);
  if (!(await exists(file))) {
    if (island.masterKey !== undefined) throw missing(layout, file);
    await write(file, { island: island.id, versions: new Map([[1, randomBytes(32)]]) });
  }
  return { master: await readMaster(file, island.id, closed), named };
}

/** The one that there is; nothing is made or written. */
export async function findMasterKey(
  layout: Layout,
  island: Owner,
  wish: string | undefined,
): Promise<MasterKey> {
  const { file, closed } = await placeOf(layout, island, wish);
  return readMaster(file, island.id, closed);
}

async function placeOf(
  layout: Layout,
  { id, masterKey }: Owner,
  wish: string | undefined,
): Promise<{ file: string; named: string; closed: number }> {
  const credentials = fromEnvironment('CREDENTIALS_DIRECTORY')?.value;
  const given = credentials === undefined ? undefined : join(credentials, credential);
  const lent = wish === undefined && given !== undefined && (await exists(given));
  const own = wish ?? masterKey ?? defaultFile(id);
  const file = lent ? given : own;
  await needOutside(layout, file);
  return { file, named: own, closed: lent ? closedWhenLent : closedToOthers };
}

/** @throws Stated when it is missing, open to others, damaged, or another island's */
export async function readMaster(
  file: string,
  island: string,
  closed: number = closedToOthers,
): Promise<MasterKey> {
  const text = await readText(file, closed);
  const [first, second = '', ...lines] = text.trimEnd().split('\n');
  const versions = new Map<number, Uint8Array>();
  let last = 0;
  for (const line of lines) {
    const [, number = '', secret = ''] = /^([1-9]\d{0,8}) ([A-Za-z0-9_-]{43})$/.exec(line) ?? [];
    if (Number(number) <= last) throw damaged(file);
    last = Number(number);
    versions.set(last, Buffer.from(secret, 'base64url'));
  }
  if (first !== title || !second.startsWith('island ') || versions.size === 0) throw damaged(file);
  if (second !== `island ${island}`)
    throw new Stated(
      `The master key ${file} belongs to another island: say where this island's is with --master-key.`,
    );
  return { file, island, versions };
}

export const newestOf = ({ versions }: Pick<MasterKey, 'versions'>): number =>
  Math.max(...versions.keys());

/** The same key with one more version, on the disk when this resolves. */
export const addVersion = ({ file, island, versions }: MasterKey): Promise<MasterKey> =>
  replace({
    file,
    island,
    versions: new Map([...versions, [newestOf({ versions }) + 1, randomBytes(32)]]),
  });

/** Only the newest version stays. */
export function retireFormer({ file, island, versions }: MasterKey): Promise<MasterKey> {
  const newest = newestOf({ versions });
  return replace({
    file,
    island,
    versions: new Map([...versions].filter(([version]) => version === newest)),
  });
}

async function replace(master: MasterKey): Promise<MasterKey> {
  try {
    await write(master.file, master);
    return master;
  } catch (cause) {
    const why = statedFrom(cause)?.message ?? 'It was not changed.';
    throw new Stated(`The master key ${master.file} cannot be written. ${why}`, { cause });
  }
}

/** The keys of one service, by version: all that its process ever sees. */
export const keysOf = ({ island, versions }: MasterKey, service: string): KeyWire =>
  Object.fromEntries(
    [...versions].map(([version, master]) => [
      version,
      deriveKek(master, island, version, service).toString('base64url'),
    ]),
  );

/** What the keys of the CA are sealed under: pkid's, and nobody else's. */
export const caKeysOf = (master: MasterKey): ServiceKeys =>
  openServiceKeys('pkid', keysOf(master, 'pkid'));

function defaultFile(id: string): string {
  const config = fromEnvironment('XDG_CONFIG_HOME')?.value;
  const base = config !== undefined && isAbsolute(config) ? config : join(homedir(), '.config');
  return join(base, 'private-island', id, 'master.key');
}

/** A key that is copied along with what it protects protects nothing. */
async function needOutside(layout: Layout, file: string): Promise<void> {
  const folder = await realpath(dirname(file)).catch(() => resolve(dirname(file)));
  const way = relative(await realpath(layout.data), folder);
  if (way === '' || !(way === '..' || way.startsWith('../') || isAbsolute(way)))
    throw new Stated(
      `The master key must not lie in the data folder ${layout.data}, which it protects: choose another place with --master-key.`,
    );
}

async function write(
  file: string,
  { island, versions }: Pick<MasterKey, 'island' | 'versions'>,
): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const lines = [...versions].map(
    ([version, secret]) => `${version} ${Buffer.from(secret).toString('base64url')}`,
  );
  await writePrivate(file, `${[title, `island ${island}`, ...lines].join('\n')}\n`);
}

async function readText(file: string, closed: number): Promise<string> {
  await using handle = await open(file, 'r').catch((cause: NodeJS.ErrnoException) => {
    throw new Stated(
      cause.code === 'ENOENT'
        ? `The master key ${file} is missing: put it back, or say where it is with --master-key.`
        : `The master key ${file} cannot be read: check its rights.`,
      { cause },
    );
  });
  const { mode, size } = await handle.stat();
  if ((mode & closed) !== 0)
    throw new Stated(`Others can open the master key ${file}: run chmod 600 on it.`);
  if (size > largest) throw damaged(file);
  return handle.readFile('utf8');
}

const exists = (file: string): Promise<boolean> =>
  lstat(file).then(
    () => true,
    () => false,
  );

const missing = (layout: Layout, file: string): Stated =>
  new Stated(
    `The master key ${file} is missing, and without it nothing in ${layout.data} opens: put it back, or say where it is with --master-key.`,
  );

const damaged = (file: string): Stated =>
  new Stated(`The master key ${file} is damaged: put a good copy of it back.`);
