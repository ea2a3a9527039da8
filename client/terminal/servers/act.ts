/** How commands about a server are carried out: found by its name, looked at anew, changed by an entry. */
import type { SpaceOp } from '@island/protocol/space/space-op.ts';
import type { SpaceState } from '@island/protocol/space/space-state.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { Problem } from '../../problem.ts';
import type { Context } from '../command.ts';
import { given } from '../credentials.ts';
import { type Home, openHome } from '../home.ts';
import { openQuestions } from '../questions.ts';
import { usage } from '../usage.ts';
import { serverNamed } from './naming.ts';

export interface AtServer extends Context {
  islander: Home['islander'];
  storage: Home['storage'];
  state: SpaceState;
  /** Signs the next entry of it. */
  act(op: SpaceOp): Promise<void>;
}

/** The work with the server of that name, as it is now. */
export async function atServer(
  context: Context,
  server: string,
  work: (at: AtServer) => Promise<void>,
): Promise<void> {
  await using home = await openHome(context);
  const { islander, storage } = home;
  const { spaces } = islander;
  const state = await serverNamed(spaces, server, context.signal);
  const act = async (op: SpaceOp): Promise<void> => {
    await ofRightForm(() => spaces.act(state.space, op, context.signal));
  };
  await work({ ...context, islander, storage, state, act });
}

/** What people call things, and why they do something, has bounds. Throws `space_text`. */
export async function ofRightForm<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const form = cause instanceof Fault && ['malformed', 'too_large'].includes(cause.code);
    if (!form) throw cause;
    const { titleBytes: title, topicBytes: topic, reasonBytes: reason } = limits;
    throw new Problem('space_text', { title, topic, reason }, { cause });
  }
}

/** What can't be undone is asked first; `--yes` says it, where nobody is asked. Throws `not_confirmed`. */
export async function confirmed(
  { terminal }: Pick<Context, 'terminal'>,
  options: Record<string, unknown>,
  sentence: string,
): Promise<void> {
  if (options['yes'] === true) return;
  using questions = openQuestions(terminal);
  if (!questions.interactive) throw usage(terminal, `${sentence} To say so, add --yes.`);
  const answer = await questions.line(`${sentence} Go on? (yes/no) `);
  if (answer.trim().toLowerCase() !== 'yes') throw new Problem('not_confirmed');
}

/** What it is called, typed once more. Throws `not_confirmed`. */
export async function typedAgain(
  { terminal }: Pick<Context, 'terminal'>,
  options: Record<string, unknown>,
  prompt: string,
  expected: string,
): Promise<void> {
  using questions = openQuestions(terminal);
  const typed = given(options['name']) ?? (await questions.line(prompt));
  if (typed.trim() !== expected) throw new Problem('not_confirmed');
}
