/** The line decoder of pkid under hostile input. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { base64url } from '@island/protocol/wire/text.ts';
import fc from 'fast-check';
import t from 'tap';
import { possessionProof, requestBytes } from '../kit/certificate-request.ts';
import { checkPossession, decodeRequest } from './request.ts';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }));
const signature = sign('sha256', possessionProof('gateway', spki), privateKey);
const line = `${JSON.stringify({ spki: base64url(spki), signature: base64url(new Uint8Array(signature)) })}\n`;
const bytes = new TextEncoder().encode(line);
const decodeText = (text: string): unknown => decodeRequest(new TextEncoder().encode(text));

const codes = [
  'malformed',
  'too_large',
  'truncated',
  'trailing_bytes',
  'not_canonical',
  'bad_signature',
];

/** Decodes and checks; anything but an answer or a stated fault is a bug. */
function stated(input: Uint8Array): boolean {
  try {
    checkPossession('gateway', decodeRequest(input));
    return Buffer.from(input).equals(bytes);
  } catch (error) {
    return error instanceof Error && 'code' in error && codes.includes(String(error.code));
  }
}

t.test('a good line is decoded and its proof holds for its socket alone', async (t) => {
  const request = decodeRequest(bytes);
  t.ok(checkPossession('gateway', request).equals(publicKey));
  t.throws(() => checkPossession('accounts', request), { code: 'bad_signature' });
});

t.test('bad input: every kind of broken line gets its stable code', async (t) => {
  t.throws(() => decodeText(''), { code: 'truncated' });
  t.throws(() => decodeText(line.slice(0, -1)), { code: 'truncated' });
  t.throws(() => decodeText(`${line} `), { code: 'trailing_bytes' });
  t.throws(() => decodeText(line + line), { code: 'trailing_bytes' });
  t.throws(() => decodeText(`${' '.repeat(requestBytes)}\n`), { code: 'too_large' });
  for (const text of ['\n', 'x\n', '[]\n', 'null\n', '{}\n', '{"spki":1}\n', '\ufeff{}\n']) {
    t.throws(() => decodeText(text), { code: 'malformed' }, JSON.stringify(text));
  }
  const more = { ...JSON.parse(line), name: 'gateway' };
  t.throws(
    () => decodeText(`${JSON.stringify(more)}\n`),
    { code: 'malformed' },
    'unknown fields are refused',
  );
  t.throws(() => decodeRequest(Uint8Array.of(0xff, 0x0a)), { code: 'malformed' }, 'not UTF-8');
});

t.test(
  'fuzz: random bytes, random JSON and changed lines are refused with a stated code',
  async (t) => {
    const changed = fc
      .tuple(fc.integer({ min: 0, max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }))
      .map(([at, flip]) => bytes.with(at, (bytes[at] ?? 0) ^ flip));
    const json = fc
      .jsonValue()
      .map((value) => new TextEncoder().encode(`${JSON.stringify(value)}\n`));
    const near = fc
      .record(
        {
          spki: fc.base64String(),
          signature: fc.base64String(),
          kind: fc.string(),
          peer: fc.string(),
        },
        { requiredKeys: [] },
      )
      .map((value) => new TextEncoder().encode(`${JSON.stringify(value)}\n`));
    const noise = fc.uint8Array({ maxLength: 2 * requestBytes });
    const cut = fc.integer({ min: 0, max: bytes.length }).map((end) => bytes.subarray(0, end));
    const run = fc.check(fc.property(fc.oneof(changed, json, near, noise, cut), stated), {
      numRuns: 3000,
    });
    t.notOk(run.failed, `seed ${run.seed} ${run.counterexamplePath ?? ''} ${run.counterexample}`);
  },
);
