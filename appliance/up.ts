/** `island up`: from whatever is there to a running island, in the foreground until it is told to end. docs/operations.md §1 */
import { readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { formatIslandLink } from '@island/protocol/wire/island-link.ts';
import { fromBase64url } from '@island/protocol/wire/text.ts';
import { obtainEngines } from '@island/provisioning/engines.ts';
import {
  claimData,
  defaultPort,
  openIsland,
  type Wishes,
} from '@island/provisioning/first-boot.ts';
import {
  type Island,
  isLocal,
  islandAddress,
  readIsland,
} from '@island/provisioning/island-file.ts';
import { closeRun, layoutOf, openRun, type Run } from '@island/provisioning/layout.ts';
import { openMasterKey } from '@island/provisioning/master-key.ts';
import { needPort } from '@island/provisioning/ports.ts';
import { writeRunFiles } from '@island/provisioning/run-files.ts';
import { Stated } from '@island/provisioning/stated.ts';
import { openLog } from '@island/services/kit/log.ts';
import { units } from './compose.ts';
import { openLogFolder } from './log-folder.ts';
import { askWelcome } from './operator.ts';
import { superviseIsland } from './supervise.ts';
import { endLeftovers, lockSupervisor } from './supervisor-lock.ts';
import { openSupervisorSocket } from './supervisor-socket.ts';
import type { Progress } from './terminal.ts';

/** Bytes that must be free. */
const roomNeeded = 50e6;

export interface UpOptions {
  data: string;
  wishes: Wishes;
  /** File whose first line is the passphrase of the root's key. */
  passphraseFile?: string | undefined;
  /** File of the master key; where it was, unless given. */
  masterKey?: string | undefined;
  /** Further folders with engines. */
  engines: readonly string[];
  /** Life of certificates, for tests of their renewal. */
  leafSeconds?: number | undefined;
  progress: Progress;
  tellPassphrase: (passphrase: string) => void;
  /** Told where the master key was made. */
  tellMasterKey: (file: string) => void;
  tellReady: (welcome: Welcome) => void;
  /** Aborted: end in order. */
  stop: AbortSignal;
  /** Aborted: end at once. */
  force: AbortSignal;
}

/** What `island up` prints at the end; `--json` prints just this. */
export interface Welcome {
  address: string;
  caFingerprint: string;
  caFile: string;
  /** null once used. */
  setupToken: string | null;
  /** Link for the first person; null once somebody has joined. */
  invite: string | null;
  data: string;
}

/** Resolves when the island was told to end and has ended; throws `Stated` when it cannot run. */
export async function up(options: UpOptions): Promise<void> {
  const { progress, stop, wishes } = options;
  const layout = layoutOf(options.data);
  await using held = new AsyncDisposableStack();
  const passphrase = await readPassphrase(options.passphraseFile);
  await claimData(layout);
  held.use(lockSupervisor(layout.lock));
  const kept = await readIsland(layout);
  const run = await openRun(layout);
  held.defer(() => closeRun(layout, run));
  if ((await endLeftovers(run.children)) > 0) progress.step('Ended what a former run had left');
  // A first start that leaves the port to the kernel takes none that is in use.
  if (kept !== undefined || wishes.port !== 0) await checkPort({ ...kept, ...given(wishes) });

  progress.step('Looking for nats-server, redis-server and caddy');
  const engines = await obtainEngines({
    dir: layout.engines,
    also: options.engines,
    report: (line) => progress.detail(line),
    signal: stop,
  });
  stop.throwIfAborted();
  await needRoom(layout.data);
  if (kept === undefined) progress.step('Making the island: certificate authority, keys, secrets');
  const island = await openIsland(layout, {
    wishes,
    passphrase,
    masterKey: options.masterKey,
    tellPassphrase(made) {
      progress.done();
      options.tellPassphrase(made);
    },
  });
  const master = await openMasterKey(layout, island, options.masterKey);
  if (kept?.masterKey === undefined) {
    progress.done();
    options.tellMasterKey(master.file);
  }
  stop.throwIfAborted();

  progress.step(`Starting ${island.name}`);
  const processes = units.flatMap(({ name, services }) =>
    name === 'front' || name === 'core' || name === 'control' ? [{ name, services }] : [],
  );
  const { leafSeconds } = options;
  const { redisPassword } = await writeRunFiles({ layout, run, island, processes, leafSeconds });
  const logs = held.use(openLogFolder(layout.log));
  const log = openLog({ process: 'supervisor' }, (line) => logs.append('supervisor', line));
  const supervisor = superviseIsland({
    layout,
    run,
    island,
    engines,
    redisPassword,
    master,
    logs,
    log,
    report: (label) => progress.detail(`${label} is up`),
  });
  held.defer(async () => {
    progress.step('Stopping');
    await supervisor.stop();
    progress.done();
  });
  options.force.addEventListener('abort', () => supervisor.kill());
  held.use(await openSupervisorSocket(run.supervisorSocket, supervisor));

  const stopped = untilAborted(stop);
  await Promise.race([supervisor.ready, stopped]);
  if (stop.aborted) return;
  const welcome = await welcomeTo(island, layout.pki, layout.data, run, stop);
  if (welcome === undefined) return;
  progress.done();
  options.tellReady(welcome);
  await stopped;
}

const given = (wishes: Wishes): Partial<Pick<Island, 'host' | 'port'>> => ({
  ...(wishes.host === undefined ? {} : { host: wishes.host }),
  ...(wishes.port === undefined || wishes.port === 0 ? {} : { port: wishes.port }),
});

/** Before anything long is done: a port that is taken is told at once. */
async function checkPort({
  host = 'localhost',
  port = defaultPort,
}: Partial<Island>): Promise<void> {
  await needPort(port, isLocal({ host }) ? '127.0.0.1' : '0.0.0.0');
}

/** Databases and logs need somewhere to grow: better told now than by a service an hour later. */
async function needRoom(data: string): Promise<void> {
  const { bavail, bsize } = await statfs(data);
  const free = bavail * bsize;
  if (free >= roomNeeded) return;
  throw new Stated(
    `The disk is full at ${data} (${Math.floor(free / 1e6)} MB free): make at least ${roomNeeded / 1e6} MB of room and start again.`,
  );
}

async function readPassphrase(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const text = await readFile(file, 'utf8').catch(() => {
    throw new Stated(
      `The file ${file} with the root passphrase cannot be read: check its path and its rights.`,
    );
  });
  return text.split('\n')[0]?.replace(/\r$/, '');
}

function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  signal.addEventListener('abort', () => resolve());
  return promise;
}

/** Asks control for what is unused. It may have been restarted this moment, so not only once. */
async function welcomeTo(
  island: Island,
  pki: string,
  data: string,
  run: Run,
  stop: AbortSignal,
): Promise<Welcome | undefined> {
  for (let attempt = 1; !stop.aborted; attempt++) {
    try {
      const { setupToken, invite } = await askWelcome(run);
      const { caFingerprint } = island;
      const address = islandAddress(island);
      const link =
        invite &&
        formatIslandLink({
          kind: 'join',
          address,
          caFingerprint: fromBase64url(caFingerprint),
          invite,
        });
      return {
        address,
        caFingerprint,
        caFile: join(pki, 'root.crt'),
        setupToken,
        invite: link,
        data,
      };
    } catch (error) {
      if (attempt === 20) throw error;
      await wait(250);
    }
  }
  return undefined;
}
