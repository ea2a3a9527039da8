/** RFC 9497: its known answers, and noble as the other side of every role. */
import { ristretto255_oprf } from '@noble/curves/ed25519.js';
import * as fc from 'fast-check';
import t from 'tap';
import { utf8Bytes } from '../wire/bytes.ts';
import { fromHex, hex } from '../wire/text.ts';
import { minusProduct, randomScalar } from './ristretto.ts';
import { codeOf } from './testing/devices.ts';
import { blind, deriveKey, evaluate, evaluateInput, finalize, isProved } from './voprf.ts';

const { voprf: noble } = ristretto255_oprf;
const key = deriveKey(fromHex('a3'.repeat(32)), utf8Bytes('test key'));

/** RFC 9497 A.1.2. */
const blind1 = '64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706';
const blind2 = '222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e';
const output1 =
  'b58cfbe118e0cb94d79b5fd6a6dafb98764dff49c14e1770b566e42402da1a7da4d8527693914139caee5bd03903af43a491351d23b430948dd50cde10d32b3c';
const output2 =
  '8a9a2f3c7f085b65933594309041fc1898d42d0858e59f90814ae90571a6df60356f4610bf816f27afdd84f47719e480906d27ecd994985890e5f539e7ea74b6';
const answers = [
  {
    inputs: ['00'],
    blinds: [blind1],
    blinded: ['863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945'],
    evaluated: ['aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e'],
    proof:
      'ddef93772692e535d1a53903db24367355cc2cc78de93b3be5a8ffcc6985dd066d4346421d17bf5117a2a1ff0fcb2a759f58a539dfbe857a40bce4cf49ec600d',
    random: blind2,
    outputs: [output1],
  },
  {
    inputs: ['5a'.repeat(17)],
    blinds: [blind1],
    blinded: ['cc0b2a350101881d8a4cba4c80241d74fb7dcbfde4a61fde2f91443c2bf9ef0c'],
    evaluated: ['60a59a57208d48aca71e9e850d22674b611f752bed48b36f7a91b372bd7ad468'],
    proof:
      '401a0da6264f8cf45bb2f5264bc31e109155600babb3cd4e5af7d181a2c9dc0a67154fabf031fd936051dec80b0b6ae29c9503493dde7393b722eafdf5a50b02',
    random: blind2,
    outputs: [output2],
  },
  {
    inputs: ['00', '5a'.repeat(17)],
    blinds: [blind1, blind2],
    blinded: [
      '863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945',
      '90a0145ea9da29254c3a56be4fe185465ebb3bf2a1801f7124bbbadac751e654',
    ],
    evaluated: [
      'aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e',
      'cc5ac221950a49ceaa73c8db41b82c20372a4c8d63e5dded2db920b7eee36a2a',
    ],
    proof:
      'cc203910175d786927eeb44ea847328047892ddf8590e723c37205cb74600b0a5ab5337c8eb4ceae0494c2cf89529dcf94572ed267473d567aeed6ab873dee08',
    random: '419c4f4f5052c53c45f3da494d2b67b220d02118e0857cdbcf037f9ea84bbe0c',
    outputs: [output1, output2],
  },
];

const one = fromHex(`01${'00'.repeat(31)}`);

/** A stream that `randomScalar` reads as exactly this scalar. */
const wide = (scalar: string) => () => fromHex(scalar + '00'.repeat(32));

t.test('M2 RFC 9497 A.1.2: key, blinding, batch, proof and output', async (t) => {
  t.equal(hex(key.private), 'e6f73f344b79b379f1a0dd37e07ff62e38d9f71345ce62ae3a9bc60b04ccd909');
  t.equal(hex(key.public), 'c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e');
  for (const each of answers) {
    const inputs = each.inputs.map(fromHex);
    const blinds = each.blinds.map(fromHex);
    const blinded = inputs.map((input, i) => blind(input, blinds[i] ?? input));
    t.same(blinded.map(hex), each.blinded);
    const made = evaluate(key, blinded, wide(each.random));
    t.same(made.evaluated.map(hex), each.evaluated);
    t.equal(hex(made.proof), each.proof);
    t.ok(isProved(key.public, blinded, made.evaluated, made.proof));
    made.evaluated.forEach((evaluated, i) => {
      const [input = evaluated, by = evaluated] = [inputs[i], blinds[i]];
      t.equal(hex(finalize(input, by, evaluated)), each.outputs[i]);
      t.equal(hex(evaluateInput(key, input)), each.outputs[i]);
    });
  }
});

t.test(
  'M2: noble evaluates what we blind, and we what noble blinds, to the same outputs',
  async () => {
    const batches = fc.array(fc.uint8Array({ maxLength: 80 }), { minLength: 1, maxLength: 5 });
    const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
    await fc.assert(
      fc.property(seeds, batches, (seed, inputs) => {
        const own = deriveKey(seed, utf8Bytes('info'));
        const theirs = noble.deriveKeyPair(seed, utf8Bytes('info'));
        if (hex(own.private) !== hex(theirs.secretKey)) return false;

        const blinds = inputs.map(() => randomScalar());
        const blinded = inputs.map((input, i) => blind(input, blinds[i] ?? input));
        const answer = noble.blindEvaluateBatch(theirs.secretKey, theirs.publicKey, blinded);
        if (!isProved(own.public, blinded, answer.evaluated, answer.proof)) return false;
        const outputs = answer.evaluated.map((each, i) =>
          hex(finalize(inputs[i] ?? each, blinds[i] ?? each, each)),
        );

        const asked = inputs.map((input) => noble.blind(input));
        const given = evaluate(
          own,
          asked.map((each) => each.blinded),
        );
        const items = asked.map((each, i) => {
          const [input = new Uint8Array(), evaluated = new Uint8Array()] = [
            inputs[i],
            given.evaluated[i],
          ];
          return { input, evaluated, ...each };
        });
        const finished = noble.finalizeBatch(items, theirs.publicKey, given.proof).map(hex);
        const straight = inputs.map((input) => hex(evaluateInput(own, input)));
        return outputs.join() === straight.join() && finished.join() === straight.join();
      }),
      { numRuns: 12 },
    );
  },
);

const order = fromHex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');
/** The order plus a small scalar: the same number modulo the order, in another spelling. */
const unreduced = order.map((byte, i) => (i === 0 ? byte + 2 : byte));

t.test('pitfall: the identity and elements that are not canonical are refused', async (t) => {
  // Not canonical, negative, no square: RFC 9496 A.2.
  const bad = [
    '00'.repeat(32),
    `edff${'ff'.repeat(29)}7f`,
    `01${'00'.repeat(31)}`,
    '26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371',
    'ff'.repeat(32),
    '00'.repeat(31),
  ].map(fromHex);
  const good = blind(utf8Bytes('input'), randomScalar());
  const { evaluated, proof } = evaluate(key, [good]);
  for (const wrong of bad) {
    t.equal(
      codeOf(() => evaluate(key, [good, wrong])),
      'not_canonical',
      hex(wrong),
    );
    t.equal(
      codeOf(() => isProved(wrong, [good], evaluated, proof)),
      'not_canonical',
    );
    t.equal(
      codeOf(() => isProved(key.public, [good], [wrong], proof)),
      'not_canonical',
    );
  }
});

t.test('pitfall: a proof has one spelling', async (t) => {
  const blinded = [blind(utf8Bytes('input'), randomScalar())];
  const { evaluated, proof } = evaluate(key, blinded);
  for (const at of [0, 32]) {
    const other = Uint8Array.from(proof);
    other.set(unreduced, at);
    t.equal(
      codeOf(() => isProved(key.public, blinded, evaluated, other)),
      'not_canonical',
    );
  }
  for (const length of [0, 32, 63, 65]) {
    const other = new Uint8Array(length);
    t.equal(
      codeOf(() => isProved(key.public, blinded, evaluated, other)),
      'not_canonical',
    );
  }
});

t.test('no evaluations prove nothing', async (t) => {
  const blinded = [blind(utf8Bytes('input'), randomScalar())];
  const { proof } = evaluate(key, blinded);
  t.notOk(isProved(key.public, [], [], proof));
  t.notOk(isProved(key.public, blinded, [], proof));
});

t.test('pitfall: the scalar of a proof is never the same twice', async (t) => {
  const blinded = [blind(utf8Bytes('input'), randomScalar())];
  const proofs = Array.from({ length: 20 }, () => evaluate(key, blinded).proof);
  // r = s + c · key: were it the same in two proofs, both would give the key away.
  const used = proofs.map((proof) => {
    const minusC = minusProduct(new Uint8Array(32), proof.subarray(0, 32), key.private);
    return hex(minusProduct(proof.subarray(32), minusC, one));
  });
  t.equal(new Set(used).size, proofs.length);
});
