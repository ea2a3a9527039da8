/** Vectors of backup codes and key records. docs/protocol/keys.md */
import { CodeMistake, codeText, openCode, readCode } from '../crypto/backup-code.ts';
import { openKeyRecord, openKeyring, readKeyRecord } from '../crypto/key-record.ts';
import { checkRecordSuccessor } from '../crypto/key-record-order.ts';
import { openCodeSlot, openDeviceSlot, sealedSlotBytes } from '../crypto/key-slots.ts';
import { hex } from '../wire/text.ts';
import { argon2id, SampleAccount } from './sample-account.ts';
import { seededRandom } from './seeded.ts';
import { changed, refused, refusedForms, type VectorFile } from './vector-file.ts';

/** Text that is no code, with the group that is named. */
function mistaken(why: string, text: string) {
  try {
    readCode(text);
  } catch (error) {
    if (error instanceof CodeMistake) return { why, text, group: error.group ?? null };
    throw error;
  }
  throw new Error(`not refused: ${why}`);
}

type Made = ReturnType<SampleAccount['record']>;

/** A record with what opens it. */
function shown(what: string, { opened, shares, parts, record }: Made) {
  const { account, version, prevHash, listHash, listEpoch, firstEpoch, arkEpoch, codes } = opened;
  const ids = { account, version, prevHash, listHash, listEpoch, firstEpoch, arkEpoch, codes };
  const { ark, former, head } = parts;
  return { what, ...ids, ark, former, head, shares, bytes: record, hash: opened.hash };
}

export const vectors: VectorFile = {
  name: 'keys',
  document: 'docs/protocol/keys.md',
  async make() {
    const random = seededRandom('keys');
    const ann = new SampleAccount(random);
    const two = ann.device(2);
    const codes = await ann.makeCodes(2, argon2id);
    const slots = codes.map(({ keys }) => ann.slotOf(keys));
    const { one } = ann;
    const [firstAik] = [ann.aik];

    const first = ann.record({ slots });
    ann.change({ devices: [...ann.list.devices, ann.cert(two)] });
    const head = { seq: 5, hash: random(32) };
    const second = ann.nextRecord(first, { head });
    const third = ann.rotated(second, { slots: second.opened.slots.slice(1) });
    const [code] = codes;
    const text = code?.text ?? '';
    const share = first.shares.find(({ loc }) => code && hex(loc) === hex(code.keys.loc))?.share;
    if (code === undefined || share === undefined) throw new Error('no code');

    const open = (bytes: Uint8Array) => openKeyRecord(bytes, firstAik.public);
    const weak = new SampleAccount(random);
    const weakRecord = weak.record({}).record;
    const noCode = await openCode('0'.repeat(20), ann.codes.salt, ann.codes.kdf, argon2id);
    return {
      codes: codes.map(({ text, keys }, i) => ({
        text,
        data: readCode(text),
        loc: keys.loc,
        proof: keys.proof,
        dh: { private: keys.dh.private, public: keys.dh.public },
        anchorKey: keys.anchorKey,
        anchor: slots[i]?.anchor,
      })),
      checkCharacters: [codeText('0'.repeat(20)), codeText('0123456789ABCDEFGHJK')],
      codesRefused: [
        mistaken('a wrong character in the second group', `${text.slice(0, 6)}U${text.slice(7)}`),
        mistaken(
          'two groups exchanged',
          [text.slice(6, 11), text.slice(0, 5), text.slice(12)].join('-'),
        ),
        mistaken('a character too few in the fifth group', text.slice(0, -1)),
        mistaken('a character too few, without dashes', text.replaceAll('-', '').slice(1)),
      ],
      aik: { seed: firstAik.private, public: firstAik.public },
      devices: [one, two].map(({ device, dik }) => ({
        device,
        dik: { private: dik.private, public: dik.public },
      })),
      lists: ann.lists.map(({ bytes, hash }) => ({ bytes, hash })),
      /** Each follows the one before. */
      records: [
        shown('the first', first),
        shown('for a second device', second),
        shown('a new archive key, and a code used', third),
      ],
      recordRefused: [
        ...refusedForms(first.record, open),
        refused('a bit of the signature', changed(first.record, -1, 0), open),
        refused(
          'another key in a code slot',
          changed(
            first.record,
            -64 - sealedSlotBytes - 2 - 64,
            ...random(32).map((b, i) => (i === 31 ? b & 0x3f : b)),
          ),
          open,
        ),
        refused(
          'memory below the floor',
          changed(weakRecord, 114, 0, 0, 0xff, 0xff),
          readKeyRecord,
        ),
        refused('version 0', changed(weakRecord, 18, 0, 0, 0, 0), readKeyRecord),
        refused('device 0', changed(weakRecord, 147, 0, 0, 0, 0), readKeyRecord),
      ],
      /** Records that are signed, opened with what does not belong to them. */
      slotsRefused: [
        refused('the device key of another device', first.record, (bytes) =>
          openDeviceSlot(open(bytes), 1, two.dik),
        ),
        refused('a device without a slot', first.record, (bytes) =>
          openDeviceSlot(open(bytes), 2, two.dik),
        ),
        refused('the share of another code', first.record, (bytes) =>
          openCodeSlot(
            open(bytes),
            code.keys,
            first.shares.find((s) => s.share !== share)?.share ?? share,
          ),
        ),
        refused('the share of the record before', second.record, (bytes) =>
          openCodeSlot(open(bytes), code.keys, share),
        ),
        refused('a code without a slot', first.record, (bytes) =>
          openCodeSlot(open(bytes), noCode, share),
        ),
        refused('the archive key of before', third.record, (bytes) =>
          openKeyring(open(bytes), first.parts.ark),
        ),
      ],
      successorRefused: [
        refused('the first again', first.record, (bytes) =>
          checkRecordSuccessor(second.opened, open(bytes)),
        ),
        refused('two versions on', third.record, (bytes) =>
          checkRecordSuccessor(first.opened, open(bytes)),
        ),
      ],
    };
  },
};
