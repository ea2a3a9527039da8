/**
 * The keys against which a new device proves that it holds its DIK. Made anew each hour, in memory
 * only; the one before is still accepted. docs/protocol/devices.md §3
 */
import { type DhPair, equal, x25519 } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { Clock } from '../kit/clock.ts';

const hour = 3_600_000;

export interface Challenges {
  /** The public key of the present hour, 32 bytes. */
  current(): Uint8Array;
  /** Throws `challenge_expired` for one that is neither the present nor the last. */
  pairOf(challenge: Uint8Array): DhPair;
}

export function createChallenges(clock: Clock): Challenges {
  let pairs: { pair: DhPair; made: number }[] = [];

  function fresh(): { pair: DhPair; made: number }[] {
    const now = clock.now();
    pairs = pairs.filter(({ made }) => now - made < 2 * hour);
    const [newest] = pairs;
    if (newest === undefined || now - newest.made >= hour) {
      pairs.unshift({ pair: x25519.generate(), made: now });
    }
    return pairs;
  }

  return {
    current() {
      const [newest] = fresh();
      if (newest === undefined) throw new Error('a challenge was just made');
      return newest.pair.public;
    },
    pairOf(challenge) {
      const found = fresh().find(({ pair }) => equal(pair.public, challenge));
      if (found === undefined) throw new Fault('challenge_expired');
      return found.pair;
    },
  };
}
