/** Who made an entry, where an island lies about it: against lists that a log would prove. docs/protocol/channel.md §3.2 */
import { randomBytes } from 'node:crypto';
import { createDevice, signDeviceCert } from '@island/protocol/crypto/device.ts';
import {
  nextDeviceList,
  openDeviceList,
  signDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import type { SpaceEntry } from '@island/protocol/space/entry.ts';
import type { SpaceOp } from '@island/protocol/space/space-op.ts';
import { type SamplePerson, sampleSpace } from '@island/protocol/space/testing/sample-space.ts';
import { type AccountId, deviceId, type SpaceId } from '@island/protocol/wire/ids.ts';
import t from 'tap';
import { Problem } from '../problem.ts';
import { memoryStorage } from '../storage/memory.ts';
import { type Actors, openActors, type Word } from './actors.ts';
import { openFollowing } from './following.ts';

const forged = { code: 'space_forged' };

/** People whose lists are what the log says; `ends`: whose account is no more. */
function world(seed: string) {
  const isle = sampleSpace(seed);
  const lists = new Map<string, Uint8Array[]>();
  const ended = new Set<string>();
  const know = (who: SamplePerson) => lists.set(who.name, [who.list]);
  function listed(name: string, at: number) {
    const list = openDeviceList(lists.get(name)?.at(at) ?? new Uint8Array(0));
    return { name, account: list.account, list };
  }
  const newest = (name: string) => {
    if (ended.has(name)) throw new Problem('person_ended', { name });
    return listed(name, -1);
  };
  const parts = {
    account: { account: 'ff'.repeat(16) as AccountId, name: 'me' },
    // Whom this home met before: as they were then.
    people: {
      find: async (name: string) => (ended.has(name) ? newest(name) : listed(name, 0)),
      async refresh(name: string) {
        const now = newest(name);
        if (now.list.resetCounter > 0) throw new Problem('identity_changed', { name });
        return now;
      },
    },
    own: {},
    lookups: {
      person: async (name: string) => newest(name),
      lists: async (name: string) => lists.get(name) ?? [],
    },
  };
  know(isle.owner);
  const actors = openActors(parts as never);
  function change(who: SamplePerson, by: Parameters<typeof nextDeviceList>[1], aik = who.aik) {
    const all = lists.get(who.name) ?? [];
    const next = nextDeviceList(openDeviceList(all.at(-1) ?? who.list), by, 20_001);
    all.push(signDeviceList(next, aik));
  }
  return { isle, actors, know, change, ended };
}

const device = (who: SamplePerson, number: number, aik = who.aik.public) => {
  const keys = createDevice({
    account: who.account,
    device: deviceId(number),
    random: randomBytes,
  });
  return { keys, cert: signDeviceCert(keys, aik, 20_001) };
};

t.test('an entry names a list that has its device, and that the log has', async (t) => {
  const { isle, actors, know, change } = world('lists');
  const ann = isle.join('ann');
  know(ann);
  const { keys, cert } = device(ann, 2);
  change(ann, { devices: [...openDeviceList(ann.list).devices, cert] });
  const by = (listEpoch: number) => {
    const second = { ...ann, dsk: keys.dsk };
    const leaving = isle.entry(second, { op: 'leave' }, { device: deviceId(2), listEpoch });
    return actors.verify(leaving, isle.state);
  };
  t.equal(await by(2), 'proved');
  await t.rejects(by(1), forged);
  t.equal(await by(3), 'later', 'what the log may show in a moment');
});

t.test('ghost member: an account that was begun anew acts for nobody', async (t) => {
  const { isle, actors, know, change } = world('reset');
  const ann = isle.join('ann');
  know(ann);
  const aik = ed25519.fromSeed(randomBytes(32));
  const { keys, cert } = device(ann, 2, aik.public);
  change(ann, { devices: [cert], replace: { aik: aik.public, how: 'reset' } }, aik);
  const anew = { ...ann, dsk: keys.dsk };
  const act = (op: SpaceOp) =>
    actors.verify(isle.entry(anew, op, { device: deviceId(2), listEpoch: 2 }), isle.state);
  await t.rejects(act({ op: 'unban', account: isle.owner.account }), forged);
  t.equal(await act({ op: 'leave' }), 'proved');
  const early = isle.entry(ann, { op: 'unban', account: isle.owner.account });
  t.equal(await actors.verify(early, isle.state), 'proved', 'what she did before stays hers');
  const again = (resets: number, key: Uint8Array) => {
    const op = { op: 'readmit', account: ann.account, aik: key, resets } as const;
    return actors.verify(isle.entry(isle.owner, op), isle.state);
  };
  await t.rejects(again(9, aik.public), forged, 'she would be locked out for good');
  await t.rejects(again(1, ann.aik.public), forged);
  t.equal(await again(1, aik.public), 'proved');
});

t.test('M3: no channel of a space has the id of one of another', async (t) => {
  const [one, other] = [world('one').isle, world('other').isle];
  const shown = new Map([one, other].map(({ state, entries }) => [state.space, entries]));
  const me = one.owner.account;
  const following = home(
    (space) => shown.get(space) ?? [],
    () => 'proved',
    me,
  );
  const channel = one.channel('lobby');
  await following.follow(one.state.space);
  await following.follow(other.state.space);
  other.channel('bait', { channel });
  await t.rejects(
    following.follow(other.state.space),
    forged,
    'chains of the one are not for the other',
  );
  one.channel('second');
  t.equal((await following.follow(one.state.space)).channels.size, 2);
});

/** A home that follows what `shown` has, of people of whom `word` is known. */
function home(
  shown: (space: SpaceId) => readonly SpaceEntry[],
  word: (entry: SpaceEntry) => Word,
  me: AccountId,
) {
  const actors: Pick<Actors, 'verify' | 'meet'> = {
    verify: async (entry) => word(entry),
    meet: async () => undefined,
  };
  const session = {
    call: async (_name: string, { space, after }: { space: SpaceId; after: number }) => ({
      seq: shown(space).length,
      entries: shown(space)
        .slice(after, after + 2)
        .map(({ bytes }) => bytes),
    }),
  };
  const parts = { account: { account: me }, storage: memoryStorage(), session, actors };
  return openFollowing(parts as never);
}

t.test('M3: nobody acts in the name of who has ended, with an accomplice or without', async (t) => {
  const { isle } = world('ended');
  const { owner, state, entries } = isle;
  const kick = 0x400;
  isle.act(owner, { op: 'role', role: 1, name: 'mates', position: 1, permissions: kick });
  const [gone, crony, victim] = [isle.join('gone', 1), isle.join('crony'), isle.join('victim')];
  const word = ({ actor, seq }: SpaceEntry): Word =>
    actor === gone.account && seq > sure ? 'ended' : 'proved';
  const sure = state.seq;
  const following = home(() => entries, word, victim.account);
  await following.follow(state.space);
  isle.act(gone, { op: 'kick', account: victim.account, reason: '' });
  t.equal((await following.follow(state.space)).seq, sure, 'nobody vouches for it');
  isle.act(crony, { op: 'leave' });
  t.equal((await following.follow(state.space)).seq, sure, 'nor somebody who could not do it');
  const fresh = home(() => entries, word, victim.account);
  t.equal((await fresh.follow(state.space)).seq, state.seq, 'whoever comes takes what there is');
  for (const title of ['a', 'b', 'c'])
    isle.act(owner, { op: 'settings', title, joinLocked: false });
  t.equal((await following.follow(state.space)).seq, state.seq, 'the owner does');
});

t.test('what the log of keys does not show yet is taken when it does', async (t) => {
  const { isle } = world('later');
  const { owner, state, entries } = isle;
  const word = { now: 'later' as Word };
  const following = home(
    () => entries,
    ({ seq }) => (seq > 1 ? word.now : 'proved'),
    owner.account,
  );
  isle.act(owner, { op: 'settings', title: 'b', joinLocked: false });
  t.equal((await following.follow(state.space)).seq, 1);
  word.now = 'proved';
  t.equal((await following.follow(state.space)).seq, 2);
});
