/** What the `island` command asks of a running island: the supervisor's status, and control's invites and tokens. */
import { findRun, layoutOf, type Run } from '@island/provisioning/layout.ts';
import { Stated } from '@island/provisioning/stated.ts';
import type { StatusReport } from './status-report.ts';
import { askSocket, type SocketRequest } from './unix-http.ts';

async function ask(socket: string, asked: SocketRequest): Promise<unknown> {
  const { status, text } = await askSocket(socket, asked);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Stated(`The island gave an answer that is not understood (${status}).`);
  }
  if (status === 200) return body;
  const sentence =
    typeof body === 'object' && body !== null && 'text' in body ? body.text : undefined;
  throw new Stated(typeof sentence === 'string' ? sentence : `The island refused (${status}).`);
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

export interface Invite {
  invite: string;
  /** Unix seconds. */
  expires: number;
}

export async function askInvite(data: string, uses: number, seconds: number): Promise<Invite> {
  const { controlSocket } = await runningIsland(data);
  const body = { uses, seconds };
  return (await orNotRunning(
    data,
    ask(controlSocket, { method: 'POST', path: '/invites', body }),
  )) as Invite;
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
