/** Signing in with the organisation: in the person's browser, while the command waits. docs/protocol/accounts.md §9 */
import type { Pinned } from '../platform.ts';
import { nodePlatform } from '../platform-node.ts';
import { Problem } from '../problem.ts';
import { signInWithOrganisation } from '../sign-in/oidc.ts';
import type { Context } from './command.ts';
import type { Questions } from './questions.ts';

/** Throws `digits_missing` when nobody answers. */
export async function askOrganisation(
  { terminal, signal }: Context,
  questions: Questions,
  pinned: Pinned,
): Promise<{ grant: Uint8Array }> {
  await using transport = nodePlatform.transport(pinned);
  const { grant } = await signInWithOrganisation(
    { transport, signal },
    {
      show: (url) =>
        terminal.say(`Open this in a browser and sign in there:\n\n  ${url}\n`, {
          type: 'organisation',
          url,
        }),
      async digits(wrong) {
        const again = wrong ? 'Those are not the ones. ' : '';
        const typed = await questions.line(`${again}The six digits that the page shows: `);
        if (typed.trim() === '') throw new Problem('digits_missing');
        return typed;
      },
    },
  );
  return { grant };
}
