/**
 * A group of appends and erasures in one transaction, in the order in which they came. Each is done
 * whole or not at all; its fault is its own. docs/decisions/062-archive.md
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import type { Outcome } from '../kit/group-commit.ts';
import type { Statements } from '../kit/store-handle.ts';
import type { Seal } from './sealed-segments.ts';

export type Write =
  | {
      kind: 'append';
      account: AccountId;
      seq: number;
      hash: Uint8Array;
      prevHash: Uint8Array;
      listEpoch: number;
      arkEpoch: number;
      bytes: Uint8Array;
    }
  | { kind: 'erase'; account: AccountId; listEpoch: number }
  | { kind: 'end'; account: AccountId };
type Append = Extract<Write, { kind: 'append' }>;

type Head = Readonly<{
  account: AccountId;
  chain: number;
  seq: number;
  hash: Uint8Array;
  bytes: number;
  listEpoch: number;
  arkEpoch: number;
}>;

const zeros = new Uint8Array(32);

/** @param most bytes of one archive */
export async function apply(
  writes: readonly Write[],
  sql: Statements,
  most: number,
  seal: Seal,
): Promise<Outcome<undefined>[]> {
  const outcomes: Outcome<undefined>[] = [];
  for (const write of writes) {
    const head = await headOf(write.account, sql);
    const fault = write.kind === 'append' ? refusal(write, head, most) : undefined;
    if (fault !== undefined) {
      outcomes.push({ fault });
      continue;
    }
    if (write.kind === 'end') await end(head, sql);
    else if (write.kind === 'erase') await erase(head, write.listEpoch, sql);
    else if (!isNewest(write, head)) await append(write, head, sql, seal);
    outcomes.push({ result: undefined });
  }
  return outcomes;
}

async function headOf(account: AccountId, sql: Statements): Promise<Head> {
  const [row] = await sql.rows<Omit<Head, 'account'>>(
    `SELECT chain, seq, hash, bytes, list_epoch AS listEpoch, ark_epoch AS arkEpoch
     FROM heads WHERE account = ?`,
    [account],
  );
  const none = { chain: 1, seq: 0, hash: zeros, bytes: 0, listEpoch: 0, arkEpoch: 0 };
  return { account, ...(row ?? none) };
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

const isNewest = (given: Append, head: Head): boolean =>
  given.seq === head.seq && same(given.hash, head.hash);

function refusal(given: Append, head: Head, most: number): Fault | undefined {
  if (isNewest(given, head)) return undefined;
  if (given.seq !== head.seq + 1 || !same(given.prevHash, head.hash))
    return new Fault('archive_moved', { seq: head.seq });
  // A reader refuses a chain whose epochs fall: no device may spoil it that has not heard of the newest list yet.
  if (given.listEpoch < head.listEpoch) return new Fault('stale_list');
  if (given.arkEpoch < head.arkEpoch) return new Fault('stale_record');
  if (head.bytes + given.bytes.length > most) return new Fault('archive_full');
  return undefined;
}

async function append(given: Append, head: Head, sql: Statements, seal: Seal): Promise<void> {
  const { account, chain } = head;
  const { seq, hash, listEpoch, arkEpoch, bytes } = given;
  await sql.run('INSERT INTO segments (account, chain, seq, bytes) VALUES (?, ?, ?, ?)', [
    account,
    chain,
    seq,
    seal(account, chain, seq, bytes),
  ]);
  await put(
    { account, chain, seq, hash, bytes: head.bytes + bytes.length, listEpoch, arkEpoch },
    sql,
  );
}

/** Of an archive that is empty already only the epoch can rise: repeated, it does nothing more. */
async function erase(head: Head, least: number, sql: Statements): Promise<void> {
  const { account } = head;
  const listEpoch = Math.max(least, head.listEpoch);
  let { chain } = head;
  if (head.seq > 0) {
    await sql.run('INSERT INTO erased (account, chain) VALUES (?, ?)', [account, chain]);
    chain += 1;
  }
  const { arkEpoch } = head;
  await put({ account, chain, seq: 0, hash: zeros, bytes: 0, listEpoch, arkEpoch }, sql);
}

/** What is left is being deleted, and belongs to nobody who could come back: no account has that id again. */
async function end({ account, chain, seq }: Head, sql: Statements): Promise<void> {
  if (seq > 0) await sql.run('INSERT INTO erased (account, chain) VALUES (?, ?)', [account, chain]);
  await sql.run('DELETE FROM heads WHERE account = ?', [account]);
}

async function put(head: Head, sql: Statements): Promise<void> {
  const { account, chain, seq, hash, bytes, listEpoch, arkEpoch } = head;
  await sql.run(
    `INSERT INTO heads (account, chain, seq, hash, bytes, list_epoch, ark_epoch)
     VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (account) DO UPDATE SET chain = excluded.chain, seq = excluded.seq,
       hash = excluded.hash, bytes = excluded.bytes, list_epoch = excluded.list_epoch,
       ark_epoch = excluded.ark_epoch`,
    [account, chain, seq, hash, bytes, listEpoch, arkEpoch],
  );
}
