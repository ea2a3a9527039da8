/**
 * What the island wants signed before it gives a session. docs/protocol/accounts.md §4
 *
 * A nonce is good once and for two minutes; a machine that slept on the way asks for another.
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { call, type Transport } from '../transport/transport.ts';

const tries = 3;

/** Repeats `work` with another nonce when the island says that this one, or a challenge asked for in `work`, has lapsed. */
export async function withNonce<T>(
  transport: Transport,
  work: (nonce: Uint8Array) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (let left = tries - 1; ; left--) {
    const { nonce } = await call(transport, 'nonce', {}, signal ? { signal } : {});
    try {
      return await work(nonce);
    } catch (error) {
      const lapsed = error instanceof Fault && error.code === 'challenge_expired';
      if (!lapsed || left === 0) throw error;
    }
  }
}
