/** Who wants to write to this person: said with each of their messages, and what to do about it once. */
import type { Conversations } from '../conversation/conversations.ts';
import type { Arrival } from '../messages/arrivals.ts';
import type { Terminal } from './terminal.ts';

/** Those among the senders who have not been let in. */
export async function requestsIn(
  { standing }: Conversations,
  arrivals: readonly Arrival[],
): Promise<ReadonlySet<string>> {
  const names = new Set(arrivals.flatMap((each) => (each.type === 'message' ? [each.from] : [])));
  const found = new Set<string>();
  for (const name of names) if ((await standing(name)) === 'request') found.add(name);
  return found;
}

/** Once a person; a program has it with each message. `how`: in a conversation, or as commands of their own. */
export function explainRequest(
  { json, status }: Terminal,
  name: string,
  how: 'in-chat' | 'command',
): void {
  if (json) return;
  const ways =
    how === 'in-chat'
      ? `/accept or an answer lets ${name} in; /block keeps ${name} out.`
      : `An answer or islander let-in ${name} lets ${name} in; islander block ${name} keeps ${name} out.`;
  status(
    'request',
    `${name} wrote to you first, and does not learn whether you read it. ${ways}`,
    `request ${name}`,
  );
}
