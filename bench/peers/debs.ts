/**
 * Debian packages of a yardstick, unpacked into a cache: nothing is installed, no root is needed. Throws `Skipped` when
 * they can't be had.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Package } from '@island/provisioning/apt.ts';
import { notInstalled } from '@island/provisioning/engine-packages.ts';
import { openSources } from '@island/provisioning/engines.ts';
import { statedFrom } from '@island/provisioning/stated.ts';
import { runTool } from '@island/provisioning/tool.ts';
import { Skipped } from '../scenario.ts';

const cache = join(import.meta.dirname, '../../.engines/peers');

export interface Peer {
  /** The package whose version is that of the peer. */
  name: string;
  wanted: readonly string[];
  /** Names of packages that are fetched where others depend on them. */
  follow: RegExp;
  /** Work on what was unpacked into `making`, that will be `root`. */
  finish?(making: string, root: string): Promise<void>;
}

/** `version` is written last, so that what was cut off does not count. */
export async function unpackedPeer(peer: Peer): Promise<{ root: string; version: string }> {
  const root = join(cache, peer.name);
  const known = await readFile(join(root, 'version'), 'utf8').catch(() => undefined);
  if (known !== undefined) return { root, version: known };
  try {
    return { root, version: await fetch(peer, root) };
  } catch (error) {
    const why = statedFrom(error);
    if (why === undefined) throw error;
    throw new Skipped(`${peer.name} can't be had: ${why.message}`);
  }
}

async function fetch({ name, wanted, follow, finish }: Peer, root: string): Promise<string> {
  const report = (line: string) => process.stderr.write(`${line}\n`);
  await rm(root, { recursive: true, force: true });
  const making = `${root}.part`;
  await rm(making, { recursive: true, force: true });
  await mkdir(making, { recursive: true });
  const apt = await openSources(join(cache, 'apt'), report)('host');
  const found = new Map<string, Package>();
  for (let names = [...wanted]; names.length > 0; ) {
    const level = await apt.packages(names);
    for (const one of level) found.set(one.name, one);
    names = [...new Set(level.flatMap(({ depends }) => depends))].filter(
      (each) => follow.test(each) && !found.has(each),
    );
  }
  const version = found.get(name)?.version;
  if (version === undefined) throw new Skipped(`this machine has no package of ${name}.`);
  // Libraries that this machine has are good enough; interpreter and modules are those of the packages.
  const [libraries, others] = [/^lib/, /^(?!lib)/].map((kind) =>
    [...found.values()].filter((one) => kind.test(one.name)),
  );
  for (const one of [...(others ?? []), ...(await notInstalled(libraries ?? []))]) {
    report(`Fetching ${one.name} ${one.version}`);
    const deb = await apt.download(one, () => undefined);
    const ran = await runTool('dpkg-deb', ['-x', deb, making]);
    if (ran.code !== 0) throw new Skipped(`${one.name} can't be unpacked: ${ran.stderr.trim()}`);
  }
  await finish?.(making, root);
  await rename(making, root);
  await writeFile(join(root, 'version'), version);
  await rm(join(cache, 'apt'), { recursive: true, force: true });
  return version;
}
