import t from 'tap';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { messageKeyAt } from './chain-keys.ts';
import { ed25519 } from './primitives.ts';
import {
  decodeReport,
  encodeReport,
  openReportedPost,
  type Report,
  reportLimits,
} from './report.ts';
import {
  annHere,
  annsChain,
  channel,
  mallory,
  plaintextOf,
  postAll,
  space,
} from './testing/channel.ts';

const chain = annsChain('report');
const { posts } = postAll(chain, ['bad', 'worse']);
const [bad, worse] = posts.map(({ post }) => post);
const keyOf = (i: number) => messageKeyAt(chain.keys, i);
const report: Report = {
  space,
  channel,
  posts: [
    { seq: 3, messageKey: keyOf(0) },
    { seq: 9, messageKey: keyOf(1) },
  ],
  reason: 'harassment',
  comment: 'Twice now.',
};
const malformed = { name: 'Fault', code: 'malformed' };

t.test('a report comes back as it was, and out of form it is refused', async (t) => {
  t.same(decodeReport(encodeReport(report)), report);
  const [one] = report.posts as [Report['posts'][0]];
  const short = { ...one, messageKey: one.messageKey.subarray(1) };
  t.throws(() => encodeReport({ ...report, posts: [] }), malformed);
  t.throws(() => encodeReport({ ...report, posts: [one, one] }), malformed, 'a post twice');
  t.throws(() => encodeReport({ ...report, posts: report.posts.toReversed() }), malformed);
  t.throws(() => encodeReport({ ...report, posts: [short] }), malformed);
  const many = Array.from({ length: reportLimits.posts + 1 }, (_, i) => ({ ...one, seq: i + 1 }));
  t.throws(() => encodeReport({ ...report, posts: many }), { code: 'too_large' });
  t.throws(() => encodeReport({ ...report, comment: 'x'.repeat(2001) }), { code: 'too_large' });
});

t.test('who moderates reads what was posted, and knows whether it is proved', async (t) => {
  if (!bad || !worse) return t.fail();
  const proved = openReportedPost(bad, annHere, keyOf(0), chain.signing.public);
  t.same(proved, { plaintext: plaintextOf('bad'), proved: true });
  t.equal(openReportedPost(bad, annHere, keyOf(0), undefined).proved, false);
  const other = ed25519.generate().public;
  t.throws(() => openReportedPost(bad, annHere, keyOf(0), other), { code: 'bad_signature' });
});

t.test(
  'pitfall: a report that puts words into a mouth: a key opens its own post and no other',
  async (t) => {
    if (!bad || !worse) return t.fail();
    const refused = { name: 'CryptoFault', code: 'undecryptable' };
    t.throws(() => openReportedPost(bad, annHere, keyOf(1), undefined), refused);
    t.throws(
      () =>
        openReportedPost({ ...bad, commitment: worse.commitment }, annHere, keyOf(1), undefined),
      refused,
    );
    t.throws(
      () => openReportedPost(bad, { ...annHere, author: mallory }, keyOf(0), undefined),
      refused,
    );
  },
);

t.test('fuzz: the decoder of reports throws faults only', async (t) => {
  await fuzzDecoder(t, {
    decode: decodeReport,
    encode: encodeReport,
    samples: [encodeReport(report)],
  });
});
