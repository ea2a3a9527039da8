/** Vectors of the handshake. docs/protocol/ratchet.md §3 and §4 */
import { initiate, respond } from '../crypto/handshake.ts';
import { encodeFields, readFields } from '../crypto/handshake-fields.ts';
import { equal } from '../crypto/primitives.ts';
import { Reader } from '../wire/bytes.ts';
import { SampleDevice } from './sample-device.ts';
import { seededRandom } from './seeded.ts';
import { changed, refused, type VectorFile } from './vector-file.ts';

/** A device with every private key. */
function party({ own }: SampleDevice) {
  const { account, device, aik, dsk, dik } = own;
  return { account, device, aik, dsk, dik: { private: dik.private, public: dik.public } };
}

export const vectors: VectorFile = {
  name: 'handshake',
  document: 'docs/protocol/ratchet.md §3, §4',
  make() {
    const random = seededRandom('handshake');
    const initiator = new SampleDevice('a', 1, random);
    const responder = new SampleDevice('b', 2, random);
    const cases = [true, false].map((withOneTime) => {
      const prekeys = responder.bundle(withOneTime);
      const drawn: Uint8Array[] = [];
      const recorded = (length: number) => {
        const bytes = random(length);
        drawn.push(bytes);
        return bytes;
      };
      const replaces = withOneTime ? new Uint8Array(16) : random(16);
      const made = initiate(initiator.own, responder.party, prekeys, {
        generation: withOneTime ? 1 : 3,
        replaces,
        random: recorded,
      });
      const fields = readFields(new Reader(made.fields));
      const answer = respond(responder.own, initiator.party, fields, responder);
      if (!equal(answer.ratchet.root, made.ratchet.root)) throw new Error('the sides disagree');
      const { kind, id } = prekeys.pq;
      return {
        prekeys: {
          signed: { ...prekeys.signed, private: responder.signed(prekeys.signed.id)?.private },
          pq: { ...prekeys.pq, seed: responder.pq(kind, id)?.private },
          oneTime: prekeys.oneTime && {
            ...prekeys.oneTime,
            private: responder.oneTime(prekeys.oneTime.id)?.private,
          },
        },
        generation: fields.generation,
        replaces,
        ekPrivate: drawn[0],
        encapsulationRandomness: drawn[1],
        fields: made.fields,
        sessionId: made.id,
        binding: made.binding,
        root: made.ratchet.root,
        headerKeyToResponder: made.ratchet.nextSendKey,
        nextHeaderKeyToInitiator: made.ratchet.nextReceiveKey,
      };
    });
    const fields = cases[1]?.fields ?? new Uint8Array(0);
    const decode = (bytes: Uint8Array) => {
      const from = new Reader(bytes);
      readFields(from);
      from.end();
    };
    const noPq = encodeFields({
      ...readFields(new Reader(fields)),
      pq: false,
      ciphertext: new Uint8Array(0),
    });
    return {
      initiator: party(initiator),
      responder: party(responder),
      cases,
      fieldsRefused: [
        refused('the last byte missing', fields.subarray(0, -1), decode),
        refused('a trailing byte', Uint8Array.from([...fields, 0]), decode),
        refused('an unknown flag', changed(fields, 0, 8), decode),
        refused('generation 0', changed(fields, 1, 0, 0, 0, 0), decode),
        refused('an id of a one-time prekey without its flag', changed(fields, 32, 1), decode),
        refused(
          'an EK that is not canonical',
          changed(fields, 33, ...new Array(32).fill(255)),
          decode,
        ),
        refused('an id of a PQ prekey without the PQ part', noPq, decode),
      ],
    };
  },
};
