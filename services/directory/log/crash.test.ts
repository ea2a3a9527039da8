/**
 * A log whose process is killed at every step of an epoch, and again, and among witnesses that fail; and one that is
 * put back from a copy. Real processes, SIGKILL, SQLite, vault, HTTPS and witnesses. docs/protocol/transparency.md §6
 */
import { randomBytes } from 'node:crypto';
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { eventually } from '../../kit/testing/outcome.ts';
import type { LifePlan } from '../testing/log-life.ts';
import { type Conduct, type Death, type LogLives, logLives } from '../testing/log-lives.ts';

t.setTimeout(180_000);

/** Each person joins, and has a second list. */
const people = (count: number): LifePlan['changes'] =>
  Array.from({ length: count }, (_, n) => [
    [`person${n}`, 1] as const,
    [`person${n}`, 2] as const,
  ]).flat();

async function folder(t: Test, name: string): Promise<string> {
  const dir = join(t.testdirName, name);
  await mkdir(dir, { recursive: true });
  return dir;
}

/** Of so many steps and of so many questions, each. */
function deathsOf(steps: number, questions: number): Death[] {
  const numbers = (most: number) => Array.from({ length: most }, (_, n) => n + 1);
  const asked = (when: 'heard' | 'signed') =>
    numbers(questions).map((number): Death => ({ question: { number, when } }));
  return [
    ...numbers(steps).map((step): Death => ({ step })),
    ...asked('heard'),
    ...asked('signed'),
  ];
}

/** The steps that an epoch is made of. */
const epochSteps = [
  'before a statement on log_bundles',
  'before a statement on log_tiles',
  'before a statement on log_events',
  'before a statement on log_labels',
  'before a statement on log_epochs',
  'before a commit on log_epochs',
  'after a commit on log_epochs',
  'before a question',
  'after an answer',
  'before a commit on witness_sizes',
  'after a commit on witness_sizes',
  'before a statement on policies',
  'before a commit on policies',
  'after a commit on policies',
  'published',
];

/** Those deaths, one after the other, and then the steps of an epoch that by chance were nobody's last. */
function dealer(deaths: Death[]) {
  const died = new Set<string>();
  return {
    died,
    next(): Death | undefined {
      const death = deaths.shift();
      const step = death === undefined && epochSteps.find((each) => !died.has(each));
      // Two may be dealt at once.
      if (step) died.add(step);
      return step ? { step } : death;
    },
  };
}

t.test(
  'K1, K2: kill -9 at every step of a young log, up to its first epochs with witnesses: one root a size, every change once',
  async (t) => {
    t.testdir({});
    await using lives = await logLives(2);
    const changes = people(1);
    const { over = 0 } = await lives.dying(lives.plan(await folder(t, 'whole'), changes), {});
    t.ok(over > 50, `${over} steps`);
    const { died, next } = dealer(deathsOf(over, 8));
    const work = async (worker: string) => {
      let life = 0;
      for (let death = next(); death !== undefined; death = next()) {
        const plan = lives.plan(await folder(t, `${worker}${life++}`), changes);
        const { killed } = await lives.dying(plan, death);
        if (killed !== undefined) died.add(killed);
        await lives.finished(plan).catch((error: Error) => t.fail(`${killed}: ${error.message}`));
      }
    };
    await Promise.all([work('one'), work('other')]);
    t.comment(`killed at ${died.size} kinds of steps`);
  },
);

t.test(
  'K1, K2: kill -9 at every step of a life that begins with what a killed one left: signed is signed, and the log goes on',
  async (t) => {
    t.testdir({});
    await using lives = await logLives(2);
    const begun = async (name: string) => {
      const plan = lives.plan(await folder(t, name), people(1));
      await lives.finished(plan);
      return { ...plan, changes: people(40), most: 2 };
    };
    const { over = 0 } = await lives.dying(await begun('whole'), {});
    t.ok(over > 30, `${over} steps`);
    // Whoever finds an open epoch has more steps to go.
    const { died, next } = dealer(deathsOf(over + 12, 8));
    const work = async (name: string) => {
      const plan = await begun(name);
      for (let death = next(); death !== undefined; death = next()) {
        const { killed } = await lives.dying(plan, death);
        if (killed !== undefined) died.add(killed);
      }
      const { most: _, ...all } = plan;
      await lives.finished(all);
    };
    await Promise.all([work('one'), work('other')]);
    t.comment(`killed at ${died.size} kinds of steps`);
  },
);

/** Witnesses that are down, busy, slow, lose answers and lie about sizes, as a seed says. */
function badly(random: (below: number) => number): Conduct {
  return async (_witness, handle) => {
    const says = (status: number, type: string, body: string) => ({ status, type, body });
    switch (random(12)) {
      case 0:
        return undefined;
      case 1:
        await handle();
        return undefined;
      case 2:
        return says(503, 'text/plain', '');
      case 3:
        return says(409, 'text/x.tlog.size', `${random(60)}\n`);
      case 4:
        await new Promise((resolve) => setTimeout(resolve, random(80)));
        return handle();
      default:
        return handle();
    }
  };
}

t.test(
  'K1, K2: killed at random among witnesses that are down, slow and lie about sizes: one root a size, and it goes on',
  async (t) => {
    t.testdir({});
    const seed = randomBytes(4).readUInt32BE();
    t.comment(`seed ${seed}`);
    let state = seed || 1;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    await using lives = await logLives(3);
    const plan = lives.plan(await folder(t, 'log'), people(1), 2);
    await lives.finished(plan);
    const dying = { ...plan, changes: people(20), most: 3 };
    for (let life = 0; life < 12; life++) {
      lives.conducts.set(plan.dir, badly(random));
      // Who waits for witnesses may never come to its step.
      const signal = AbortSignal.timeout(300 + random(700));
      await lives.dying(dying, { step: 1 + random(70), signal });
    }
    lives.conducts.delete(plan.dir);
    await t.resolves(lives.finished({ ...plan, changes: people(20) }), `seed ${seed}`);
  },
);

t.test(
  'K1: a witness that says once that it has seen more is asked again: nobody waits for the next start',
  async (t) => {
    t.testdir({});
    await using lives = await logLives(2);
    const plan = lives.plan(await folder(t, 'log'), people(1));
    await lives.finished(plan);
    let questions = 0;
    lives.conducts.set(plan.dir, async (witness, handle) => {
      if (witness === 0) questions += 1;
      // The first two questions of a life are how far it is.
      if (witness !== 0 || questions !== 3) return handle();
      return { status: 409, type: 'text/x.tlog.size', body: '1000\n' };
    });
    await t.resolves(lives.finished({ ...plan, changes: people(2) }));
    t.ok(questions > 3);
  },
);

/** What a log that was put back does about a change: nothing that anybody would see, and why. */
async function putBack(t: Test, lives: LogLives, plan: LifePlan, problem: string): Promise<void> {
  const shown = lives.shown(plan);
  const sizes = new Set(shown.map(({ size, root }) => `${size} ${root}`));
  for (let life = 0; life < 2; life++) {
    await using again = await lives.living(plan);
    const before = again.log.checkpoint();
    const epochs = await again.store.rows('SELECT number, note FROM log_epochs');
    const ended = again.live().catch(() => undefined);
    await eventually(() => again.log.standing().problem === problem);
    const failed = again.lines.length;
    await eventually(() => again.lines.slice(failed).some((line) => line.includes('epoch_waits')));
    t.equal(again.log.standing().problem, problem);
    t.equal(again.log.checkpoint(), before);
    t.same(
      await again.store.rows('SELECT number, note FROM log_epochs'),
      epochs,
      'nothing is signed',
    );
    void ended;
  }
  t.same(
    lives.shown(plan).filter(({ size, root }) => !sizes.has(`${size} ${root}`)),
    [],
    'no witness is shown anything that it has not seen before',
  );
}

t.test(
  'K2: a database that was put back from a copy signs nothing: no witness is shown less than it has seen, or something else',
  async (t) => {
    t.testdir({});
    await using lives = await logLives(3);
    const silent: Conduct = async () => undefined;
    const copies = join(t.testdirName, 'copies');
    const scene = async (name: string) => {
      const plan = lives.plan(await folder(t, name), people(1), 2);
      const kept = join(copies, name);
      const copy = (from: string, to: string) =>
        rm(to, { recursive: true, force: true }).then(() => cp(from, to, { recursive: true }));
      return {
        plan,
        keep: (what: string) => copy(plan.dir, join(kept, what)),
        back: (what: string) => copy(join(kept, what), plan.dir),
      };
    };
    const [two, three] = [people(2), people(3)];

    const whole = await scene('whole');
    await lives.finished(whole.plan);
    await whole.keep('old');
    await lives.finished({ ...whole.plan, changes: two });
    await whole.keep('new');
    await whole.back('old');
    await putBack(t, lives, { ...whole.plan, changes: three }, 'rolled_back');
    lives.conducts.set(whole.plan.dir, (witness, handle) =>
      witness === 0 ? silent(0, handle) : handle(),
    );
    await putBack(t, lives, { ...whole.plan, changes: three }, 'rolled_back');
    lives.conducts.set(whole.plan.dir, silent);
    await putBack(t, lives, { ...whole.plan, changes: three }, 'unanswered');
    lives.conducts.delete(whole.plan.dir);
    await whole.back('new');
    await t.resolves(
      lives.finished({ ...whole.plan, changes: three }),
      'and goes on with what it was',
    );

    const open = await scene('open');
    await lives.finished(open.plan);
    await lives.dying({ ...open.plan, changes: two }, { step: 'after a commit on log_epochs' });
    await open.keep('old');
    await lives.finished({ ...open.plan, changes: three });
    await open.keep('new');
    await open.back('old');
    await putBack(t, lives, { ...open.plan, changes: people(4) }, 'rolled_back');
    await open.back('new');
    await t.resolves(lives.finished({ ...open.plan, changes: people(4) }));

    const first = await scene('first');
    await lives.dying(first.plan, { step: 'after a commit on witness_doors' });
    await first.keep('old');
    await lives.finished(first.plan);
    await first.back('old');
    await putBack(t, lives, { ...first.plan, changes: two }, 'rolled_back');
  },
);
