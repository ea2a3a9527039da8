/** What the `island` command asks of a running island: the supervisor's status, and what operators may ask control. */
import { parsePolicy } from '@island/protocol/transparency/policy.ts';
import type { Role } from '@island/protocol/wire/account-routes.ts';
import { findRun, layoutOf, type Run } from '@island/provisioning/layout.ts';
import { Stated } from '@island/provisioning/stated.ts';
import type { RotationStatus } from './key-rotation.ts';
import type { LogStatus, StatusReport } from './status-report.ts';
import { askSocket, type SocketRequest } from './unix-http.ts';
import type { WitnessStanding } from './witness-messages.ts';

/** What the island refused, by its code, in its own words. */
export class Refused extends Stated {
  readonly code: string;
  constructor(code: string, text: string) {
    super(text);
    this.code = code;
  }
}

async function ask(socket: string, asked: SocketRequest): Promise<unknown> {
  const { status, text } = await askSocket(socket, asked);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Stated(`The island gave an answer that is not understood (${status}).`);
  }
  if (status === 200) return body;
  const { code = '', text: sentence = `The island refused (${status}).` } =
    typeof body === 'object' ? ((body as { code?: string; text?: string } | null) ?? {}) : {};
  throw new Refused(code, sentence);
}

/** The run folder of the island in `data`; throws `Stated` when there is none. */
export async function runningIsland(data: string): Promise<Run> {
  const run = await findRun(layoutOf(data));
  if (run === undefined) throw notRunning(data);
  return run;
}

export const notRunning = (data: string): Stated =>
  new Stated(
    `No island is running in ${layoutOf(data).data}. Start it with: npx island up --data ${data}`,
  );

const absent = new Set(['ENOENT', 'ECONNREFUSED']);

/** Maps "nobody listens" to a plain sentence. */
async function orNotRunning<T>(data: string, asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (absent.has((error as NodeJS.ErrnoException).code ?? '')) throw notRunning(data);
    if (error instanceof Error && error.name === 'TimeoutError') {
      throw new Stated('The island does not answer. Look at: npx island status');
    }
    throw error;
  }
}

export async function askStatus(data: string): Promise<StatusReport> {
  const run = await runningIsland(data);
  return (await orNotRunning(
    data,
    ask(run.supervisorSocket, { method: 'GET', path: '/status' }),
  )) as StatusReport;
}

/** How far the last rotation of the master key is; POST begins one. */
export async function askRotation(data: string, method: 'GET' | 'POST'): Promise<RotationStatus> {
  const { supervisorSocket } = await runningIsland(data);
  return (await orNotRunning(
    data,
    ask(supervisorSocket, { method, path: '/rotation' }),
  )) as RotationStatus;
}

export interface Invite {
  invite: string;
  /** Unix seconds. */
  expires: number;
}

/** Asks control of the island in `data`: services/control/operator-routes.ts says what there is. */
export async function askControl(data: string, asked: SocketRequest): Promise<unknown> {
  const { controlSocket } = await runningIsland(data);
  return orNotRunning(data, ask(controlSocket, asked));
}

const asksForWitnesses = (policy: string): boolean => parsePolicy(policy).quorum !== undefined;

/** `undefined` while those who know do not answer. */
export async function askLog(data: string): Promise<LogStatus | undefined> {
  const asked = askControl(data, { method: 'GET', path: '/witness' });
  const standing = (await asked.catch((error: unknown) => {
    if (!(error instanceof Stated)) throw error;
    return undefined;
  })) as WitnessStanding | undefined;
  if (standing === undefined) return undefined;
  const { size, epoch, waiting, problem, policy, witnesses } = standing;
  return {
    ...{ size, epoch: new Date(epoch).toISOString(), witnessed: asksForWitnesses(policy.text) },
    ...{ quorum: policy.quorum, witnesses: witnesses.length },
    ...(waiting !== undefined && { waiting }),
    ...(problem !== undefined && { problem }),
  };
}

export async function askInvite(
  data: string,
  uses: number,
  seconds: number,
  role: Role = 'member',
): Promise<Invite> {
  const body = { uses, seconds, role };
  return (await askControl(data, { method: 'POST', path: '/invites', body })) as Invite;
}

/** What is still unused: null once it was used. */
export async function askWelcome(
  run: Run,
): Promise<{ setupToken: string | null; invite: string | null }> {
  const post = (path: string) => ask(run.controlSocket, { method: 'POST', path });
  const { setupToken } = (await post('/setup-token')) as { setupToken: string | null };
  const { invite } = (await post('/first-invite')) as { invite: string | null };
  return { setupToken, invite };
}
