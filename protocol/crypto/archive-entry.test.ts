import * as fc from 'fast-check';
import t from 'tap';
import { SampleAccount } from '../vectors/sample-account.ts';
import { seededRandom } from '../vectors/seeded.ts';
import { concat } from '../wire/bytes.ts';
import { accountId } from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { hex } from '../wire/text.ts';
import {
  type ArchiveEntry,
  decodeEntries,
  encodeEntries,
  fittingEntries,
  type MessageEntry,
} from './archive-entry.ts';
import { segmentRoom } from './archive-segment.ts';
import type { Body } from './body.ts';

const random = seededRandom('archive-entry.test');
const said = (text: string): Body => ({ kind: 'text', text });
const message: MessageEntry = {
  kind: 'message',
  direction: 'in',
  peer: accountId('0b'.repeat(16)),
  peerName: 'bob',
  id: random(16),
  sentAt: 1_795_000_000_000,
  receivedAt: 1_795_000_000_500,
  body: said('Grüezi'),
};
const contact: ArchiveEntry = {
  kind: 'contact',
  list: new SampleAccount(random, 'bob').list.bytes,
};
const malformed = { name: 'Fault', code: 'malformed' };
const tooLarge = { name: 'Fault', code: 'too_large' };

t.test('A3: entries come back as they were', async (t) => {
  const entries = [message, contact, { ...message, direction: 'out' as const }];
  t.same(decodeEntries(encodeEntries(entries)), { entries, skipped: 0 });
  t.same(decodeEntries(encodeEntries([])), { entries: [], skipped: 0 }, 'a fence');
});

t.test('any message comes back as it was', async () => {
  const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 });
  const time = fc.maxSafeNat();
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1000 });
  const any = fc.record<MessageEntry>({
    kind: fc.constant('message'),
    direction: fc.constantFrom('in', 'out'),
    peer: bytes16.map((bytes) => accountId(hex(bytes))),
    peerName: fc.stringMatching(/^[a-z0-9]([a-z0-9._-]{0,30}[a-z0-9])?$/),
    id: bytes16,
    sentAt: time,
    receivedAt: time,
    body: text.map(said),
  });
  await fc.assert(
    fc.property(any, (entry) => {
      const [back] = decodeEntries(encodeEntries([entry])).entries;
      return JSON.stringify(back) === JSON.stringify(entry);
    }),
  );
});

t.test('an entry of a later version is skipped and counted', async (t) => {
  const two = encodeEntries([message, contact]);
  const unknown = concat(two, Uint8Array.of(0, 3, 9, 1, 2), Uint8Array.of(0, 1, 0));
  unknown[3] = 4;
  t.same(decodeEntries(unknown), { entries: [message, contact], skipped: 2 });
});

t.test('a message whose body is of a later version is skipped and counted', async (t) => {
  const bytes = encodeEntries([{ ...message, body: { kind: 'empty' } }]);
  bytes[bytes.length - 1] = 0x7f;
  t.same(decodeEntries(bytes), { entries: [], skipped: 1 });
});

t.test('entries out of form are refused on both ways', async (t) => {
  const wrong: [string, ArchiveEntry, { code: string }][] = [
    ['no text', { ...message, body: said('') }, malformed],
    ['a lone surrogate', { ...message, body: said('\ud800') }, malformed],
    ['too long a text', { ...message, body: said('x'.repeat(limits.textBytes + 1)) }, tooLarge],
    ['an id of 15 bytes', { ...message, id: random(15) }, malformed],
    ['a name that is none', { ...message, peerName: 'Bob' }, { code: 'name_invalid' }],
    ['no list', { kind: 'contact', list: new Uint8Array(0) }, malformed],
    ['too long a list', { kind: 'contact', list: new Uint8Array(4097) }, tooLarge],
  ];
  for (const [why, entry, fault] of wrong) t.throws(() => encodeEntries([entry]), fault, why);
  const direction = encodeEntries([message]);
  for (const value of [0, 3]) {
    direction[7] = value;
    t.throws(() => decodeEntries(direction), malformed, `direction ${value}`);
  }
  t.throws(() => decodeEntries(Uint8Array.of(1, 0x51, 0, 1, 0, 0)), { code: 'truncated' });
  t.throws(() => decodeEntries(Uint8Array.of(1, 0x51, 0, 1, 0, 1, 2)), malformed);
});

t.test('as many entries as fit go into a segment, and the next one does not', async (t) => {
  const entries = Array.from({ length: 100 }, (_, i) => {
    return { ...message, body: said('x'.repeat(1 + ((i * 977) % limits.textBytes))) };
  });
  const count = fittingEntries(entries);
  t.ok(encodeEntries(entries.slice(0, count)).length <= segmentRoom);
  t.throws(() => encodeEntries(entries.slice(0, count + 1)), tooLarge);
  t.equal(fittingEntries([message]), 1);
  t.equal(fittingEntries([]), 0);
  const body = said('x'.repeat(limits.textBytes));
  const largest = { ...message, peerName: 'x'.repeat(32), body };
  t.ok(fittingEntries([largest, largest]) >= 1);
});

t.test('fuzz: the decoder of entries throws faults only', async (t) => {
  await fuzzDecoder(t, {
    decode: (bytes) => ({ bytes, ...decodeEntries(bytes) }),
    encode: ({ bytes, entries, skipped }) => (skipped > 0 ? bytes : encodeEntries(entries)),
    samples: [encodeEntries([message, contact]), encodeEntries([message])],
  });
});
