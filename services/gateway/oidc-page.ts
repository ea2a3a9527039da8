/** Where the organisation's sign-in sends the browser back to: one call, one page. docs/protocol/http.md §5 */
import { accounts } from '../accounts/contract.ts';
import type { Bus } from '../kit/bus.ts';
import type { PageRoute } from '../kit/http.ts';

export const oidcReturnPath = '/v1/oidc/callback';

export const oidcReturn = (bus: Bus): PageRoute => ({
  path: oidcReturnPath,
  async answer(query) {
    const answer = await bus.call(accounts, 'oidcReturn', { query });
    if (!answer.admitted) {
      return {
        status: 403,
        title: 'Not let in',
        text: 'The organisation did not let you in, or the sign-in took too long. Begin again where you came from, or ask who runs the island.',
      };
    }
    const digits = `${answer.digits.slice(0, 3)} ${answer.digits.slice(3)}`;
    return {
      status: 200,
      title: digits,
      text: 'The organisation knows you. If you began this sign-in yourself, type these six digits there. Give them to nobody. Then close this page.',
    };
  },
});
