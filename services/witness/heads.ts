/**
 * The newest checkpoint of each log, compared and set in the transaction that keeps what is signed: a witness never
 * signs two roots for one size. docs/protocol/transparency.md §7
 *
 * Invariant: a signature leaves this file after the commit of the head that it is for, and only then.
 * What was signed within this second already is said again without a write: a flood of one request costs no disk.
 */
import { equal } from '@island/protocol/crypto/primitives.ts';
import type { Checkpoint } from '@island/protocol/transparency/checkpoint.ts';
import type { Cosigner } from '@island/protocol/transparency/cosignature.ts';
import {
  formatNote,
  type NoteSignature,
  parseNote,
  sameKeyId,
} from '@island/protocol/transparency/note.ts';
import { type Clock, unixSeconds } from '../kit/clock.ts';
import { groupCommit, type Outcome } from '../kit/group-commit.ts';
import type { Statements } from '../kit/store-handle.ts';
import type { WitnessStore } from './database.ts';
import { type Head, idOf, type Rows } from './logs.ts';
import type * as schema from './schema.ts';

/** A checkpoint whose proof was checked against what was the newest one then. */
export interface Proved {
  checkpoint: Checkpoint;
  /** Its text, and the signatures of the log. */
  text: string;
  signatures: readonly NoteSignature[];
  /** What the proof leads on from, as it was read outside of any transaction. */
  from: Head;
}

/** Our signatures; or, where another request was first, the size of the newest checkpoint now. */
export type Cosigned = { signatures: readonly NoteSignature[] } | { size: number } | 'unknown';

export interface Heads {
  /**
   * Resolves after the commit.
   * @throws UnopenedRecord for a row that was changed; storage_full, unavailable: nothing was signed
   */
  cosign(proved: Proved): Promise<Cosigned>;
}

export function openHeads(parts: {
  store: WitnessStore;
  rows: Rows;
  clock: Clock;
  cosigners: readonly Cosigner[];
}): Heads {
  const { store, rows, clock, cosigners } = parts;

  /** What is kept for this very checkpoint, as long as a signature of now would say nothing newer. */
  function kept({ size, root }: Checkpoint, head: Head): readonly NoteSignature[] | undefined {
    const same = head.size === size && equal(head.root, root);
    if (!same || head.signed === 0 || head.signed < unixSeconds(clock)) return undefined;
    const { signatures } = parseNote(head.note);
    const ours = cosigners.flatMap(
      ({ vkey }) =>
        signatures.find(({ name, keyId }) => name === vkey.name && sameKeyId(keyId, vkey.keyId)) ??
        [],
    );
    return ours.length === cosigners.length ? ours : undefined;
  }

  async function one(proved: Proved, sql: Statements): Promise<Outcome<Cosigned>> {
    const { checkpoint, text, signatures, from } = proved;
    const { origin, size, root } = checkpoint;
    const row = await rows.find(sql, idOf(origin));
    if (!row?.log.trusted) return { result: 'unknown' };
    const { head } = row;
    if (head.size !== from.size || !equal(head.root, from.root))
      return { result: { size: head.size } };
    const before = kept(checkpoint, head);
    if (before !== undefined) return { result: { signatures: before } };
    // "As of this time, the largest": a clock that was put back must not deny what was signed before.
    const signed = Math.max(unixSeconds(clock), head.signed);
    const ours = await Promise.all(cosigners.map((cosigner) => cosigner.cosignAside(text, signed)));
    const note = formatNote({ text, signatures: [...signatures, ...ours] });
    await rows.put(sql, { log: row.log, head: { size, root, signed, note } });
    return { result: { signatures: ours } };
  }

  const writes = groupCommit<typeof schema, Proved, Cosigned>(store, {
    prepare: () => rows.ready(),
    async apply(group, _db, sql) {
      // Logs at once, for their signatures take the time; of one log one after the other.
      const turns = new Map<string, Promise<Outcome<Cosigned>>>();
      const each = group.map((proved) => {
        const { origin } = proved.checkpoint;
        const turn = (turns.get(origin) ?? Promise.resolve()).then(() => one(proved, sql));
        turns.set(origin, turn);
        return turn;
      });
      // Nothing writes any more when a failure undoes the transaction.
      await Promise.allSettled(each);
      return Promise.all(each);
    },
    mostItems: 64,
    mostWaiting: 1024,
  });
  return {
    async cosign(proved) {
      // What was read is committed.
      const signatures = kept(proved.checkpoint, proved.from);
      return signatures === undefined ? writes.add(proved) : { signatures };
    },
  };
}
