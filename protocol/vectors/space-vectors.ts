/** Vectors of the log of a space: every op, what is refused, and what everybody may. docs/protocol/channel.md §2 to §4 */
import { ed25519, type Random, type SigningPair } from '../crypto/primitives.ts';
import {
  type EntryFields,
  noEntry,
  openEntry,
  proveInvited,
  type SpaceEntry,
  signEntry,
  spaceIdOf,
  verifyEntry,
} from '../space/entry.ts';
import { allPermissions, permissions, permissionsIn } from '../space/permissions.ts';
import { keyEpochAt, readersOf } from '../space/readers.ts';
import { checkPermitted } from '../space/rules.ts';
import type { ChannelOp, Override, SpaceOp } from '../space/space-op.ts';
import { applyEntry, beginSpace, type SpaceState } from '../space/space-state.ts';
import { type AccountId, accountId, channelId, deviceId } from '../wire/ids.ts';
import { hex } from '../wire/text.ts';
import { seededRandom } from './seeded.ts';
import { changed, type Refused, refused, refusedForms, type VectorFile } from './vector-file.ts';

interface Person {
  name: string;
  account: AccountId;
  aik: Uint8Array;
  dsk: SigningPair;
}

/** 2026-11-20, s. */
const time = 1_795_132_800;
let random: Random = seededRandom('space');

function person(name: string): Person {
  const [account, aik] = [accountId(hex(random(16))), ed25519.generate(random).public];
  return { name, account, aik, dsk: ed25519.generate(random) };
}

type Act = [Person, SpaceOp];

function script() {
  const [olga, ann, bob, cleo] = ['olga', 'ann', 'bob', 'cleo'].map(person) as [
    Person,
    Person,
    Person,
    Person,
  ];
  const nonce = random(16);
  const space = spaceIdOf(nonce, olga.account, olga.aik);
  const [crew, general, deck] = [1, 2, 3].map(() => channelId(hex(random(16)))) as [
    ChannelOp['channel'],
    ChannelOp['channel'],
    ChannelOp['channel'],
  ];
  const [once, often] = [ed25519.generate(random), ed25519.generate(random)];
  const plain = { topic: '', parent: undefined, position: 0, slowSeconds: 0, history: false };
  const p = permissions;
  const mates =
    p.manageRoles |
    p.kick |
    p.ban |
    p.timeout |
    p.mute |
    p.managePosts |
    p.reports |
    p.invite |
    p.view;
  const joins = (who: Person, invite: SigningPair, bot = false): Act => {
    const { account, aik, name } = who;
    const proof = proveInvited(invite, { space, account, aik });
    return [who, { op: 'join', name, aik, resets: 0, bot, invite: invite.public, proof }];
  };
  const about = { account: bob.account, reason: 'Lärm' };
  const acts: Act[] = [
    [olga, { op: 'create', nonce, aik: olga.aik, name: 'olga', resets: 0, title: 'Insel 🏝' }],
    [olga, { op: 'settings', title: 'Isle', joinLocked: false }],
    [
      olga,
      { op: 'channel', channel: crew, kind: 'category', name: 'crew', ...plain, overrides: [] },
    ],
    [olga, { op: 'role', role: 0, name: '', position: 0, permissions: p.view | p.post | p.react }],
    [olga, { op: 'role', role: 1, name: 'mates', position: 2, permissions: mates }],
    [olga, { op: 'role', role: 2, name: 'guests', position: 1, permissions: 0 }],
    [
      olga,
      {
        ...{ op: 'channel', channel: general, kind: 'text', name: 'general', ...plain },
        ...{ topic: 'Everything', position: 1, slowSeconds: 5 },
        overrides: [{ account: olga.account, allow: p.pin, deny: 0 }],
      },
    ],
    [
      olga,
      {
        ...{ op: 'channel', channel: deck, kind: 'text', name: 'deck', ...plain },
        ...{ parent: crew, history: true },
        overrides: [
          { role: 0, allow: 0, deny: p.view },
          { role: 1, allow: p.view, deny: 0 },
        ],
      },
    ],
    [olga, { op: 'invite', key: once.public, expires: time + 86_400, uses: 1, role: 1 }],
    joins(ann, once),
    [ann, { op: 'invite', key: often.public, expires: 0, uses: 0, role: 0 }],
    joins(bob, often),
    joins(cleo, often, true),
    [olga, { op: 'memberRoles', account: bob.account, roles: [2] }],
    [ann, { op: 'timeout', until: time + 600, ...about }],
    [ann, { op: 'mute', account: bob.account, muted: true }],
    [olga, { op: 'rekey', channel: general }],
    [ann, { op: 'removePosts', channel: general, seqs: [3, 9] }],
    [ann, { op: 'reportClosed', report: random(16), acted: true }],
    [ann, { op: 'kick', account: cleo.account, reason: '' }],
    joins(cleo, often, true),
    [ann, { op: 'ban', account: cleo.account, reason: 'again' }],
    [ann, { op: 'unban', account: cleo.account }],
    [olga, { op: 'inviteGone', key: often.public }],
    [
      olga,
      { op: 'readmit', account: bob.account, aik: ed25519.generate(random).public, resets: 1 },
    ],
    [olga, { op: 'roleGone', role: 2 }],
    [olga, { op: 'channelGone', channel: deck }],
    [olga, { op: 'owner', account: ann.account }],
    [bob, { op: 'leave' }],
    [ann, { op: 'close' }],
  ];
  return {
    space,
    acts,
    people: { olga, ann, bob, cleo },
    channels: { crew, general, deck },
    joins,
    often,
  };
}

/** Somebody's rights by roles and overrides of a category and a channel in it. */
function permissionCase(n: number) {
  const who = accountId('0a'.repeat(16));
  const bits = Object.values(permissions).filter((bit) => bit !== permissions.administrator);
  const sum = () =>
    bits.filter(() => (random(1)[0] ?? 0) % 3 === 0).reduce((all, bit) => all | bit, 0);
  const overrides = (): Override[] =>
    [{ role: 0 }, { role: 1 }, { role: 2 }, { account: who }].flatMap((of) => {
      const [allow, deny] = [sum(), sum()];
      return (random(1)[0] ?? 0) % 2 ? [] : [{ ...of, allow: allow & ~deny, deny }];
    });
  const roles = [0, 1, 2].map((role) => {
    const all = n % 10 === 9 && role === 1 ? permissions.administrator : 0;
    const more = role === 0 && n % 4 > 0 ? permissions.view | permissions.post : 0;
    return { role, name: '', position: role, permissions: sum() | all | more };
  });
  const [category, channel] = [overrides(), overrides()];
  const mine = [[], [1], [2], [1, 2]][n % 4] ?? [];
  const place = { topic: '', position: 0, slowSeconds: 0, history: false, created: 1, name: 'c' };
  const parent = channelId('0b'.repeat(16));
  const above = { ...place, channel: parent, kind: 'category', parent: undefined } as const;
  const inside = { ...place, channel: channelId('0c'.repeat(16)), kind: 'text', parent } as const;
  const standing = {
    owner: undefined,
    closed: false,
    members: { get: () => ({ roles: mine }) },
    roles: new Map(roles.map((role) => [role.role, role])),
    channels: new Map([[parent, { ...above, overrides: category }]]),
  };
  const there = { ...inside, overrides: channel };
  const base = permissionsIn(standing, who);
  const sums = { space: base, channel: permissionsIn(standing, who, there) };
  return { account: who, mine, roles: roles.map((r) => r.permissions), category, channel, sums };
}

export const vectors: VectorFile = {
  name: 'space',
  document: 'docs/protocol/channel.md §2, §3, §4',
  make() {
    // Made twice, it is the same.
    random = seededRandom('space');
    const { space, acts, people, channels, joins, often } = script();
    const { olga, ann, bob, cleo } = people;
    let state: SpaceState | undefined;
    const place = (who: Person, op: SpaceOp): EntryFields => ({
      ...{ space, seq: (state?.seq ?? 0) + 1, prev: state?.hash ?? noEntry, op },
      ...{ time: time + (state?.seq ?? 0), actor: who.account, device: deviceId(1), listEpoch: 1 },
    });
    const entry = (who: Person, op: SpaceOp, change: Partial<EntryFields> = {}): SpaceEntry =>
      openEntry(signEntry({ ...place(who, op), ...change }, who.dsk));
    const against: (Refused & { after: number })[] = [];
    const refuse = (why: string, each: SpaceEntry) => {
      const now = state;
      if (now === undefined) return;
      const check = (bytes: Uint8Array) => checkPermitted(now, openEntry(bytes));
      against.push({ after: now.seq, ...refused(why, each.bytes, check) });
    };
    const kick = (who: Person): SpaceOp => ({ op: 'kick', account: who.account, reason: '' });
    const give = (who: Person, roles: number[]): SpaceOp => ({
      ...{ op: 'memberRoles', account: who.account, roles },
    });
    const refusals: Record<number, () => void> = {
      12() {
        refuse('of another history', entry(ann, kick(bob), { prev: random(32) }));
        refuse('a place further on', entry(ann, kick(bob), { seq: 14 }));
        refuse('before the entry before', entry(ann, kick(bob), { time: time - 1 }));
        refuse('by nobody of it', entry(cleo, { op: 'leave' }));
        refuse('on somebody higher', entry(ann, kick(olga)));
        refuse('without the permission', entry(bob, kick(ann)));
        refuse('an owner who leaves', entry(olga, { op: 'leave' }));
        refuse('a role as high as one’s own', entry(ann, give(bob, [1])));
        refuse('a role that is not there', entry(ann, give(bob, [9])));
        refuse('a member who comes', entry(...joins(bob, often)));
        refuse('an invite that there is not', entry(...joins(cleo, ed25519.fromSeed(random(32)))));
        const role = { op: 'role', role: 3, name: 'r', position: 1 } as const;
        refuse('a right of others', entry(ann, { ...role, permissions: permissions.pin }));
        refuse(
          'a category with channels',
          entry(olga, { op: 'channelGone', channel: channels.crew }),
        );
      },
      22: () => refuse('somebody who is banned', entry(...joins(cleo, often))),
      28() {
        const { deck } = channels;
        const op = { op: 'channel', channel: deck, kind: 'text', name: 'deck', topic: '' } as const;
        const rest = { parent: undefined, position: 0, slowSeconds: 0, history: false };
        refuse('an id that is gone', entry(ann, { ...op, ...rest, overrides: [] }));
      },
      30: () =>
        refuse('behind the end', entry(ann, { op: 'settings', title: 'a', joinLocked: true })),
    };
    const entries = acts.map(([who, op]) => {
      const made = entry(who, op);
      verifyEntry(made, who.dsk.public);
      if (state === undefined) state = beginSpace(made);
      else applyEntry(state, made);
      const now: SpaceState = state;
      refusals[now.seq]?.();
      const { bytes, hash, space: _, ...fields } = made;
      const each = (id: ChannelOp['channel']) => ({
        ...{ epoch: keyEpochAt(now, id, now.seq), readers: readersOf(now, id) },
      });
      const after = { general: each(channels.general), deck: each(channels.deck) };
      return { fields, bytes, hash, after };
    });
    const [create] = entries;
    const joined = entries[9];
    if (!create || !joined) throw new Error('no entries');
    const otherKey = (bytes: Uint8Array) => verifyEntry(openEntry(bytes), bob.dsk.public);
    const byAnn = (bytes: Uint8Array) => verifyEntry(openEntry(bytes), ann.dsk.public);
    const proofless = { ...acts[9]?.[1], proof: random(64) } as SpaceOp;
    const { prev, seq, time: when } = joined.fields;
    return {
      space,
      people: Object.values(people).map(({ dsk, ...who }) => ({ ...who, dsk: dsk.private })),
      channels,
      entries,
      refusedForms: [
        ...refusedForms(create.bytes, openEntry),
        refused('another id than that of who began it', changed(create.bytes, 2, 0, 0), openEntry),
        refused('no first entry with the place of one', changed(joined.bytes, 25, 1), openEntry),
        refused('an op that there is not', changed(joined.bytes, 86, 0x7f), openEntry),
        refused('of another device', joined.bytes, otherKey),
        refused(
          'without the invite’s word',
          signEntry({ ...place(ann, proofless), seq, prev, time: when }, ann.dsk),
          byAnn,
        ),
      ],
      refused: against,
      allPermissions,
      permissions: Array.from({ length: 40 }, (_, n) => permissionCase(n)),
    };
  },
};
