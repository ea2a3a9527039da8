/** CPU of other processes, as Linux counts it. */
import { readFile } from 'node:fs/promises';

/** One tick of /proc/PID/stat, seconds. */
const tick = 0.01;

/** User and system time of a process and of its children that have ended, seconds. proc(5): fields 14 to 17, behind the name in brackets. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) * tick;
}

/** CPU seconds so far of processes that have names. */
export async function cpuByName(
  pids: ReadonlyMap<string, number>,
): Promise<ReadonlyMap<string, number>> {
  const spent = new Map<string, number>();
  for (const [name, pid] of pids) spent.set(name, await cpuSecondsOf(pid));
  return spent;
}
