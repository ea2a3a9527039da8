/** A whole island, raised by its command on a free port and an empty data folder, for as long as it is measured. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { askInvite, askStatus } from '@island/appliance/operator.ts';
import { formatIslandLink } from '@island/protocol/wire/island-link.ts';
import { fromBase64url } from '@island/protocol/wire/text.ts';
import { childEnvironment } from '@island/services/kit/config.ts';

const command = join(import.meta.dirname, '../appliance/bin/island.mjs');

export interface RunningIsland extends AsyncDisposable {
  /** `https://host:port`. */
  address: string;
  data: string;
  /** Of the supervisor and of every process that it runs, by their names. */
  pids: ReadonlyMap<string, number>;
  /** A link by which so many people may join. */
  joinLink(uses: number): Promise<string>;
}

export async function raiseIsland(): Promise<RunningIsland> {
  await using held = new AsyncDisposableStack();
  const data = await mkdtemp(join(tmpdir(), 'island-bench-'));
  held.defer(() => rm(data, { recursive: true, force: true }));
  const config = await mkdtemp(join(tmpdir(), 'island-config-'));
  held.defer(() => rm(config, { recursive: true, force: true }));
  const island = spawn(process.execPath, [command, 'up', '--json', '--data', data, '--port', '0'], {
    env: childEnvironment({ XDG_CONFIG_HOME: config }),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(island, 'close');
  held.defer(async () => {
    island.kill('SIGTERM');
    await ended;
  });
  const ready = once(createInterface({ input: island.stdout }), 'line').then(() => true);
  if (!(await Promise.race([ready, ended.then(() => false)])))
    throw new Error('the island ended before it was up');
  const { address, caFingerprint, units, pid } = await askStatus(data);
  const pids = new Map([['supervisor', pid]]);
  for (const unit of units) if (unit.pid !== null) pids.set(unit.name, unit.pid);
  const stack = held.move();
  return {
    address,
    data,
    pids,
    async joinLink(uses) {
      const { invite } = await askInvite(data, uses, 3600);
      const to = { address, caFingerprint: fromBase64url(caFingerprint) };
      return formatIslandLink({ kind: 'join', ...to, invite });
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
