/** A log that grows, and can lie: for tests of whoever witnesses it, or asks to be witnessed. */
import { createHash } from 'node:crypto';
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import { signCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { formatVkey, noteSigner } from '@island/protocol/transparency/note.ts';
import { leafHash, nodeHash } from '@island/protocol/transparency/tree.ts';
import {
  consistencyProof,
  type HashReader,
  rootAt,
} from '@island/protocol/transparency/tree-proofs.ts';
import { base64 } from '@island/protocol/wire/text.ts';

export interface TestLog {
  origin: string;
  vkey: string;
  root(size: number): Promise<Uint8Array>;
  /** Signed. */
  checkpoint(size: number): Promise<string>;
  proof(old: number, size: number): Promise<Uint8Array[]>;
  /** The body of an add-checkpoint request. */
  request(old: number, size: number): Promise<Uint8Array>;
  /** The same log to whoever asks, with other entries from `at` on. */
  fork(at: number): TestLog;
}

const key = (name: string) => ed25519.fromSeed(createHash('sha256').update(name).digest());

export const requestBody = (old: number, proof: readonly Uint8Array[], note: string): Uint8Array =>
  Buffer.from(`old ${old}\n${proof.map((hash) => `${base64(hash)}\n`).join('')}\n${note}`);

export function testLogOf(origin: string, entry = (n: number): string => `entry ${n}`): TestLog {
  const signer = noteSigner(origin, key(origin));
  const read: HashReader = async (level, index) =>
    level === 0
      ? leafHash(Buffer.from(entry(index)))
      : nodeHash(await read(level - 1, index * 2), await read(level - 1, index * 2 + 1));
  const root = (size: number) => rootAt(size, read);
  const proof = (old: number, size: number) =>
    old === 0 ? Promise.resolve([]) : consistencyProof(old, size, read);
  const checkpoint = async (size: number) =>
    signCheckpoint({ origin, size, root: await root(size) }, signer);
  return {
    origin,
    vkey: formatVkey(signer.vkey),
    root,
    checkpoint,
    proof,
    request: async (old, size) => requestBody(old, await proof(old, size), await checkpoint(size)),
    fork: (at) => testLogOf(origin, (n) => (n < at ? entry(n) : `other ${n}`)),
  };
}
