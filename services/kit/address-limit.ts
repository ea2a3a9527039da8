/** So many requests from one address, of which only a keyed hash is held, in memory. docs/protocol/limits.md §2 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { openOrigin } from './origin.ts';
import { TokenBuckets } from './token-buckets.ts';

/** Addresses whose buckets are held at once. */
const keys = 50_000;

/** Refuses an address that asks too often: `rate_limited` with the seconds to wait. */
export function addressLimit(rate: {
  perSecond: number;
  burst: number;
}): (address: string | undefined) => void {
  const origin = openOrigin();
  const buckets = new TokenBuckets({ ...rate, keys });
  return (address) => {
    const key = Buffer.from(origin(address ?? '')).toString('base64');
    const seconds = buckets.take(key, performance.now());
    if (seconds > 0) throw new Fault('rate_limited', { seconds });
  };
}
