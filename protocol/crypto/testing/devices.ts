/** Two devices that talk with each other, and what tests ask about them. */
import { SampleDevice } from '../../vectors/sample-device.ts';
import { utf8Bytes } from '../../wire/bytes.ts';
import type { HandshakeSuite } from '../handshake.ts';
import type { PeerSessions } from '../sessions.ts';

export const day = 86_400_000;
/** 2026-01-01, ms. */
export const start = 1_767_225_600_000;

/** The handshake without its post-quantum part. PI/1 never speaks it; it is here to be refused. */
export const x3dh: HandshakeSuite = { label: 'PI/1/X3DH', pq: false };

export interface Line {
  readonly alice: SampleDevice;
  readonly bob: SampleDevice;
  /** Alice's sessions with Bob. */
  readonly a: PeerSessions;
  /** Bob's sessions with Alice. */
  readonly b: PeerSessions;
}

/** Two devices; with `established`, Alice has begun a session and Bob has answered. */
export function line(established = true): Line {
  const alice = new SampleDevice('a', 1);
  const bob = new SampleDevice('b', 1);
  const made = { alice, bob, a: alice.with(bob), b: bob.with(alice) };
  if (!established) return made;
  made.a.start(bob.bundle(), start);
  bob.commit(made.b.decrypt(made.a.encrypt(utf8Bytes('hello'), start).message, start, bob));
  made.a.decrypt(made.b.encrypt(utf8Bytes('hello yourself'), start).message, start, alice);
  return made;
}

/** The code of the fault that `work` throws; 'none' if it does not. */
export function codeOf(work: () => unknown): string {
  try {
    work();
    return 'none';
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    return typeof code === 'string' ? code : String(error);
  }
}
