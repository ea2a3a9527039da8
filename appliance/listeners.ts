/** What a process really listens on, as the kernel knows it (proc(5)): evidence, not configuration. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { resolve } from 'node:path';

export interface Listener {
  protocol: 'tcp' | 'udp' | 'unix';
  /** `address:port`, or the path of a unix socket. */
  address: string;
}

const listening = '0A';
const unixListening = '00010000';
/** Flags, inode and path of a line: the path may hold spaces, and is as the process gave it. */
const unixLine = /^\S+: \S+ \S+ (\S+) \S+ \S+ +(\d+) (.+)$/;

/** The listeners of a process; empty when it is gone. */
export async function listenersOf(pid: number): Promise<Listener[]> {
  const mine = await socketInodes(pid);
  const found: Listener[] = [];
  for (const file of ['tcp', 'tcp6', 'udp', 'udp6'] as const) {
    for (const line of await table(pid, file)) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      if (!mine.has(inode)) continue;
      const protocol = file.startsWith('tcp') ? 'tcp' : 'udp';
      // A bound UDP socket has no state of listening: it may receive from the start.
      if (protocol === 'tcp' && state !== listening) continue;
      found.push({ protocol, address: decodeAddress(local) });
    }
  }
  const folder = await readlink(`/proc/${pid}/cwd`).catch(() => '/');
  for (const line of await table(pid, 'unix')) {
    const [, flags, inode = '', path] = unixLine.exec(line) ?? [];
    if (flags !== unixListening || !mine.has(inode) || path === undefined) continue;
    const address = path.startsWith('@') ? path : resolve(folder, path);
    found.push({ protocol: 'unix', address });
  }
  return found;
}

async function socketInodes(pid: number): Promise<Set<string>> {
  const inodes = new Set<string>();
  const dir = `/proc/${pid}/fd`;
  for (const fd of await readdir(dir).catch((): string[] => [])) {
    const target = await readlink(`${dir}/${fd}`).catch(() => '');
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  return inodes;
}

async function table(pid: number, name: string): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/net/${name}`, 'utf8').catch(() => '');
  return text.split('\n').slice(1, -1);
}

/** `0100007F:20FB` → `127.0.0.1:8443`: 32-bit words in the machine's order, so little-endian. */
export function decodeAddress(text: string): string {
  const [words = '', port = ''] = text.split(':');
  const bytes = (words.match(/.{8}/g) ?? []).flatMap((word) =>
    [...Buffer.from(word, 'hex')].reverse(),
  );
  const number = Number.parseInt(port, 16);
  if (bytes.length === 4) return `${bytes.join('.')}:${number}`;
  if (bytes.every((byte) => byte === 0)) return `[::]:${number}`;
  if (bytes.slice(0, 15).every((byte) => byte === 0) && bytes[15] === 1) return `[::1]:${number}`;
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  return `[${groups.join(':')}]:${number}`;
}
