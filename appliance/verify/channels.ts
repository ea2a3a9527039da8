/**
 * M3: throw-away people begin a server and post in it. What is stored of a post does not grow with its readers, the
 * island lets nobody in and forges nothing, who is removed reads nothing that follows. docs/protocol/channel.md
 *
 * The server is ended by its owner when the check is over, and deleted a week later. Where not everybody may begin
 * one, its owner is on the list of those who may for as long as the check lasts.
 */
import { decodePost } from '@island/protocol/crypto/post.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { keyEpochAt } from '@island/protocol/space/readers.ts';
import { hashAt } from '@island/protocol/space/space-state.ts';
import { envelopeId } from '@island/protocol/wire/ids.ts';
import { base64url, hex } from '@island/protocol/wire/text.ts';
import { askControl } from '../operator.ts';
import type { ServerPolicy } from '../server-messages.ts';
import { type Finding, type Findings, found } from './finding.ts';
import { checkClient, checkService } from './forged-entries.ts';
import { type Member, memberOf, opened, type Place } from './member.ts';
import { outcomeOf } from './onlooker.ts';
import type { Person } from './people.ts';
import type { Scene } from './scene.ts';
import { type Kept, kept } from './stored-server.ts';
import { among, searchFiles, spellings } from './traces.ts';

export interface Crew {
  alice: Person;
  bob: Person;
  /** Somebody who is removed from the server. */
  carol: Person;
  /** Somebody who is never let in. */
  dave: Person;
}

export async function checkChannels(scene: Scene, crew: Crew): Promise<Findings> {
  const { alice, bob, carol, dave } = crew;
  await using _leave = await leaveToBegin(scene, alice);
  await using one = await alice.open();
  await using two = await bob.open();
  await using three = await carol.open();
  await using four = await dave.open();
  const [owner, member, leaver, ghost] = [one, two, three, four].map(memberOf) as Four;
  const said = (text: string): string => `${alice.password} posts ${text}`;
  const title = `verify ${hex(randomBytes(8))}`;
  const state = await one.spaces.create(title);
  const [channel] = state.channels.keys();
  if (channel === undefined) throw new Error('the server began without a channel');
  const place = { space: state.space, channel };
  await using _ended = {
    async [Symbol.asyncDispose]() {
      await one.spaces.act(place.space, { op: 'close' });
    },
  };

  await owner.begin(place, []);
  const alone = await kept(scene, place, async () => {
    await owner.post(await owner.seal(said('one')));
  });
  const link = await one.spaces.invite(place.space, { expires: 0, uses: 5, role: 0 });
  for (const who of [member, leaver]) {
    await who.islander.spaces.join(link);
    await owner.hand(who);
  }
  const second = await owner.seal(said('two'));
  const among3 = await kept(scene, place, async () => {
    await owner.post(second);
  });
  const forging = { owner, member, ghost, space: place.space, link };
  const findings = [
    ...checkKept(alone, among3),
    ...(await checkReaders(place, { owner, member, leaver }, second, said('two'))),
    ...(await checkService(forging)),
    ...(await checkKick(place, { owner, member, leaver, ghost }, said)),
    ...(await checkClient(forging, bob)),
    ...(await checkTexts(scene, crew, title)),
  ];
  return {
    summary: `a post is one ciphertext, ${among3.bytes} bytes of ${among3.rows} row, for one member or three; forged entries and a ghost are refused by the island and by a client; who was removed reads nothing that follows`,
    findings,
  };
}

type Four = [Member, Member, Member, Member];

/** Whoever begins the server may do so for as long as this is not disposed of. */
async function leaveToBegin({ layout }: Scene, { name }: Person): Promise<AsyncDisposable> {
  const path = '/servers/policy';
  const set = (body: object) => askControl(layout.data, { method: 'POST', path, body });
  const before = (await askControl(layout.data, { method: 'GET', path })) as ServerPolicy;
  if (before.beginners === 'everybody') return { async [Symbol.asyncDispose]() {} };
  await set({ beginners: 'listed', allow: [name] });
  return {
    async [Symbol.asyncDispose]() {
      await set({ beginners: before.beginners, remove: [name] });
    },
  };
}

const checkKept = (alone: Kept, among3: Kept): Finding[] => [
  found(
    alone.rows === 1 && among3.rows === 1 && alone.bytes === among3.bytes,
    `a post is stored as ${alone.rows} row of ${alone.bytes} bytes where one may read it, ${among3.rows} row of ${among3.bytes} bytes where three may`,
  ),
];

async function checkReaders(
  place: Place,
  { owner, member, leaver }: { owner: Member; member: Member; leaver: Member },
  sealed: Uint8Array,
  text: string,
): Promise<Finding[]> {
  const same = async (who: Member): Promise<boolean> => {
    const newest = (await who.page(place)).at(-1);
    return newest !== undefined && Buffer.compare(newest, sealed) === 0;
  };
  const given = [await same(owner), await same(member), await same(leaver)];
  const read = [
    await member.read(owner.islander, sealed),
    await leaver.read(owner.islander, sealed),
  ];
  return [
    found(
      given.every(Boolean),
      `${given.filter(Boolean).length} of 3 members are given the same ciphertext`,
    ),
    found(
      read.every((each) => each === text),
      `${read.filter((each) => each === text).length} of 2 open it with the chain that they were handed`,
    ),
  ];
}

async function checkKick(
  place: Place,
  { owner, member, leaver, ghost }: Record<'owner' | 'member' | 'leaver' | 'ghost', Member>,
  said: (text: string) => string,
): Promise<Finding[]> {
  const { space, channel } = place;
  const { spaces } = owner.islander;
  await member.begin(place, [owner, leaver]);
  const whole = await spaces.follow(space);
  const before = keyEpochAt(whole, channel, whole.seq);
  // Made in time, and held until after.
  await leaver.begin(place, [owner]);
  const late = await leaver.seal(said('late'));
  const old = await member.seal(said('under the key of before'));
  const { account } = leaver.islander.account;
  await spaces.act(space, { op: 'kick', account, reason: '' });
  const state = await member.islander.spaces.follow(space);
  const epoch = keyEpochAt(state, channel, state.seq);
  const asked = {
    'posts are refused': await outcomeOf(() => leaver.post(late)),
    'pages are refused': await outcomeOf(() => leaver.page(place)),
    'the log is refused': await outcomeOf(() => leaver.islander.spaces.follow(space)),
  };
  const stranger = await outcomeOf(() => ghost.page(place));
  const stale = await outcomeOf(() => member.post(old));
  await member.begin(place, [owner]);
  const next = await member.seal(said('after'));
  await member.post(next);
  const post = decodePost(next);
  const { account: author, device } = member.islander.account;
  const context = { author, device, logHash: hashAt(state, post.logSeq) ?? new Uint8Array(32) };
  const tried = leaver.chains.map((chain) => opened(chain, post, context));
  const renamed = leaver.chains
    .filter((chain) => chain.author === author)
    .map((chain) => opened({ ...chain, id: post.chain }, post, context));
  const placed = await outcomeOf(() =>
    owner.islander.session.call('sendKeys', {
      ...{ space, to: account, epoch },
      envelopes: [
        {
          device: leaver.islander.account.device,
          id: envelopeId(hex(post.chain)),
          body: base64url(next),
        },
      ],
    }),
  );
  return [
    ...Object.entries(asked).map(([what, outcome]) =>
      found(outcome === 'not_found', `of who was removed ${what}: ${outcome}`),
    ),
    found(stranger === 'not_found', `of who never came pages are refused: ${stranger}`),
    found(
      epoch > before && stale === 'log_stale',
      `a removal begins a key epoch (${before}, then ${epoch}); a post under the key of before: ${stale}`,
    ),
    found(
      (await owner.read(member.islander, next)) === said('after'),
      'who stayed opens what follows, with the chain that was begun then',
    ),
    found(
      tried.length > 0 && tried.every((each) => each === 'no_chain'),
      `none of the ${tried.length} chains that the removed one had is its chain`,
    ),
    found(
      renamed.length > 0 && renamed.every((each) => each === 'undecryptable'),
      `nor do their keys open it under its name: ${[...new Set(renamed)].join(', ')}`,
    ),
    found(placed === 'not_found', `keys for who was removed are not passed on: ${placed}`),
  ];
}

async function checkTexts(scene: Scene, crew: Crew, title: string): Promise<Finding[]> {
  const { layout } = scene;
  const texts = spellings('text of a post', `${crew.alice.password} posts`);
  const words = [...texts, ...spellings('the title', title)];
  const sent = Object.values(crew).flatMap((person: Person) => person.sent);
  const told = sent.flatMap(({ body }) => among(texts, body));
  const stored = await searchFiles([layout.service(''), layout.log], words);
  return [
    found(
      told.length === 0,
      `${sent.length} recorded requests and frames hold ${told.length === 0 ? 'no text of a post' : 'TEXT OF A POST'}`,
    ),
    found(
      stored.hits.length === 0,
      stored.hits.join('; ') ||
        `${stored.files} files of databases and logs hold no text of a post, and no title in the clear`,
    ),
  ];
}
