/** What control asks of the log's witnesses and of its policy. docs/operations.md §8 */
import { formatVkey } from '@island/protocol/transparency/note.ts';
import { parsePolicy } from '@island/protocol/transparency/policy.ts';
import type { Bus } from '../kit/bus.ts';
import { requestFor, takeSignatures } from './carried.ts';
import { directory } from './contract.ts';
import type { DirectoryStore } from './database.ts';
import type { DirectoryLog } from './log/log.ts';
import { hearNewer, requestOfMember, takeFromMember } from './member-calls.ts';
import { knownSizes, presentPolicies, setPolicy } from './policies.ts';
import type { Witnesses } from './witnesses.ts';

export function answerPolicies(parts: {
  bus: Bus;
  store: DirectoryStore;
  witnesses: Witnesses;
  keyLog: DirectoryLog;
}): void {
  const { bus, store, witnesses, keyLog } = parts;
  bus.handle(directory, 'policy', async () => {
    const { present, pending } = await presentPolicies(store);
    return { ...(present ?? { number: 0, text: '' }), ...(pending && { pending }) };
  });
  bus.handle(directory, 'setPolicy', async (asked) => {
    const { vkey } = keyLog.keys;
    const present = () => keyLog.submission();
    const number = await setPolicy({ store, vkey, witnesses, present }, asked);
    keyLog.wake();
    return { number };
  });
  const carried = {
    ...{ store, witnesses, known: knownSizes(store) },
    published: () => keyLog.submission(),
    waiting: () => keyLog.waiting(),
    cosigned: keyLog.cosigned,
  };
  bus.handle(directory, 'witnessRequest', (asked) => requestFor(carried, asked));
  bus.handle(directory, 'takeSignatures', async (asked) => ({
    taken: await takeSignatures(carried, asked),
  }));
  // Another log may take over.
  const members = () => ({ ...carried, vkey: keyLog.keys.vkey });
  bus.handle(directory, 'memberRequest', (asked) => requestOfMember(members(), asked));
  bus.handle(directory, 'memberSignature', async (asked) => {
    await takeFromMember(members(), asked);
    return {};
  });
  bus.handle(directory, 'memberNewest', async (asked) => {
    await hearNewer(members(), asked);
    return {};
  });
  bus.handle(directory, 'witnesses', async () => {
    const { present } = await presentPolicies(store);
    const rows = await store.rows<{ vkey: string; size: number; signed: number }>(
      'SELECT vkey, size, signed FROM witness_sizes',
    );
    const shown = parsePolicy(present?.text ?? 'quorum none').witnesses.map(
      ({ name, vkey, url }) => {
        const text = formatVkey(vkey);
        const { size = 0, signed = 0 } = rows.find((row) => row.vkey === text) ?? {};
        const state = witnesses.state(text);
        return {
          ...{ name, vkey: text, size, signed, ...(url && { url }) },
          ...(state === undefined ? { silent: true } : {}),
          ...(state?.problem && { problem: state.problem }),
        };
      },
    );
    return { ...keyLog.standing(), witnesses: shown };
  });
}
