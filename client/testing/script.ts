/** For tests: a random script for people and their devices, played at real services. client/agreement.test.ts */
import { fromHex } from '@island/protocol/wire/text.ts';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { hasPending } from '../archive/rows.ts';
import { backoff, pause } from '../backoff.ts';
import { history } from '../messages/history.ts';
import { type Actor, newcomer } from './actor.ts';
import { type Agreed, type Held, heldBy } from './agreed.ts';
import { type Dice, dice } from './dice.ts';
import { Killed } from './mortal.ts';
import { type RealIsland, type RestartedService, realIsland } from './real-island.ts';
import { calm, type Weather } from './rough-line.ts';
import { watchdog } from './watchdog.ts';

export interface Played {
  /** What was done, in order. */
  script: string[];
  /** What is not as it must be. */
  wrong: string[];
  /** It came to no end in its time; what it began may still run. */
  hung: boolean;
}

export interface Script {
  seed: number;
  steps: number;
  /** Of this machine's time: after it the script has failed, wherever it is. */
  seconds: number;
}

const names = ['alice', 'bob', 'carol'];
const devicesEach = 3;
const minute = 60_000;
/** Milliseconds that agreeing may take, before an hour more passes; and how often that may be. */
const patience = 40_000;
const rounds = 6;

const rain: Weather = {
  lost: 0.05,
  unanswered: 0.05,
  again: 0.1,
  breaks: 0.02,
  twice: 0.1,
  deaf: 0.2,
};
const storm: Weather = {
  lost: 0.2,
  unanswered: 0.2,
  again: 0.3,
  breaks: 0.1,
  twice: 0.3,
  deaf: 0.5,
};

interface Stage {
  island: RealIsland;
  dice: Dice;
  actors: Actor[];
  weather: Weather;
  script: string[];
  wrong: string[];
  /** What is done now. */
  at: string;
  /** What all do not have yet, as it was seen last. */
  missing: string[];
  hung: boolean;
  /** `whose id` of what need not be everywhere: what a device said that was removed since. */
  excused: Set<string>;
  /** What a device said that was put back to a copy of before. */
  forgotten: Set<string>;
  said: number;
}

/** Milliseconds that closing may take after that, and until another thread says that no timer fires. */
const parting = 10_000;
const grace = 20;

export async function play({ seed, steps, seconds }: Script): Promise<Played> {
  const what = `seed ${seed}, ${steps} steps`;
  await using dog = watchdog(what, seconds + parting / 1_000 + grace);
  await using island = await realIsland();
  const stage: Stage = {
    island,
    dice: dice(seed),
    actors: [],
    weather: calm,
    script: [],
    wrong: [],
    at: 'the beginning',
    missing: [],
    hung: false,
    excused: new Set(),
    forgotten: new Set(),
    said: 0,
  };
  const timer = new AbortController();
  const { signal } = timer;
  const played = perform(stage, seed, steps, dog.at).finally(() => timer.abort());
  // For what it throws when nobody waits for it any more.
  played.catch(() => undefined);
  await pause(seconds * 1_000, signal);
  if (signal.aborted) {
    await played;
    return stage;
  }
  stage.hung = true;
  stage.wrong.push(
    `${what}: no end after ${seconds} s, in ${stage.at}`,
    ...endings(stage),
    ...stage.missing,
  );
  for (const each of stage.actors) stage.wrong.push(await each.waitsFor());
  const killed = Promise.allSettled(stage.actors.map((each) => each.kill()));
  await Promise.race([killed, pause(parting)]);
  return stage;
}

async function perform(
  stage: Stage,
  seed: number,
  steps: number,
  tell: (at: string) => void,
): Promise<void> {
  const at = (what: string): void => {
    stage.at = what;
    tell(what);
  };
  const { roll: random } = dice(seed ^ 0x5eed);
  const around = { island: stage.island, weather: () => stage.weather, random };
  await Promise.all(
    names.map(async (name) => {
      const first = await newcomer(around, name);
      stage.actors.push(first);
      for (let n = 1; n < devicesEach; n++) stage.actors.push(await first.link());
    }),
  );
  stage.actors.sort((a, b) => (a.label < b.label ? -1 : 1));
  try {
    for (const each of stage.actors) await each.open();
    for (let n = 0; n < steps && !stage.hung; n++)
      await step(stage, (what) => at(`step ${n}: ${what}`));
    at('settling');
    await settle(stage);
    at('the end');
  } finally {
    for (const each of stage.actors) await each.close();
  }
}

type Move = (stage: Stage, actor: Actor) => Promise<string | undefined>;

const moves: readonly (readonly [weight: number, move: Move])[] = [
  [30, say],
  [8, edit],
  [4, takeBack],
  [8, react],
  [10, dieSoon],
  [4, kill],
  [4, close],
  [4, changeWeather],
  [3, restart],
  [3, jump],
  [2, skew],
  [1, linkOrRemove],
  [3, backUp],
  [2, putBack],
];
const total = moves.reduce((sum, [weight]) => sum + weight, 0);

async function step(stage: Stage, tell: (what: string) => void): Promise<void> {
  const { dice } = stage;
  tell('opening');
  for (const each of stage.actors) {
    if (await each.bury()) stage.script.push(`${each.label} is dead`);
    if (!each.islander && dice.roll() < 0.3) {
      await each.open();
      stage.script.push(`${each.label} is opened`);
    }
  }
  let at = dice.below(total);
  const move = moves.find(([weight]) => {
    at -= weight;
    return at < 0;
  })?.[1];
  const actor = dice.pick(stage.actors);
  const since = stage.script.length;
  tell(`${actor.label} ${move?.name}`);
  try {
    const did = await move?.(stage, actor);
    if (did !== undefined) stage.script.splice(since, 0, did);
  } catch (error) {
    // Who dies while speaking has said nothing that counts.
    if (!(error instanceof Killed)) stage.script.push(`${actor.label} ${move?.name}: ${error}`);
  }
  await pause(dice.below(250));
}

const others = (actor: Actor): string[] => names.filter((name) => name !== actor.name);

async function say(stage: Stage, actor: Actor): Promise<string | undefined> {
  const { dice } = stage;
  const to = dice.pick(others(actor));
  const texts = Array.from({ length: 1 + dice.below(3) }, () => `text ${++stage.said}`);
  await actor.islander?.send(to, texts);
  return actor.islander && `${actor.label} says to ${to}: ${texts.join(', ')}`;
}

interface Target {
  message: { id: string; text: string };
  /** The other side. */
  to: string;
  own: boolean;
}

/** Some message that this device has. */
async function some(stage: Stage, actor: Actor, own: boolean): Promise<Target | undefined> {
  const found = (await history(actor.storage)).flatMap((message): Target[] => {
    if (message.type === 'unreadable') return [];
    if (message.type === 'message') return own ? [] : [{ message, to: message.from, own: false }];
    return message.state === 'failed' ? [] : [{ message, to: message.to, own: true }];
  });
  return found.length > 0 && actor.islander ? stage.dice.pick(found.slice(-12)) : undefined;
}

async function edit(stage: Stage, actor: Actor): Promise<string | undefined> {
  const found = await some(stage, actor, true);
  if (!found) return undefined;
  const id = fromHex(found.message.id);
  const revision = 1 + stage.dice.below(3);
  const text = `edit ${++stage.said}`;
  await actor.islander?.act(found.to, { kind: 'edit', id, revision, text });
  return `${actor.label} edits "${found.message.text}": ${revision} ${text}`;
}

async function takeBack(stage: Stage, actor: Actor): Promise<string | undefined> {
  const found = await some(stage, actor, true);
  if (!found) return undefined;
  await actor.islander?.act(found.to, { kind: 'delete', id: fromHex(found.message.id) });
  return `${actor.label} deletes "${found.message.text}"`;
}

async function react(stage: Stage, actor: Actor): Promise<string | undefined> {
  const found = await some(stage, actor, false);
  if (!found) return undefined;
  const { message, to, own } = found;
  const target = { whose: own ? 'mine' : 'yours', id: fromHex(message.id) } as const;
  const put = stage.dice.roll() < 0.7;
  const emoji = stage.dice.pick(['👍', '❤️']);
  await actor.islander?.act(to, { kind: 'reaction', target, put, emoji });
  return `${actor.label} ${put ? 'puts' : 'takes'} ${emoji} to "${message.text}"`;
}

async function dieSoon({ dice }: Stage, actor: Actor): Promise<string | undefined> {
  const steps = dice.below(12);
  actor.dieIn(steps);
  return actor.islander && `${actor.label} dies in ${steps} steps`;
}

async function kill(_: Stage, actor: Actor): Promise<string | undefined> {
  if (!actor.islander) return undefined;
  await actor.kill();
  return `${actor.label} is killed`;
}

async function close(_: Stage, actor: Actor): Promise<string | undefined> {
  if (!actor.islander) return undefined;
  await actor.close();
  return `${actor.label} is closed`;
}

async function changeWeather(stage: Stage): Promise<string> {
  const found = stage.dice.pick(['calm', 'rain', 'storm'] as const);
  stage.weather = { calm, rain, storm }[found];
  return `the weather is ${found}`;
}

async function restart({ dice, island }: Stage): Promise<string> {
  const all: RestartedService[] = ['accounts', 'archive', 'delivery', 'directory', 'gateway'];
  const service = dice.pick(all);
  await island.restart(service);
  return `${service} is restarted`;
}

async function jump({ dice, island }: Stage): Promise<string> {
  const minutes = dice.pick([5, 20, 60, 600, 1500]);
  island.clock.ahead += minutes * minute;
  return `${minutes} minutes pass`;
}

async function skew({ dice }: Stage, actor: Actor): Promise<string> {
  const minutes = dice.pick([-20, -5, 0, 5, 20]);
  actor.skew = minutes * minute;
  return `${actor.label} has a clock ${minutes} minutes ahead`;
}

async function backUp(_: Stage, actor: Actor): Promise<string> {
  await actor.backUp();
  return `${actor.label} is copied`;
}

/** What it said since the copy may be gone from this side; what the other side has, all of them have. */
async function putBack(stage: Stage, actor: Actor): Promise<string | undefined> {
  const { storage, name } = actor;
  if (!(await actor.putBack())) return undefined;
  const there = new Set((await history(actor.storage)).map(({ id }) => id));
  for (const message of await history(storage))
    if (message.type === 'sent' && !message.elsewhere && !there.has(message.id))
      stage.forgotten.add(`${name} ${message.id}`);
  return `${actor.label} is put back to its copy`;
}

/** Up to four devices, never fewer than two; what a removed one said need not have come. */
async function linkOrRemove(stage: Stage, actor: Actor): Promise<string> {
  const own = stage.actors.filter(({ name }) => name === actor.name);
  if (own.length > devicesEach) {
    const gone = stage.dice.pick(own.filter((each) => each !== actor));
    await actor.remove(gone.device);
    await gone.kill();
    await excuse(stage, gone);
    stage.actors = stage.actors.filter((each) => each !== gone);
    return `${actor.label} removes ${gone.label}`;
  }
  const fresh = await actor.link();
  stage.actors.push(fresh);
  await fresh.open();
  return `${actor.label} links ${fresh.label}`;
}

async function excuse({ excused }: Stage, { storage, name }: Actor): Promise<void> {
  for (const message of await history(storage))
    if (message.type === 'sent' && !message.elsewhere) excused.add(`${name} ${message.id}`);
}

/** Everybody is there, nothing is lost any more: until nothing waits, all have the same, and nothing is sent. */
async function settle(stage: Stage): Promise<void> {
  stage.weather = calm;
  stage.script.push('all is quiet');
  let last: string[] = [];
  for (let round = 0; round < rounds && !stage.hung; round++) {
    // What waits for a time is due, and what failed often is tried at once.
    stage.island.clock.ahead += 60 * minute;
    for (const each of stage.actors) {
      await each.kill();
      each.skew = 0;
      await each.open();
    }
    let attempt = 0;
    const agreed = eventually(async () => {
      last = await differences(stage);
      stage.missing = last;
      if (last.length > 0) await pause(backoff(attempt++));
      return last.length === 0;
    }, patience);
    if (
      await agreed.then(
        () => true,
        () => false,
      )
    )
      break;
  }
  stage.wrong.push(...last);
  stage.wrong.push(...endings(stage));
  if (stage.wrong.length === 0) await silence(stage);
}

/** Whose sending or receiving ended by itself. */
const endings = ({ actors }: Stage): string[] =>
  actors.flatMap(({ label, failures }) =>
    failures.map((error) => `${label} ended: ${error} (${error.cause ?? 'no cause'})`),
  );

/** Receipts and covers may follow; whatever answers answers without end does not. */
async function silence({ actors, wrong }: Stage): Promise<void> {
  const sent = () => actors.reduce((sum, each) => sum + each.sends, 0);
  const before = sent();
  for (let tries = 0; tries < 12; tries++) {
    const since = sent();
    await pause(2_500);
    if (sent() === since) return;
  }
  wrong.push(`${sent() - before} sends when there was nothing to say`);
}

async function differences(stage: Stage): Promise<string[]> {
  const found: string[] = [];
  const held = new Map<Actor, Held>();
  for (const each of stage.actors) {
    const { storage, label, name } = each;
    const rows = await storage.list('outbox');
    if (rows.length > 0) found.push(`${label}: ${rows.length} in the outbox`);
    if (await hasPending(storage)) found.push(`${label}: something to be archived`);
    const here = await heldBy(storage, name);
    held.set(each, here);
    found.push(...here.failed.map((what) => `${label}: failed: ${what}`));
    found.push(...here.unreadable.map((what) => `${label}: could not be read: ${what}`));
  }
  const all = [...held];
  for (const [from, { accepted }] of all)
    for (const key of accepted) {
      const there = all.filter(([, { conversations }]) =>
        [...conversations.values()].some((each) => each.has(key)),
      );
      if (there.length === 0) found.push(`${from.label}: nobody has ${key}`);
    }
  for (const [i, name] of names.entries())
    for (const other of names.slice(i + 1)) {
      const sides = all.flatMap(([actor, { conversations }]) => {
        if (actor.name !== name && actor.name !== other) return [];
        const talk = conversations.get(actor.name === name ? other : name) ?? new Map();
        return [{ label: actor.label, name: actor.name, talk: talk as Map<string, Agreed> }];
      });
      found.push(...compare(sides, stage));
    }
  return found;
}

/** What a text is that was taken back. */
const takenBackEverywhere = JSON.stringify({ text: '', deleted: true, reactions: [] });

function compare(
  sides: readonly { label: string; name: string; talk: Map<string, Agreed> }[],
  { excused, forgotten }: Stage,
): string[] {
  const keys = new Set(sides.flatMap(({ talk }) => [...talk.keys()]));
  const found: string[] = [];
  for (const key of keys) {
    if (excused.has(key)) continue;
    const [whose] = key.split(' ');
    const looked = forgotten.has(key) ? sides.filter(({ name }) => name !== whose) : sides;
    const takenBack = looked.some(({ talk }) => talk.get(key)?.deleted);
    const texts = looked.map(({ name, talk }) => {
      const { text, deleted, reactions } = talk.get(key) ?? {};
      // What was taken back before the sender's other devices were told of it never comes to them.
      if (text === undefined && takenBack && name === whose) return takenBackEverywhere;
      return text === undefined ? 'not there' : JSON.stringify({ text, deleted, reactions });
    });
    if (new Set(texts).size > 1)
      found.push(`${key}: ${looked.map(({ label }, at) => `${label} ${texts[at]}`).join(' | ')}`);
  }
  return found;
}
