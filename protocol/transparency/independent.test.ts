/** What others make of our notes and proofs: the verifier of sigstore, node:crypto alone. */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { verifyCheckpoint } from '@sigstore/verify/dist/tlog/checkpoint.js';
import { verifyMerkleInclusion } from '@sigstore/verify/dist/tlog/merkle.js';
import t from 'tap';
import { signCheckpoint } from './checkpoint.ts';
import { parseNote } from './note.ts';
import { logNamed, mldsaWitnessNamed, witnessNamed } from './testing/keys.ts';
import { sampleLog } from './testing/sample-log.ts';
import { verifyInclusion } from './tree.ts';
import { inclusionProof } from './tree-proofs.ts';

const most = 40;
const log = sampleLog(most);
const signer = logNamed('log.example');

type Entry = Parameters<typeof verifyMerkleInclusion>[0];
type Authority = Parameters<typeof verifyCheckpoint>[1][number];

/** The entry of a log as sigstore has it; what its verifier does not read is left out. */
const entryOf = (body: Uint8Array, index: number, proof: readonly Uint8Array[], envelope: string) =>
  ({
    canonicalizedBody: Buffer.from(body),
    inclusionProof: {
      logIndex: String(index),
      hashes: proof.map((hash) => Buffer.from(hash)),
      checkpoint: { envelope },
    },
  }) as unknown as Entry;

const raw = (type: 'ed25519' | 'ml-dsa-44', key: Uint8Array) =>
  createPublicKey({ key, format: 'raw-public', asymmetricKeyType: type } as unknown as string);

/** sigstore looks a log up by the beginning of its id, which for C2SP is the key id. */
const authority = {
  logID: Buffer.concat([signer.vkey.keyId, Buffer.alloc(28)]),
  baseURL: 'log.example',
  publicKey: raw('ed25519', signer.vkey.key),
} as unknown as Authority;

t.test('K1: @sigstore/verify accepts our checkpoints and inclusion proofs', async (t) => {
  for (let size = 1; size <= most; size++) {
    const root = log.root(size);
    const note = signCheckpoint({ origin: 'log.example', size, root }, signer);
    for (let index = 0; index < size; index++) {
      const body = log.entries[index] ?? root;
      const entry = entryOf(body, index, await inclusionProof(index, size, log.read), note);
      const checkpoint = verifyCheckpoint(entry, [authority]);
      if (checkpoint.logSize !== BigInt(size)) t.fail(`size ${size}`);
      verifyMerkleInclusion(entry, checkpoint);
    }
  }
  t.pass('all of them');
});

t.test('K1: @sigstore/verify and we refuse the same bent proofs', async (t) => {
  const refuses = (work: () => void): boolean => {
    try {
      work();
      return false;
    } catch {
      // Whatever it says, it is not accepted.
      return true;
    }
  };
  let refusals = 0;
  for (const [index, size] of [
    [0, 1],
    [6, 7],
    [12, 33],
    [31, 32],
    [39, 40],
  ] as const) {
    const root = log.root(size);
    const note = signCheckpoint({ origin: 'log.example', size, root }, signer);
    const proof = await inclusionProof(index, size, log.read);
    const leaf = log.leaves[index] ?? root;
    const bent = proof.map((_, i) => proof.map((hash, k) => (k === i ? leaf : hash)));
    for (const shown of [proof, ...bent, [...proof, root], proof.slice(1)]) {
      for (const at of [index, index + 1, Math.max(0, index - 1)]) {
        const entry = entryOf(log.entries[index] ?? root, at, shown, note);
        const theirs = refuses(() =>
          verifyMerkleInclusion(entry, verifyCheckpoint(entry, [authority])),
        );
        const ours = refuses(() => verifyInclusion({ leaf, index: at, size, proof: shown, root }));
        t.equal(ours, theirs, `${index} of ${size} shown as ${at}`);
        if (ours) refusals++;
      }
    }
    const forged = note.replace(`\n${size}\n`, `\n${size + 1}\n`);
    t.throws(() => verifyCheckpoint(entryOf(leaf, index, proof, forged), [authority]));
  }
  t.ok(refusals > 50, `${refusals} refusals`);
});

t.test(
  'K1: cosignatures verify with node:crypto alone, over bytes put together by hand',
  async (t) => {
    const root = log.root(most);
    const { text } = parseNote(signCheckpoint({ origin: 'log.example', size: most, root }, signer));
    const time = 1_700_000_000;
    const ed = witnessNamed('w.example').cosign(text, time).signature;
    const lines = Buffer.from(`cosignature/v1\ntime ${time}\n${text}`);
    const edKey = raw('ed25519', witnessNamed('w.example').vkey.key);
    t.ok(verify(null, lines, edKey, ed.subarray(8)));
    t.equal(Buffer.from(ed).readBigUInt64BE(), BigInt(time));

    const mldsa = mldsaWitnessNamed('w.example');
    const { keyId, signature } = mldsa.cosign(text, time);
    const u64 = (value: number) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64BE(BigInt(value));
      return bytes;
    };
    const var8 = (name: string) => Buffer.from([name.length, ...Buffer.from(name)]);
    const message = Buffer.concat([
      ...[Buffer.from('subtree/v1\n\0'), var8('w.example'), u64(time), var8('log.example')],
      ...[u64(0), u64(most), root],
    ]);
    t.ok(verify(null, message, raw('ml-dsa-44', mldsa.vkey.key), signature.subarray(8)));
    const id = createHash('sha256').update('w.example\n\x06').update(mldsa.vkey.key).digest();
    t.same(Buffer.from(keyId), id.subarray(0, 4));
  },
);
