/**
 * A witness with its own handler and database in a process of its own (witness-measured.ts), asked over the bus by many
 * logs at once: as fast as it answers, and at a rate that they decide. Every log has a million entries that are all alike, so that a proof is as long as a real one and
 * costs whoever asks nothing.
 */
import { join } from 'node:path';
import { ed25519, sha256 } from '@island/protocol/crypto/primitives.ts';
import { signCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { formatVkey, noteSigner } from '@island/protocol/transparency/note.ts';
import { leafHash, nodeHash } from '@island/protocol/transparency/tree.ts';
import {
  consistencyProof,
  type HashReader,
  rootAt,
} from '@island/protocol/transparency/tree-proofs.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { witness } from '@island/services/witness/contract.ts';
import { requestBody } from '@island/services/witness/testing/log.ts';
import { atRate } from './at-rate.ts';
import { quantile } from './load.ts';
import { type MeasuredProcess, startMeasured } from './measured-process.ts';

const logs = 64;
const firstSize = 1_000_000;
export const witnessRate = 250;

export interface WitnessFigures {
  /** Requests answered each second by the clock, and for a second of CPU. */
  perSecond: number;
  perCpu: number;
  /** Milliseconds at `witnessRate`. */
  p50: number;
  p99: number;
}

/** @param rounds requests of each log */
export async function witnessLoad(rounds: number, seconds: number): Promise<WitnessFigures> {
  const program = join(import.meta.dirname, 'witness-measured.ts');
  await using measured = await startMeasured(program, [], witness);
  const paced = Math.ceil((witnessRate * seconds) / logs);
  const requests = await requestsOf(measured, 1 + rounds + paced);
  const add = async (log: number, at: number): Promise<void> => {
    const body = requests[log]?.[at] ?? new Uint8Array(0);
    const { status } = await measured.bus.call(witness, 'addCheckpoint', { body });
    if (status !== 200) throw new Error(`a witness answered ${status}`);
  };
  const all = Array.from({ length: logs }, (_, log) => log);
  await Promise.all(all.map((log) => add(log, 0)));
  const cpu = Number(await measured.ask('cpu'));
  const since = performance.now();
  await Promise.all(
    all.map(async (log) => {
      for (let at = 1; at <= rounds; at++) await add(log, at);
    }),
  );
  const took = (performance.now() - since) / 1000;
  const spent = Number(await measured.ask('cpu')) - cpu;
  // A log asks again when it was answered: one in 64 requests is of the same log.
  const before = all.map(() => Promise.resolve());
  const latencies = await atRate(witnessRate, seconds, (at) => {
    const log = at % logs;
    const done = (before[log] ?? Promise.resolve()).then(() =>
      add(log, 1 + rounds + Math.floor(at / logs)),
    );
    before[log] = done;
    return done;
  });
  return {
    perSecond: (logs * rounds) / took,
    perCpu: (logs * rounds) / spent,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
  };
}

/** Bodies of each log, one entry further each time; the witness trusts all of them. */
async function requestsOf({ ask }: MeasuredProcess, count: number): Promise<Uint8Array[][]> {
  const alike: Uint8Array[] = [leafHash(utf8Bytes('entry'))];
  const read: HashReader = async (level) => {
    for (let last = alike.at(-1); alike.length <= level && last; last = alike.at(-1))
      alike.push(nodeHash(last, last));
    return alike[level] ?? new Uint8Array(0);
  };
  const steps = [];
  for (let at = 0; at < count; at++) {
    const size = firstSize + at;
    const old = at === 0 ? 0 : size - 1;
    steps.push({
      ...{ size, old, root: await rootAt(size, read) },
      proof: old === 0 ? [] : await consistencyProof(old, size, read),
    });
  }
  const bodies: Uint8Array[][] = [];
  for (let log = 0; log < logs; log++) {
    const origin = `log.example/${log}`;
    const signer = noteSigner(origin, ed25519.fromSeed(sha256(utf8Bytes(origin))));
    await ask('trust', formatVkey(signer.vkey));
    bodies.push(
      steps.map(({ size, old, root, proof }) =>
        requestBody(old, proof, signCheckpoint({ origin, size, root }, signer)),
      ),
    );
  }
  return bodies;
}
