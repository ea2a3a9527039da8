/** A report in form, for tests. */
import { x25519 } from '@island/protocol/crypto/primitives.ts';
import { sealReport } from '@island/protocol/crypto/sealed-report.ts';
import { type AccountId, channelId, deviceId, type SpaceId } from '@island/protocol/wire/ids.ts';

/** @param account of whoever may open it */
export function sealedReport(space: SpaceId, account: AccountId): Uint8Array {
  const channel = channelId('01'.repeat(16));
  const posts = [{ seq: 1, messageKey: new Uint8Array(32) }];
  const dik = x25519.fromPrivate(new Uint8Array(32).fill(7)).public;
  const report = { space, channel, posts, reason: 'spam', comment: '' } as const;
  return sealReport(report, [{ account, device: deviceId(1), dik }]);
}
