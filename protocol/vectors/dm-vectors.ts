/** Vectors of a direct message around the ratchet: plaintext, padding, envelope. docs/protocol/dm.md */
import { type Body, decodeBody, encodeBody } from '../crypto/body.ts';
import { pad, unpad } from '../crypto/padding.ts';
import { decodePlaintext, encodePlaintext } from '../crypto/plaintext.ts';
import { x25519 } from '../crypto/primitives.ts';
import { type Content, contentTypes, open, seal } from '../crypto/sealed-envelope.ts';
import { certificateBytes } from '../crypto/sender-certificate.ts';
import { accountId } from '../wire/ids.ts';
import { hex } from '../wire/text.ts';
import { seededRandom } from './seeded.ts';
import { changed, refused, refusedForms, type VectorFile } from './vector-file.ts';

export const vectors: VectorFile = {
  name: 'dm',
  document: 'docs/protocol/dm.md',
  make() {
    const random = seededRandom('dm');
    const plaintext = {
      id: random(16),
      sentAt: 1_795_400_000_123,
      body: { kind: 'text', text: 'Grüße von der Insel 🏝' },
    } as const;
    const encoded = encodePlaintext(plaintext);
    const padded = pad(encoded);

    const recipient = x25519.fromPrivate(random(32));
    const sender = x25519.fromPrivate(random(32));
    const ephemeral = random(32);
    const ids = { account: accountId(hex(random(16))) };
    const content: Content = {
      certificate: random(certificateBytes),
      type: contentTypes.ratchet,
      message: random(64),
    };
    const envelope = seal(recipient.public, content, () => ephemeral);
    const openIt = (bytes: Uint8Array) => open(recipient, bytes);
    const peer = { account: ids.account, start: 0, length: 4 };
    const target = { whose: 'yours', id: random(16) } as const;
    const bodies: Body[] = [
      { kind: 'text', text: '@ann ja', reply: target, mentions: [peer], timer: 86_400 },
      { kind: 'text', text: '', attachments: [random(40)] },
      {
        kind: 'text',
        text: 'ja',
        timer: 60,
        seen: { size: 70_003, root: new Uint8Array(32).fill(5) },
      },
      { kind: 'edit', id: random(16), revision: 2, text: 'doch' },
      { kind: 'delete', id: random(16) },
      { kind: 'reaction', target, put: true, emoji: '👍🏽' },
      { kind: 'receipt', read: true, ids: [random(16), random(16)] },
      { kind: 'typing', began: true },
      { kind: 'timer', seconds: 0 },
      { kind: 'delivery-key', epoch: 3, key: random(16) },
      { kind: 'resync', session: random(16), failed: [random(32)] },
      { kind: 'sync', peer: ids.account, peerName: 'ann', plaintext: encoded },
      { kind: 'marks', marks: [{ peer: ids.account, readUpTo: 1_795_400_000_123 }] },
      { kind: 'contact', state: 'blocked' },
      { kind: 'empty' },
      {
        kind: 'resent',
        fates: [
          { hash: new Uint8Array(32).fill(1), fate: 'follows', id: new Uint8Array(16).fill(2) },
          { hash: new Uint8Array(32).fill(3), fate: 'nothing' },
          { hash: new Uint8Array(32).fill(4), fate: 'gone' },
        ],
      },
    ];
    return {
      bodies: bodies.map((body) => ({ body, bytes: encodeBody(body) })),
      bodiesRefused: [
        refused('an empty text', Uint8Array.of(0x01, 0, 0, 0), decodeBody),
        refused('an unknown part', Uint8Array.of(0x01, 32, 0, 1, 0x78), decodeBody),
        refused(
          'the root of an empty log',
          Uint8Array.of(0x01, 16, ...new Uint8Array(40), 0, 1, 0x78),
          decodeBody,
        ),
        refused('no receipt', Uint8Array.of(0x05, 1, 0), decodeBody),
        refused('a third state', Uint8Array.of(0x06, 3), decodeBody),
        refused('trailing bytes', Uint8Array.of(0x0d, 0), decodeBody),
      ],
      plaintext: { plaintext, bytes: encoded },
      plaintextRefused: [
        ...refusedForms(encoded, decodePlaintext),
        refused('an unknown kind', changed(encoded, 26, 0x7f), decodePlaintext),
        refused('ill-formed UTF-8', changed(encoded, 30, 0xff), decodePlaintext),
      ],
      padding: [
        { plaintext: encoded, padded },
        { plaintext: new Uint8Array(0), padded: pad(new Uint8Array(0)) },
        { plaintext: new Uint8Array(256), padded: pad(new Uint8Array(256)) },
      ],
      paddingRefused: [
        refused('no mark', new Uint8Array(256), unpad),
        refused('a length that is no size', padded.subarray(0, 255), unpad),
        refused('a byte after the mark', changed(padded, -1, 1), unpad),
        refused(
          'a larger size than needed',
          Uint8Array.from([...padded, ...new Uint8Array(256)]),
          unpad,
        ),
      ],
      envelope: {
        recipient: { private: recipient.private, public: recipient.public },
        ephemeralPrivate: ephemeral,
        content,
        bytes: envelope,
      },
      envelopeRefused: [
        ...refusedForms(envelope, openIt),
        refused('a bit of the tag', changed(envelope, -1, (envelope.at(-1) ?? 0) ^ 1), openIt),
        refused(
          'sealed for another device',
          seal(sender.public, content, () => ephemeral),
          openIt,
        ),
        refused('an all-zero ephemeral key', changed(envelope, 2, ...new Uint8Array(32)), openIt),
      ],
    };
  },
};
