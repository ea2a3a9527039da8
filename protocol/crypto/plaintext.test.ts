import t from 'tap';
import { accountId } from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import type { Body } from './body.ts';
import { longestPlaintext } from './padding.ts';
import {
  decodePlaintext,
  encodePlaintext,
  longestMessagePlaintext,
  type Plaintext,
} from './plaintext.ts';

const id = Uint8Array.from({ length: 16 }, (_, i) => i);
const message = (text: string): Plaintext => {
  return { id, sentAt: 1_795_000_000_123, body: { kind: 'text', text } };
};

const sync = (plaintext: Uint8Array): Body => {
  const peer = accountId('0b'.repeat(16));
  return { kind: 'sync', peer, peerName: 'b'.repeat(32), plaintext };
};

t.test('a text comes back with its id and time', async (t) => {
  for (const text of ['x', 'Grüße 👋🏽', '\ufeffmark', '\0', 'e\u0301 is not normalised']) {
    t.same(decodePlaintext(encodePlaintext(message(text))), message(text));
  }
});

t.test('the longest text fits into the largest padding; a byte more is refused', async (t) => {
  const longest = encodePlaintext(message('x'.repeat(limits.textBytes)));
  const inner = { ...message('x'), body: sync(longest) };
  t.ok(encodePlaintext(inner).length <= longestPlaintext, 'within a sync, too');
  const over = message('x'.repeat(limits.textBytes + 1));
  t.throws(() => encodePlaintext(over), { name: 'Fault', code: 'too_large' });
  const wide = message('ü'.repeat(limits.textBytes / 2 + 1));
  t.throws(() => encodePlaintext(wide), { name: 'Fault', code: 'too_large' });
});

t.test('an empty text, a lone surrogate and a short id are refused', async (t) => {
  const malformed = { name: 'Fault', code: 'malformed' };
  t.throws(() => encodePlaintext(message('')), malformed);
  t.throws(() => encodePlaintext(message('\ud800')), malformed);
  t.throws(() => encodePlaintext({ ...message('x'), id: id.subarray(1) }), malformed);
  const empty = encodePlaintext(message('x')).subarray(0, -1);
  const zero = Uint8Array.from(empty);
  zero[29] = 0;
  t.throws(() => decodePlaintext(zero), malformed);
});

t.test('a kind that this version does not know is unknown', async (t) => {
  const bytes = encodePlaintext(message('x'));
  bytes[26] = 0x7f;
  t.throws(() => decodePlaintext(bytes), { name: 'Fault', code: 'unknown_type' });
});

t.test('what would not fit into a sync is refused, whoever sent it', async (t) => {
  const mentions = Array.from({ length: 16 }, (_, i) => {
    return { account: accountId('0c'.repeat(16)), start: i, length: 1 };
  });
  const text = 'x'.repeat(longestMessagePlaintext - 26 - 2 - 1 - 16 * 20 - 2);
  const fits: Plaintext = { ...message(''), body: { kind: 'text', text, mentions } };
  t.equal(encodePlaintext(fits).length, longestMessagePlaintext);
  const over: Plaintext = { ...fits, body: { kind: 'text', text: `${text}x`, mentions } };
  t.throws(() => encodePlaintext(over), { name: 'Fault', code: 'too_large' });
  const carried = encodePlaintext({ ...message(''), body: sync(encodePlaintext(fits)) });
  t.same(decodePlaintext(carried).body, sync(encodePlaintext(fits)));
});

t.test('fuzz: the plaintext decoder throws faults only', async (t) => {
  await fuzzDecoder(t, {
    decode: decodePlaintext,
    encode: encodePlaintext,
    samples: [encodePlaintext(message('x')), encodePlaintext(message('Grüße '.repeat(80)))],
  });
});
