/** What an island says of itself to whoever asks: `/.well-known/island`. docs/protocol/http.md §1 */
import { leastKdf, limits } from '@island/protocol/wire/limits.ts';
import type { AnswerText } from '@island/protocol/wire/routes.ts';
import type { Settings } from '../kit/config.ts';

/** Protocol versions spoken here. */
const versions = [1];

export function discovery(settings: Settings): AnswerText<'discovery'> {
  const { name, registration, caFingerprint } = settings;
  return { name, versions, registration, caFingerprint, limits, kdf: leastKdf };
}
