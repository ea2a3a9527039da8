/**
 * The policies of the log: who its witnesses are, as numbered texts of c2sp.org/tlog-policy. Each is an OPERATOR
 * entry of the epoch after it was set; that epoch is published when the policy before and this one are both
 * satisfied. docs/protocol/transparency.md §7
 *
 * Invariants: a log that has had witnesses keeps at least one. A policy is taken only when its witnesses have signed
 * the present checkpoint: one that nobody can satisfy would stand in the way of every epoch behind it.
 */
import { formatVkey } from '@island/protocol/transparency/note.ts';
import { formatPolicy, type Policy, parsePolicy } from '@island/protocol/transparency/policy.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { DirectoryStore } from './database.ts';
import { countsTwice } from './policy-operators.ts';
import { fitsAnswers } from './policy-size.ts';
import type { Submission } from './witness-ask.ts';
import { isWitnessUrl } from './witness-door.ts';
import type { KnownSizes, Witnesses } from './witnesses.ts';

export interface NumberedPolicy {
  number: number;
  text: string;
}

/** How the witness at an address is known, where no root of the system vouches for it. */
export interface WitnessRoot {
  url: string;
  /** SHA-256 of the root certificate (DER). */
  ca: Uint8Array;
}

/** The newest that was published, and the one that waits for its epoch. */
export async function presentPolicies(
  store: Pick<DirectoryStore, 'rows'>,
): Promise<{ present: NumberedPolicy | undefined; pending: NumberedPolicy | undefined }> {
  const rows = await store.rows<NumberedPolicy & { published: number } & Record<string, unknown>>(
    'SELECT number, text, published FROM policies ORDER BY number DESC LIMIT 2',
  );
  const shown = (published: number) => {
    const found = rows.find((row) => row.published === published);
    return found && { number: found.number, text: found.text };
  };
  return { present: shown(1), pending: shown(0) };
}

export const knownSizes = (store: DirectoryStore): KnownSizes => ({
  async size(vkey) {
    const [row] = await store.rows<{ size: number }>(
      'SELECT size FROM witness_sizes WHERE vkey = ?',
      [vkey],
    );
    return row?.size ?? 0;
  },
  async learn(vkey, size, signed) {
    await store.write((_db, sql) =>
      sql.run(
        `INSERT INTO witness_sizes (vkey, size, signed) VALUES (?, ?, ?)
         ON CONFLICT (vkey) DO UPDATE SET size = max(size, excluded.size), signed = max(signed, excluded.signed)`,
        [vkey, size, signed],
      ),
    );
  },
  async carry(vkey, size, signature) {
    await store.write((_db, sql) =>
      sql.run(
        `INSERT INTO carried_signatures (vkey, size, signature) VALUES (?, ?, ?)
         ON CONFLICT (vkey) DO UPDATE SET size = excluded.size, signature = excluded.signature`,
        [vkey, size, signature],
      ),
    );
  },
  async carried(vkey, size) {
    const [row] = await store.rows<{ signature: Buffer }>(
      'SELECT signature FROM carried_signatures WHERE vkey = ? AND size = ?',
      [vkey, size],
    );
    return row?.signature;
  },
  async root(url) {
    const [row] = await store.rows<{ ca: Buffer | null }>(
      'SELECT ca FROM witness_doors WHERE url = ?',
      [url],
    );
    return row?.ca ?? undefined;
  },
});

/** Milliseconds for the witnesses of a new policy to sign the present checkpoint: less than a caller on the bus waits. */
const patience = 4000;

export interface PolicyParts {
  store: DirectoryStore;
  /** The log's verifier key. */
  vkey: string;
  witnesses: Witnesses;
  /** The newest checkpoint that was published. */
  present(): Submission;
}

/**
 * @param after the number of the policy that whoever asks has seen
 * @returns the number of the new one
 * @throws malformed, policy_moved, policy_weaker, policy_large, policy_doubled, policy_unmet: nothing was changed
 */
export async function setPolicy(
  { store, vkey, witnesses, present }: PolicyParts,
  asked: { after: number; text: string; roots: readonly WitnessRoot[] },
): Promise<number> {
  const policy = readPolicy(asked.text, vkey);
  await checkOrder(store, policy, asked.after);
  const number = asked.after + 1;
  const signal = AbortSignal.timeout(patience);
  try {
    const roots = new Map(asked.roots.map(({ url, ca }) => [url, ca]));
    await witnesses.gather(present(), { policies: [policy], signal, roots });
  } catch (error) {
    if (signal.aborted) throw new Fault('policy_unmet', undefined, { cause: error });
    throw error;
  }
  await store.write(async (_db, sql) => {
    // Somebody else may have been here while the witnesses were asked.
    await checkOrder(sql, policy, asked.after);
    await sql.run('INSERT INTO policies (number, text, published) VALUES (?, ?, 0)', [
      number,
      formatPolicy(policy),
    ]);
    for (const { url, ca } of asked.roots)
      await sql.run(
        `INSERT INTO witness_doors (url, ca) VALUES (?, ?)
         ON CONFLICT (url) DO UPDATE SET ca = excluded.ca`,
        [url, ca],
      );
  });
  return number;
}

/** A policy of this log and of no other, whose witnesses have addresses that can be asked, or none. */
function readPolicy(text: string, vkey: string): Policy {
  try {
    const policy = parsePolicy(text);
    const logs = policy.logs.map((log) => formatVkey(log.vkey));
    const reachable = policy.witnesses.every(({ url }) => url === undefined || isWitnessUrl(url));
    if (logs.length === 1 && logs[0] === vkey && reachable) return policy;
  } catch (error) {
    if (!(error instanceof TransparencyFault)) throw error;
  }
  throw new Fault('malformed');
}

async function checkOrder(
  store: Pick<DirectoryStore, 'rows'>,
  policy: Policy,
  after: number,
): Promise<void> {
  const { present, pending } = await presentPolicies(store);
  if (pending !== undefined || present?.number !== after) throw new Fault('policy_moved');
  const before = parsePolicy(present.text);
  if (before.quorum !== undefined && policy.quorum === undefined) throw new Fault('policy_weaker');
  if (!fitsAnswers(before, policy)) throw new Fault('policy_large');
  if (countsTwice(policy)) throw new Fault('policy_doubled');
}
