/** Vectors of the archive. docs/protocol/archive.md */
import { noHash } from '../crypto/account-state.ts';
import { type ArchiveEntry, decodeEntries, encodeEntries } from '../crypto/archive-entry.ts';
import {
  checkNextSegment,
  openSegment,
  readSegment,
  type SegmentHead,
  sealSegment,
} from '../crypto/archive-segment.ts';
import { accountId } from '../wire/ids.ts';
import { hex } from '../wire/text.ts';
import { SampleAccount } from './sample-account.ts';
import { seededRandom } from './seeded.ts';
import { changed, refused, refusedForms, type VectorFile } from './vector-file.ts';

export const vectors: VectorFile = {
  name: 'archive',
  document: 'docs/protocol/archive.md',
  make() {
    const random = seededRandom('archive');
    const ann = new SampleAccount(random);
    const bob = new SampleAccount(random, 'bob');
    const arks = [random(32), random(32)] as const;
    const { dsk, device } = ann.one;
    const other = ann.device(2).dsk;
    const message: ArchiveEntry = {
      kind: 'message',
      direction: 'in',
      peer: bob.account,
      peerName: 'bob',
      id: random(16),
      sentAt: 1_795_000_000_000,
      receivedAt: 1_795_000_000_250,
      body: { kind: 'text', text: 'Gr\u00fcezi' },
    };
    const body = { kind: 'text', text: 'Hoi' } as const;
    const out: ArchiveEntry = { ...message, direction: 'out', id: random(16), body };
    const contact: ArchiveEntry = { kind: 'contact', list: bob.list.bytes };
    const runs = [[message, contact], [out], []];
    const entries = runs.map((run) => ({ entries: run, bytes: encodeEntries(run) }));
    const [one, two, fence] = entries.map(({ bytes }) => bytes);
    if (one === undefined || two === undefined || fence === undefined)
      throw new Error('no entries');

    const seal = (change: Partial<SegmentHead>, plain: Uint8Array, ark: Uint8Array) => {
      const start = { account: ann.account, device, seq: 1, prevHash: noHash };
      const head = { ...start, listEpoch: 1, arkEpoch: 1, ...change };
      return readSegment(sealSegment(head, plain, { ark, dsk }, random));
    };
    const first = seal({}, one, arks[0]);
    const second = seal({ seq: 2, prevHash: first.hash }, two, arks[0]);
    const rotated = { listEpoch: 2, arkEpoch: 2 };
    const third = seal({ seq: 3, prevHash: second.hash, ...rotated }, fence, arks[1]);
    const back = seal({ seq: 4, prevHash: third.hash }, two, arks[0]);
    const shown = [first, second, third].map(({ ad: _ad, sealed: _sealed, ...segment }) => segment);
    const open = (bytes: Uint8Array) => openSegment(readSegment(bytes), dsk.public, arks[0]);
    const follows = (before: typeof first) => (bytes: Uint8Array) =>
      checkNextSegment(ann.account, before, readSegment(bytes));
    const wrongName = accountId(hex(random(16)));
    return {
      dsk: { seed: dsk.private, public: dsk.public },
      /** The archive keys of epoch 1 and 2. */
      arks,
      entries,
      entriesRefused: [
        ...refusedForms(one, decodeEntries),
        refused('direction 3', changed(one, 7, 3), decodeEntries),
      ],
      /** Each follows the one before, and says the entries of its place above. */
      segments: shown,
      segmentRefused: [
        ...refusedForms(first.bytes, open),
        refused('a bit of the signature', changed(first.bytes, -1, 0), open),
        refused('another account', changed(first.bytes, 2, ...Buffer.from(wrongName, 'hex')), open),
        refused('number 0', changed(first.bytes, 29, 0), open),
        refused('the key of another device', first.bytes, (bytes) =>
          openSegment(readSegment(bytes), other.public, arks[0]),
        ),
        refused('another archive key', first.bytes, (bytes) =>
          openSegment(readSegment(bytes), dsk.public, arks[1]),
        ),
      ],
      nextRefused: [
        refused('the first again', first.bytes, follows(first)),
        refused('one left out', third.bytes, follows(first)),
        refused('epochs that fall', back.bytes, follows(third)),
      ],
    };
  },
};
