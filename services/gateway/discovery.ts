/** What an island says of itself to whoever asks: `/.well-known/island`. docs/protocol/http.md §1 */
import { leastKdf, limits } from '@island/protocol/wire/limits.ts';
import type { AnswerText } from '@island/protocol/wire/routes.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { accounts } from '../accounts/contract.ts';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';
import type { Settings } from '../kit/config.ts';
import { asText } from '../kit/http.ts';
import { retentionDays } from '../kit/retention.ts';

/** Protocol versions spoken here. */
const versions = [1];
/** Milliseconds for which the answer of accounts is good. */
const policyFor = 3000;

/**
 * The root of sender certificates and the log are the directory's, who may join is accounts' to say; while they do not answer, what they said last stands.
 * The function @throws unavailable when they have not said anything yet.
 * @param ticks milliseconds of a clock that never goes back
 */
export function openDiscovery(
  bus: Bus,
  { name, caFingerprint }: Pick<Settings, 'name' | 'caFingerprint'>,
  ticks: () => number = () => performance.now(),
): () => Promise<AnswerText<'discovery'>> {
  const fixed = { name, versions, caFingerprint, limits, kdf: leastKdf, retention: retentionDays };
  let known: Pick<AnswerText<'discovery'>, 'registration' | 'oidc' | 'log'> | undefined;
  /** Never another on one island. */
  let root: string | undefined;
  let askedAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  async function ask(): Promise<void> {
    root ??= base64url((await bus.call(directory, 'senderRoot', {})).root);
    const log = asText(await bus.call(directory, 'log', {}));
    known = { ...(await bus.call(accounts, 'policy', {})), log };
    askedAt = ticks();
  }

  return async () => {
    if (ticks() - askedAt >= policyFor) {
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      await asking.catch((error: unknown) => {
        if (known === undefined) throw error;
      });
    }
    if (known === undefined || root === undefined)
      throw new TypeError('accounts or the directory answered nothing');
    return { ...fixed, senderRoot: root, ...known };
  };
}
