import t from 'tap';
import { mldsa44 } from '../crypto/primitives.ts';
import { addCheckpointBody, parseAddCheckpoint } from './add-checkpoint.ts';
import { mldsaCosigner } from './cosignature.ts';
import { isMemberWitness, memberCosigner, memberVkeyMax, witnessClass } from './member-witness.ts';
import { formatVkey, keyTypes, makeVkey, parseVkey } from './note.ts';

const origin = `pi-kt/${'a'.repeat(26)}`;
const { vkey } = memberCosigner(origin, new Uint8Array(32).fill(1));

t.test('K1: the name of a member witness is made of its key and the log alone', async (t) => {
  t.match(vkey.name, /^pi-kt\/a{26}\/member\/[a-z2-7]{26}$/);
  t.equal(vkey.type, keyTypes.cosignature);
  t.ok(formatVkey(vkey).length <= memberVkeyMax);
  t.equal(isMemberWitness(parseVkey(formatVkey(vkey))), true);
  const other = memberCosigner(origin, new Uint8Array(32).fill(2)).vkey;
  t.not(other.name, vkey.name);
  const posing = makeVkey(vkey.name, keyTypes.cosignature, other.key);
  t.equal(isMemberWitness(posing), false, 'the name of another key');
  const named = makeVkey(`${origin}/member/alice`, keyTypes.cosignature, vkey.key);
  t.equal(isMemberWitness(named), false, 'the name of a person');
  const lattice = mldsaCosigner(vkey.name, mldsa44.fromSeed(new Uint8Array(32))).vkey;
  t.equal(isMemberWitness(lattice), false);
});

t.test('the class of a witness follows from its line in the policy', async (t) => {
  const island = makeVkey('pi-witness/x', keyTypes.cosignature, vkey.key);
  t.equal(witnessClass({ vkey }), 'member');
  t.equal(witnessClass({ vkey: island }), 'hand');
  t.equal(witnessClass({ vkey: island, url: 'https://there.example/witness' }), 'other');
  // Whoever is asked at an address is no device on a session of this island, whatever its key is called.
  t.equal(witnessClass({ vkey, url: 'https://there.example/witness' }), 'other');
});

t.test('the body of add-checkpoint comes back as it was made', async (t) => {
  const proof = [new Uint8Array(32).fill(3), new Uint8Array(32).fill(4)];
  const note = `${origin}\n7\nAAAA\n\n— x AAAA\n`;
  t.same(parseAddCheckpoint(addCheckpointBody(5, proof, note)), {
    oldSize: 5,
    proof,
    origin,
    note,
  });
});
