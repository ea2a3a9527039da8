/** Vectors of a session's messages: turns, reordering, and what is refused. docs/protocol/ratchet.md §5 to §8 */

import { CryptoFault } from '../crypto/crypto-fault.ts';
import { equal } from '../crypto/primitives.ts';
import { pi1 } from '../crypto/ratchet-message.ts';
import type { RatchetHeader } from '../crypto/ratchet-profile.ts';
import type { SessionTools } from '../crypto/session.ts';
import type { PeerSessions } from '../crypto/sessions.ts';
import { utf8Bytes } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { SampleDevice, toolsOver } from './sample-device.ts';
import { seededRandom } from './seeded.ts';
import { changed, type VectorFile } from './vector-file.ts';

/** 2026-01-01, ms: no byte of a message depends on it. */
const start = 1_767_225_600_000;

/** What a message was sealed with. */
interface Sealed {
  messageKey: Uint8Array;
  headerKey: Uint8Array;
  header: RatchetHeader;
}

export const vectors: VectorFile = {
  name: 'ratchet',
  document: 'docs/protocol/ratchet.md §5, §6, §7, §8',
  make() {
    const random = seededRandom('ratchet');
    const alice = new SampleDevice('a', 1, random);
    const bob = new SampleDevice('b', 2, random);
    const sealed: Sealed[] = [];
    const drawn: Uint8Array[] = [];
    const recorded = (length: number) => {
      const bytes = random(length);
      drawn.push(bytes);
      return bytes;
    };
    const tools: SessionTools = {
      ...toolsOver(recorded),
      profile: {
        ...pi1,
        seal(messageKey, headerKey, header, ...rest) {
          sealed.push({ messageKey, headerKey, header });
          return pi1.seal(messageKey, headerKey, header, ...rest);
        },
      },
    };
    const options = { tools, random: recorded };
    const a = alice.with(bob, options);
    const b = bob.with(alice, options);
    const prekeys = bob.bundle();
    const privatePrekeys = {
      signed: bob.signed(prekeys.signed.id)?.private,
      pqSeed: bob.pq('one-time', prekeys.pq.id)?.private,
      oneTime: bob.oneTime(prekeys.oneTime?.id ?? 0)?.private,
    };
    a.start(prekeys, start);
    const [ekPrivate, encapsulationRandomness] = drawn.splice(0);

    const messages: object[] = [];
    function seal(from: 'a' | 'b', words: string): Uint8Array {
      const sessions = from === 'a' ? a : b;
      drawn.length = 0;
      const plaintext = utf8Bytes(words);
      const { message } = sessions.encrypt(plaintext, start);
      // A ratchet key, when this message turns, then the header nonce.
      const [first, second] = drawn;
      messages.push({
        from,
        plaintext,
        ratchetKeyPrivate: second && first,
        nonce: second ?? first,
        ...sealed.at(-1),
        message,
      });
      return message;
    }
    function open(
      to: PeerSessions,
      device: SampleDevice,
      message: Uint8Array,
      words: string,
    ): void {
      const opened = to.decrypt(message, start, device);
      if (!equal(opened.plaintext, utf8Bytes(words)))
        throw new Error(`${words}: opened to something else`);
      device.commit(opened);
    }

    const first = seal('a', 'first');
    const second = seal('a', 'second, opened before the first');
    open(b, bob, second, 'second, opened before the first');
    open(b, bob, first, 'first');
    open(a, alice, seal('b', 'an answer: Bob turns'), 'an answer: Bob turns');
    const late = seal('a', 'late');
    const lost = seal('a', 'Alice turns; the one before is late');
    open(b, bob, lost, 'Alice turns; the one before is late');
    open(a, alice, seal('b', ''), '');
    open(b, bob, seal('a', 'another turn'), 'another turn');
    open(b, bob, late, 'late');
    const next = seal('a', 'what is refused below');

    const refuse = (why: string, bytes: Uint8Array) => ({
      why,
      bytes,
      fault: codeOf(() => b.decrypt(bytes, start, bob)),
    });
    return {
      note: 'Bob opens the second message before the first, and `late` last of all.',
      alice: {
        ...alice.own,
        dik: { private: alice.own.dik.private, public: alice.own.dik.public },
      },
      bob: { ...bob.own, dik: { private: bob.own.dik.private, public: bob.own.dik.public } },
      prekeys,
      privatePrekeys,
      ekPrivate,
      encapsulationRandomness,
      sessionId: a.sessionIds()[0],
      messages,
      refusedByBob: [
        refuse('opened before', lost),
        refuse('a first message whose session is there', first),
        refuse('another session', changed(next, 2, (next[2] ?? 0) ^ 1)),
        refuse('a damaged header', changed(next, 50, (next[50] ?? 0) ^ 1)),
        refuse('a damaged commitment', changed(next, 110, (next[110] ?? 0) ^ 1)),
        refuse('a damaged body', changed(next, -1, (next.at(-1) ?? 0) ^ 1)),
        refuse('too short', next.subarray(0, 100)),
        refuse('an unknown version', changed(next, 0, 2)),
        refuse('an unknown type', changed(next, 1, 0x43)),
      ],
      storedByAlice: a.snapshot(5).bytes,
      storedByBob: b.encode(),
    };
  },
};

/** The code of the fault, of either kind, that `work` throws. */
function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof Fault || error instanceof CryptoFault) return error.code;
    throw error;
  }
  throw new Error('not refused');
}
