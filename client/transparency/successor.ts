/**
 * Going on with another log of the island, once the person here says so. docs/protocol/transparency.md §8.11
 *
 * What the old log proved goes; who people are stays. Their lists are signed, each names the one before, and none
 * that is older than the known one is taken from any log.
 */
import { equal, sha256 } from '@island/protocol/crypto/primitives.ts';
import { encodeOperator, operatorKinds } from '@island/protocol/transparency/leaves.ts';
import { noteFromBytes, parseVkey } from '@island/protocol/transparency/note.ts';
import { checkCheckpoint, parsePolicy } from '@island/protocol/transparency/policy.ts';
import { encodePredecessor, predecessorEntry } from '@island/protocol/transparency/predecessor.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { leafHash } from '@island/protocol/transparency/tree.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import type { SaidLog } from '@island/protocol/wire/routes.ts';
import { Problem } from '../problem.ts';
import type { Place, Storage } from '../storage/storage.ts';
import type { Transport } from '../transport/transport.ts';
import { type AnotherLog, follows } from './another-log.ts';
import { comparedNamespace } from './comparing.ts';
import { endedNamespace } from './ended.ts';
import { heardNamespace, toldNamespace } from './gossip.ts';
import { headPlace } from './head.ts';
import { latchPlace } from './latch.ts';
import { hashesOf, openLogFiles } from './log-files.ts';
import { provedNamesNamespace } from './names.ts';
import { pinsPlace, pinsRow } from './pins.ts';
import { provedNamespace } from './proved.ts';
import { vrfPlace } from './vrf-pin.ts';

/**
 * The person here has seen what it means: the other log is pinned, and all that the old one proved is forgotten.
 * Throws `log_unproved`, `unwitnessed`, `witnesses_dropped`, `log_differs` and what a call throws; then nothing has
 * changed.
 */
export async function goOnWith(
  storage: Storage,
  transport: Transport,
  another: AnotherLog,
  signal?: AbortSignal,
): Promise<void> {
  await checkBeginning(transport, another, signal);
  const { vkey, vrf, policy, policyNumber, policyEntry } = another.log;
  const row = await storage.read(pinsPlace.namespace, pinsPlace.key);
  const gone: Place[] = [vrfPlace, latchPlace, headPlace];
  for (const namespace of [
    ...[provedNamespace, provedNamesNamespace],
    ...[heardNamespace, toldNamespace, comparedNamespace, endedNamespace],
  ])
    for (const { key } of await storage.list(namespace)) gone.push({ namespace, key });
  await storage.commit({
    put: [pinsRow({ vkey, vrf, policy, policyNumber, policyEntry })],
    remove: gone,
    expect: [{ ...pinsPlace, version: row?.version ?? 0 }],
  });
}

/** That the other log is one: signed, witnessed if the known one was, and beginning as discovery says. */
async function checkBeginning(
  transport: Transport,
  another: AnotherLog,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { log, pins, head } = another;
  const policy = parsePolicy(log.policy);
  if (policy.quorum === undefined && parsePolicy(pins.policy).quorum !== undefined)
    throw new Problem('witnesses_dropped');
  const before = log.follows;
  if (head && before && follows(another) && before.size === head.size)
    if (!equal(before.root, head.root)) throw new Problem('log_differs');
  const files = openLogFiles(transport);
  const note = noteFromBytes(await files.read('checkpoint', signal));
  try {
    const options = { allowUnwitnessed: true, log: parseVkey(log.vkey) };
    const { checkpoint } = checkCheckpoint(policy, note, options);
    const read = hashesOf(files, checkpoint, signal);
    const hash = sha256(log.vrf);
    const entries = [
      { index: 1, entry: encodeOperator({ kind: operatorKinds.vrf, number: 1, hash }) },
      { index: log.policyEntry, entry: policyEntryOf(log) },
      ...(before ? [{ index: predecessorEntry, entry: encodePredecessor(before) }] : []),
    ];
    for (const { index, entry } of entries) {
      const there = index < checkpoint.size && (await read(0, index));
      if (!there || !equal(there, leafHash(entry))) throw new Problem('log_unproved');
    }
  } catch (cause) {
    if (!(cause instanceof TransparencyFault)) throw cause;
    const code = cause.code === 'quorum_missing' ? 'unwitnessed' : 'log_unproved';
    throw new Problem(code, {}, { cause });
  }
}

const policyEntryOf = ({ policy, policyNumber: number }: SaidLog): Uint8Array =>
  encodeOperator({ kind: operatorKinds.policy, number, hash: sha256(utf8Bytes(policy)) });
