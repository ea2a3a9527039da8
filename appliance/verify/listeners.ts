/** Every socket that the island's processes listen on, each known or a finding. docs/architecture.md §1 (T2) */
import { lstat, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isLocal } from '@island/provisioning/island-file.ts';
import { engines, services } from '@island/services/kit/names.ts';
import { type Listener, listenersOf } from '../listeners.ts';
import { type Finding, found } from './finding.ts';
import type { Scene } from './scene.ts';

/** Looks at the supervisor and everything that descends from it, whatever it says of itself. */
export async function classifyListeners(scene: Scene): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const pid of await descendants(scene.status.pid)) {
    const unit = scene.status.units.find((one) => one.pid === pid)?.name;
    const name = unit ?? (pid === scene.status.pid ? 'supervisor' : `process ${pid}`);
    for (const listener of await listenersOf(pid)) {
      findings.push(await classify(scene, name, listener));
    }
  }
  const everything = Object.entries(expectedTcp(scene)).flatMap(([what, all]) =>
    all.map((expected) => ({ what, expected })),
  );
  for (const { what, expected } of everything) {
    const there = findings.some(
      ({ text }) =>
        text.includes(`tcp ${expected}`) || text.includes(`tcp [::]:${expected.split(':').at(-1)}`),
    );
    if (!there) findings.push(found(false, `${what} does not listen on ${expected}`));
  }
  return findings;
}

function expectedTcp({ island }: Scene): Record<string, readonly string[]> {
  const { nats, redis, gateway, media } = island.internal;
  return {
    nats: [`127.0.0.1:${nats}`],
    redis: [`127.0.0.1:${redis}`],
    front: [`127.0.0.1:${gateway}`, `127.0.0.1:${media}`],
    caddy: [isLocal(island) ? `127.0.0.1:${island.port}` : `0.0.0.0:${island.port}`],
  };
}

async function classify(scene: Scene, name: string, listener: Listener): Promise<Finding> {
  const { protocol, address } = listener;
  const text = `${name} listens on ${protocol} ${address}`;
  if (protocol === 'unix') return classifyFile(scene, name, address, text);
  if (protocol === 'udp') return found(false, `${text}: UNKNOWN`);
  const { island } = scene;
  const publicDoor = name === 'caddy' && address.endsWith(`:${island.port}`);
  if (publicDoor && !isLocal(island)) return found(true, `${text}: the edge, open to clients`);
  const known = expectedTcp(scene)[name]?.includes(address) === true;
  return found(known, `${text}: ${known ? 'known, TLS' : 'UNKNOWN'}`);
}

/** Unix sockets: known by path, and closed to other users by their mode or that of their folder. */
async function classifyFile(
  scene: Scene,
  name: string,
  path: string,
  text: string,
): Promise<Finding> {
  const { run } = scene;
  const pkid = [...services, ...engines, 'public', 'probe'].map((peer) => run.pkidSocket(peer));
  const own: Record<string, readonly string[]> = {
    supervisor: [run.supervisorSocket],
    control: [run.controlSocket],
    redis: [run.redisSocket],
    caddy: [run.caddySocket],
    pkid,
  };
  if (own[name]?.includes(path) !== true) return found(false, `${text}: UNKNOWN`);
  const [file, folder] = await Promise.all([lstat(path), lstat(dirname(path))]);
  const closed =
    (file.mode & 0o077) === 0 && (folder.mode & 0o077) === 0 && file.uid === folder.uid;
  return found(closed, `${text}: ${closed ? 'known, for its owner alone' : 'OPEN TO OTHERS'}`);
}

/** The process and its children's children, by the parent each names in /proc. */
async function descendants(root: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(join('/proc', entry, 'stat'), 'utf8').catch(() => '');
    // The name in brackets may hold anything; the parent is the second field after it.
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    parents.set(Number(entry), parent);
  }
  const found = [root];
  for (const pid of found)
    for (const [child, parent] of parents) if (parent === pid) found.push(child);
  return found;
}
