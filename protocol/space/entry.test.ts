import t from 'tap';
import { ed25519 } from '../crypto/primitives.ts';
import { seededRandom } from '../vectors/seeded.ts';
import { limits } from '../wire/limits.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { openEntry, signEntry, verifyEntry } from './entry.ts';
import type { SpaceOp } from './space-op.ts';
import { sampleSpace } from './testing/sample-space.ts';

const random = seededRandom('entry.test');
const isle = sampleSpace('entry.test');
const ann = isle.join('ann');
const channel = isle.channel('lobby');
const { owner } = isle;
const badSignature = { code: 'bad_signature' };
const invite = ed25519.fromSeed(random(32));
const bob = isle.person('bob');

/** One of each op but the first. */
const ops: SpaceOp[] = [
  { op: 'settings', title: 'Another isle', joinLocked: true },
  {
    ...{ op: 'channel', channel, kind: 'text', name: 'lobby', topic: 'what is new' },
    ...{ parent: undefined, position: 3, slowSeconds: 5, history: true },
    overrides: [
      { role: 0, allow: 0, deny: 3 },
      { account: ann.account, allow: 3, deny: 0 },
    ],
  },
  { op: 'channelGone', channel },
  { op: 'role', role: 7, name: 'crew', position: 3, permissions: 0x0701 },
  { op: 'role', role: 0, name: '', position: 0, permissions: 3 },
  { op: 'roleGone', role: 7 },
  { op: 'invite', key: invite.public, expires: 1_900_000_000, uses: 3, role: 0 },
  { op: 'inviteGone', key: invite.public },
  isle.joining(bob, invite, true),
  { op: 'leave' },
  { op: 'kick', account: ann.account, reason: 'noise' },
  { op: 'ban', account: ann.account, reason: '' },
  { op: 'unban', account: ann.account },
  { op: 'timeout', account: ann.account, until: 1_800_000_600, reason: '' },
  { op: 'mute', account: ann.account, muted: true },
  { op: 'memberRoles', account: ann.account, roles: [2, 7] },
  { op: 'owner', account: ann.account },
  { op: 'rekey', channel },
  { op: 'removePosts', channel, seqs: [1, 9] },
  { op: 'reportClosed', report: random(16), acted: false },
  { op: 'close' },
  { op: 'readmit', account: ann.account, aik: ed25519.fromSeed(random(32)).public, resets: 2 },
];

t.test('M3: every op comes back as it was signed, and its signature holds', async (t) => {
  for (const op of ops) {
    const entry = isle.entry(bob, op);
    t.same(entry.op, op, op.op);
    t.doesNotThrow(() => verifyEntry(entry, bob.dsk.public));
    t.throws(() => verifyEntry(entry, ann.dsk.public), badSignature, 'another device did not sign');
  }
});

t.test('M3: whoever joins is let in by the key of the invite, and by no other', async (t) => {
  const other = ed25519.fromSeed(random(32));
  const op = isle.joining(bob, other);
  const forged = isle.entry(bob, { ...op, invite: invite.public } as SpaceOp);
  t.throws(() => verifyEntry(forged, bob.dsk.public), badSignature);
  const stolen = isle.entry(ann, isle.joining(bob, invite));
  t.throws(() => verifyEntry(stolen, ann.dsk.public), badSignature, 'the proof names who comes');
});

t.test('M3: a space is begun by one account alone: its id says so', async (t) => {
  const [first] = isle.entries;
  if (first?.op.op !== 'create') throw new Error('no first entry');
  const fields = { ...first, actor: ann.account };
  t.throws(() => signEntry(fields, ann.dsk), { code: 'malformed' });
  const op = { ...first.op, aik: ann.aik.public };
  t.throws(() => signEntry({ ...first, op }, owner.dsk), { code: 'malformed' });
});

t.test('every entry is refused that was altered, cut or lengthened', async (t) => {
  const entries = [...isle.entries, ...ops.map((op) => isle.entry(bob, op))];
  t.ok(entries.every(({ bytes }) => bytes.length <= limits.entryBytes));
  await fuzzDecoder(t, {
    decode(bytes) {
      const entry = openEntry(bytes);
      const signer = [owner, ann, bob].find(({ account }) => account === entry.actor) ?? bob;
      verifyEntry(entry, signer.dsk.public);
      return entry;
    },
    samples: entries.map(({ bytes }) => bytes),
    authentic: true,
  });
});
