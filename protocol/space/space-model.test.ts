/**
 * Scripts of whatever anybody may try, against a state that is told nothing of them and against a reader who goes
 * through every entry for itself. docs/protocol/channel.md §3, §4
 */
import fc from 'fast-check';
import t from 'tap';
import { ed25519, equal } from '../crypto/primitives.ts';
import { Fault } from '../wire/fault.ts';
import { type AccountId, type ChannelId, channelId } from '../wire/ids.ts';
import { openEntry, type SpaceEntry, verifyEntry } from './entry.ts';
import { allPermissions, permissions, permissionsIn, rankOf } from './permissions.ts';
import { couldPost, couldView, keyEpochAt, lostBy, readersOf, viewSince } from './readers.ts';
import type { ChannelOp, Override, SpaceOp } from './space-op.ts';
import { applyEntry, beginSpace, type SpaceState } from './space-state.ts';
import { type SamplePerson, type SampleSpace, sampleSpace } from './testing/sample-space.ts';

const bits = Object.values(permissions);
const one = Buffer.alloc(32, 1);
const keys = [0, 1, 2].map((n) => ed25519.fromSeed(one.map((byte) => byte + n)));
const channels = [1, 2, 3, 4].map((n) => channelId(`${n}`.repeat(32)));
const kinds = ['text', 'text', 'text', 'category'] as const;

const sum = fc
  .array(fc.constantFrom(...bits), { maxLength: 4 })
  .map((some) => some.reduce((all, bit) => all | bit, 0));
const role = fc.integer({ min: 1, max: 4 });
const person = fc.nat(4);
const place = fc.nat(3);
const override = fc.record({ whose: fc.nat(7), allow: sum, deny: sum });
const step = fc.record({
  by: fc.oneof(fc.constant(0), person),
  later: fc.nat(20),
  act: fc.oneof(
    { weight: 3, arbitrary: fc.record({ op: fc.constant('join' as const), key: fc.nat(2) }) },
    {
      weight: 3,
      arbitrary: fc.record({ op: fc.constant('invite' as const), key: fc.nat(2), role: fc.nat(4) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        op: fc.constant('role' as const),
        role: fc.nat(4),
        position: fc.nat(4),
        sum,
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        op: fc.constant('channel' as const),
        channel: place,
        inside: fc.boolean(),
        overrides: fc.array(override, { maxLength: 3 }),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        op: fc.constant('memberRoles' as const),
        on: person,
        roles: fc.uniqueArray(role, { maxLength: 3 }),
      }),
    },
    fc.record({ op: fc.constantFrom('roleGone' as const), role }),
    fc.record({ op: fc.constantFrom('channelGone' as const, 'rekey' as const), channel: place }),
    fc.record({
      op: fc.constantFrom('kick', 'ban', 'unban', 'timeout', 'mute', 'owner', 'readmit' as const),
      on: person,
    }),
    fc.record({ op: fc.constantFrom('leave' as const, 'inviteGone' as const), key: fc.nat(2) }),
  ),
});
type Step = (typeof step extends fc.Arbitrary<infer S> ? S : never)['act'];

function opOf(isle: SampleSpace, crew: readonly SamplePerson[], by: number, act: Step): SpaceOp {
  const on = (n: number) => crew[n] as SamplePerson;
  const key = (n: number) => keys[n] as (typeof keys)[number];
  switch (act.op) {
    case 'join':
      return isle.joining(on(by), key(act.key));
    case 'invite':
      return { op: 'invite', key: key(act.key).public, expires: 0, uses: 2, role: act.role };
    case 'role': {
      const name = act.role === 0 ? '' : 'role';
      const position = act.role === 0 ? 0 : act.position + 1;
      return { op: 'role', role: act.role, name, position, permissions: act.sum };
    }
    case 'channel': {
      const kind = kinds[act.channel] ?? 'text';
      const overrides = new Map<number, Override>();
      for (const { whose, allow, deny } of act.overrides) {
        const of = whose < 4 ? { role: whose } : { account: on(whose - 4).account };
        overrides.set(whose, { ...of, allow: allow & ~deny, deny });
      }
      const channel = channels[act.channel] as ChannelId;
      const parent = act.inside && kind === 'text' ? channels[3] : undefined;
      const rest = { topic: '', position: 0, slowSeconds: 0, history: false };
      return {
        ...{ op: 'channel', channel, kind, name: 'channel', parent, ...rest },
        overrides: [...overrides.values()],
      } satisfies ChannelOp;
    }
    case 'memberRoles': {
      const roles = [...act.roles].sort((a, b) => a - b);
      return { op: 'memberRoles', account: on(act.on).account, roles };
    }
    case 'roleGone':
      return act;
    case 'channelGone':
    case 'rekey':
      return { op: act.op, channel: channels[act.channel] as ChannelId };
    case 'leave':
      return { op: 'leave' };
    case 'inviteGone':
      return { op: 'inviteGone', key: key(act.key).public };
    default:
      return about(act.op, on(act.on), isle.state);
  }
}

function about(op: string, { account, aik }: SamplePerson, { time }: SpaceState): SpaceOp {
  if (op === 'unban' || op === 'owner') return { op, account };
  if (op === 'mute') return { op, account, muted: true };
  if (op === 'timeout') return { op, account, until: time + 60, reason: '' };
  if (op === 'readmit') return { op, account, aik: aik.public, resets: 1 };
  return { op: op === 'ban' ? 'ban' : 'kick', account, reason: '' };
}

/** What somebody may do: in the space, and in each channel. */
type Rights = Map<ChannelId | 'space', number>;

const rightsOf = (state: SpaceState, account: AccountId): Rights =>
  new Map<ChannelId | 'space', number>([
    ['space', permissionsIn(state, account)],
    ...[...state.channels].map(
      ([id, channel]) => [id, permissionsIn(state, account, channel)] as const,
    ),
  ]);

/** Where an account has more than it had, and what. */
const gained = (before: Rights, after: Rights): (readonly [ChannelId | 'space', number])[] =>
  [...after]
    .map(([id, now]) => [id, before.has(id) ? now & ~(before.get(id) ?? 0) : 0] as const)
    .filter(([, more]) => more !== 0);

interface Seen {
  ranks: number[];
  rights: Rights[];
  readers: Map<ChannelId, AccountId[]>;
}

const look = (state: SpaceState, crew: readonly SamplePerson[]): Seen => ({
  ranks: crew.map(({ account }) => rankOf(state, account)),
  rights: crew.map(({ account }) => rightsOf(state, account)),
  readers: new Map(channels.map((id) => [id, readersOf(state, id)])),
});

/** Nobody's own act raises them, and nobody gives more than they have. */
function checkAct(entry: SpaceEntry, by: number, before: Seen, after: Seen, state: SpaceState) {
  const { op } = entry;
  const inviter = op.op === 'join' ? [...state.invites.values()] : [];
  const everybody = state.roles.get(0)?.permissions ?? 0;
  for (const [n, rights] of after.rights.entries()) {
    const more = gained(before.rights[n] ?? new Map(), rights);
    if (op.op === 'owner') continue;
    if (op.op === 'join') {
      const most = inviter.reduce((sum, each) => sum | permissionsIn(state, each.by), everybody);
      if (
        n === by &&
        ((rights.get('space') ?? 0) &
          ~most &
          ~(everybody & permissions.administrator ? allPermissions : 0)) !==
          0
      )
        throw new Error('whoever came has what nobody gave');
      continue;
    }
    if (n === by && more.length > 0) throw new Error(`${op.op} raised its own actor`);
    const had = before.rights[by]?.get('space') ?? 0;
    for (const [id, sum] of more)
      if (id === 'space' && (sum & ~had) !== 0) throw new Error(`${op.op} gave what was not there`);
    if (n === by && (after.ranks[n] ?? 0) > (before.ranks[n] ?? 0))
      throw new Error(`${op.op} raised the rank of its actor`);
  }
}

/** As somebody sees it who compares who reads what before and after each entry. */
function checkReaders(entry: SpaceEntry, before: Seen, after: Seen, state: SpaceState): void {
  const { op, seq } = entry;
  const lost = new Map(lostBy(state, seq));
  for (const id of channels) {
    const now = new Set(after.readers.get(id));
    const gone = (before.readers.get(id) ?? []).filter((account) => !now.has(account));
    const made =
      op.op === 'channel' && op.channel === id && state.channels.get(id)?.created === seq;
    if (state.channels.get(id)?.kind === 'category' || id === channels[3]) continue;
    const moved = gone.length > 0 || made || (op.op === 'rekey' && op.channel === id);
    if ((keyEpochAt(state, id, seq) === seq) !== moved) throw new Error(`the epoch at ${op.op}`);
    if ([...gone].sort().join() !== [...(lost.get(id) ?? [])].sort().join())
      throw new Error(`${op.op}: who lost it`);
    const away =
      op.op === 'leave' ? entry.actor : op.op === 'kick' || op.op === 'ban' ? op.account : '';
    if (now.has(away as AccountId)) throw new Error('who is gone reads on');
  }
}

const plain = (state: SpaceState): string =>
  JSON.stringify(state, (_key, value: unknown) =>
    value instanceof Map ? [...value] : value instanceof Set ? [...value] : value,
  );

/** Everybody is there, three of them with something to say. */
function begin(isle: SampleSpace, crew: readonly SamplePerson[]): void {
  const { manageRoles, manageChannels, managePosts, kick, ban, invite } = permissions;
  const sums = [manageRoles, manageChannels | managePosts, kick | ban | invite | manageRoles, 0];
  for (const [n, sum] of sums.entries())
    isle.act(isle.owner, {
      op: 'role',
      role: n + 1,
      name: 'role',
      position: n + 1,
      permissions: sum,
    });
  const key = ed25519.fromSeed(Buffer.alloc(32, 9));
  isle.act(isle.owner, { op: 'invite', key: key.public, expires: 0, uses: 0, role: 0 });
  for (const who of crew.slice(1)) isle.act(who, isle.joining(who, key));
  for (const [n, roles] of [[1, 3], [1, 2], [2]].entries()) {
    const { account } = crew[n + 1] as SamplePerson;
    isle.act(isle.owner, { op: 'memberRoles', account, roles });
  }
  const plain = { topic: '', position: 0, slowSeconds: 0, history: false };
  for (const [n, kind] of [...kinds.entries()].reverse()) {
    const parent = n === 0 ? channels[3] : undefined;
    const place = { channel: channels[n] as ChannelId, kind, parent, ...plain };
    isle.act(isle.owner, { op: 'channel', name: 'channel', ...place, overrides: [] });
  }
}

t.test('M3: whatever anybody tries, nobody rises by it, and two who fold it agree', (t) => {
  let taken = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), (steps) => {
      const isle = sampleSpace('space-model');
      const { state, owner } = isle;
      const crew = [owner, ...['ann', 'bob', 'cleo', 'dan'].map((name) => isle.person(name))];
      begin(isle, crew);
      const history: Seen[] = [];
      const began = state.seq;
      for (const { by, later, act } of steps) {
        const who = crew[by] as SamplePerson;
        const before = look(state, crew);
        const digest = plain(state);
        const entry = isle.entry(who, opOf(isle, crew, by, act), { time: state.time + later });
        verifyEntry(entry, who.dsk.public);
        try {
          isle.take(entry);
        } catch (error) {
          if (!(error instanceof Fault)) throw error;
          if (plain(state) !== digest) throw new Error(`${error.code} changed something`);
          continue;
        }
        taken += 1;
        const after = look(state, crew);
        checkAct(entry, by, before, after, state);
        checkReaders(entry, before, after, state);
        history[entry.seq] = after;
      }
      const [first, ...rest] = isle.entries.map(({ bytes }) => openEntry(bytes));
      if (first === undefined) throw new Error('nothing');
      const again = beginSpace(first);
      for (const entry of rest) applyEntry(again, entry);
      if (plain(again) !== plain(state)) throw new Error('two folds of one log');
      for (const [seq, seen] of history.entries()) checkPast(state, crew, seq, seen);
      for (const id of channels) checkSince(state, crew, history, id, began);
    }),
    { numRuns: 150 },
  );
  t.ok(taken > 500, `${taken} acts were permitted`);
  t.end();
});

function checkPast(
  state: SpaceState,
  crew: readonly SamplePerson[],
  seq: number,
  seen: Seen | undefined,
): void {
  if (seen === undefined) return;
  for (const [n, { account }] of crew.entries())
    for (const id of channels) {
      const sum = seen.rights[n]?.get(id) ?? 0;
      const same =
        couldView(state, id, account, seq) === ((sum & permissions.view) !== 0) &&
        couldPost(state, id, account, seq) === ((sum & permissions.post) !== 0);
      if (!same) throw new Error('who could read and post then');
    }
}

function checkSince(
  state: SpaceState,
  crew: readonly SamplePerson[],
  history: readonly Seen[],
  id: ChannelId,
  began: number,
): void {
  for (const { account } of crew) {
    let since = couldView(state, id, account, began) ? 0 : undefined;
    for (const [seq, seen] of history.entries()) {
      if (seen === undefined) continue;
      const reads = seen.readers.get(id)?.includes(account);
      since = reads ? (since ?? seq) : undefined;
    }
    if (id === channels[3]) continue;
    const said = viewSince(state, id, account);
    const same = since === 0 ? said !== undefined && said <= began : said === since;
    if (!same) throw new Error('since when they read');
  }
}

t.test('what a model would not notice is noticed: an entry of another history', (t) => {
  const [one, other] = [sampleSpace('one'), sampleSpace('other')];
  t.notOk(equal(one.state.hash, other.state.hash));
  t.throws(() => applyEntry(one.state, other.entry(other.owner, { op: 'close' })));
  t.end();
});
