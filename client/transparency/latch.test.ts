/** A directory that was caught stays caught, stops every new key, and stops nothing else. docs/protocol/transparency.md §8.5 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { verifyEvidence } from '@island/protocol/transparency/conviction.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { testVkey } from '@island/protocol/vectors/directory-log.ts';
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { runIsland } from '../../tests/island.ts';
import { adoptOwnAccount } from '../account/adoption.ts';
import { openPeople } from '../people/people.ts';
import { aside } from '../receiving/aside.ts';
import { fileStorage } from '../storage/file.ts';
import type { Batch, Storage } from '../storage/storage.ts';
import { islanderCommand } from '../terminal/cli.ts';
import type { Streams } from '../terminal/terminal.ts';
import { type Attacked, attacked, caught } from '../testing/attacked.ts';
import { person, reopen } from '../testing/person.ts';
import { latch, unlatch } from './latch.ts';

t.setTimeout(120_000);

/** One size, another root. */
async function fork({ island, history }: Pick<Attacked, 'island' | 'history'>) {
  const honest = island.log;
  island.log = await honest.branch(history().epochs - 1);
  await history().publish({ timestamp: Date.now() + 1 });
  return honest;
}

t.test('K2: what was caught stays caught after a restart, whatever is shown then', async (t) => {
  await using here = await attacked();
  const { island, alice } = here;
  const honest = await fork(here);
  t.equal(await here.asks(), 'directory_contradicted');
  island.log = honest;
  honest.silent = false;
  await alice.islander[Symbol.asyncDispose]();
  await using again = await reopen('alice', alice.storage);
  const { people } = again.islander;
  await using _carol = await person(island, 'carol');
  for (const name of ['bob', 'carol'])
    await t.rejects(people.refresh(name), { code: 'directory_contradicted' }, name);
  await t.rejects(people.accept('bob'), { code: 'directory_contradicted' });
  const asked = island.requests.filter(({ path }) => path === '/v1/people/carol').length;
  await t.rejects(people.find('carol'), { code: 'directory_contradicted' });
  t.equal(
    island.requests.filter(({ path }) => path === '/v1/people/carol').length,
    asked,
    'nobody is asked about',
  );
  again.islander.startReceiving();
  const own = await again.event('account-refused');
  t.match(own, { error: { code: 'directory_contradicted' } }, 'nor is the own account adopted');
  t.equal(await caught(alice.storage), 'forked: fork');
  await unlatch(alice.storage);
  t.equal((await people.refresh('carol')).name, 'carol', 'until the person here goes on');
});

/** Another process of the home catches the directory right before the first commit that `at` is in. */
function caughtBefore(storage: Storage, at: string): Storage {
  let done = false;
  return new Proxy(storage, {
    get(target, key) {
      const value = Reflect.get(target, key);
      if (key !== 'commit') return typeof value === 'function' ? value.bind(target) : value;
      return async (batch: Batch) => {
        const isIt = !done && batch.put?.some(({ namespace }) => namespace === at);
        if (isIt) {
          done = true;
          await latch(target, new TransparencyFault('forked'), Date.now());
        }
        return target.commit(batch);
      };
    },
  });
}

t.test('K2: what another process of the home has caught stops what is on its way', async (t) => {
  await using here = await attacked();
  const { island, alice, bob, history, label, next } = here;
  island.log.silent = false;
  await using _carol = await person(island, 'carol');
  const { lookups } = alice.islander;
  const people = openPeople(caughtBefore(alice.storage, 'people'), lookups);
  await t.rejects(people.find('carol'), { code: 'directory_contradicted' }, 'who is new');
  await unlatch(alice.storage);
  island.log.silent = true;
  history().say(label, 2, next().bytes);
  await history().publish();
  const newer = openPeople(caughtBefore(alice.storage, 'people'), lookups);
  await t.rejects(newer.refresh('bob'), { code: 'directory_contradicted' }, 'a newer list');
  t.equal((await newer.find('bob')).list.epoch, 1);
  const own = caughtBefore(bob.storage, 'proved');
  await bob.storage.commit({
    remove: [{ namespace: 'proved', key: bob.islander.account.account }],
  });
  history().revert(label, 1);
  await history().publish();
  const adopting = { storage: own, session: bob.islander.session, now: Date.now };
  await t.rejects(adoptOwnAccount(adopting), { code: 'directory_contradicted' }, 'own account');
});

t.test('K2: who is known is written to and heard, and a stranger stops nothing', async (t) => {
  await using here = await attacked();
  const { island, alice, bob } = here;
  t.same(await alice.sends('bob', 'before'), ['accepted']);
  t.same(await bob.hears(1), ['alice: before']);
  const honest = await fork(here);
  t.equal(await here.asks(), 'directory_contradicted');
  island.log = honest;
  honest.silent = false;
  await using carol = await person(island, 'carol');
  t.same(await carol.sends('alice', 'you do not know me'), ['accepted']);
  t.same(await bob.sends('alice', 'still here'), ['accepted']);
  t.same(await alice.hears(1), ['bob: still here'], 'behind what a stranger wrote');
  t.equal((await aside(alice.storage)).length, 1, 'which waits');
  t.same(await alice.sends('bob', 'after'), ['accepted']);
  await bob.islander[Symbol.asyncDispose]();
  await using again = await reopen('bob', bob.storage);
  t.same(await again.hears(1), ['alice: after']);
  await unlatch(alice.storage);
  await eventually(async () => (await aside(alice.storage)).length === 0, 60_000);
  t.equal(await caught(alice.storage), 'not caught');
});

t.test('K2: while too few witnesses answer, conversations go on as well', async (t) => {
  await using here = await attacked();
  const { island, alice, bob } = here;
  const honest = island.log;
  island.log = await honest.branch(1);
  await here.history().publish({ timestamp: Date.now() - 2 * 3_600_000 });
  t.equal(await here.asks(), 'directory_stale');
  t.same(await alice.sends('bob', 'all the same'), ['accepted']);
  island.log = honest;
  honest.silent = false;
  t.same(await bob.hears(1), ['alice: all the same']);
});

interface Said {
  code: number;
  out: string;
  err: string;
}

async function islander(...args: string[]): Promise<Said> {
  const made = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  const code = await islanderCommand(args, made as unknown as Streams);
  const read = (stream: PassThrough) => String(stream.read() ?? '');
  return { code, out: read(made.stdout), err: read(made.stderr) };
}

t.test('K2: islander directory shows it, and writes what convicts it anywhere', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'islander-caught-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const home = join(folder, 'home');
  await using here = await attacked();
  const { island } = here;
  island.log.silent = false;
  const storage = fileStorage(home);
  const dave = await person(island, 'dave', storage);
  await dave.islander.people.find('bob');
  const history = () => island.log.history;
  island.log.silent = true;
  await history().publish();
  await dave.islander.people.refresh('bob');
  const quiet = await islander('directory', '--home', home);
  t.equal(quiet.code, 0, quiet.err);
  t.match(quiet.out, /Witnesses none: nobody but the island vouches/);
  t.notMatch(quiet.out, /Caught/);
  await fork({ island, history });
  await t.rejects(dave.islander.people.refresh('bob'), { code: 'directory_contradicted' });
  await dave.islander[Symbol.asyncDispose]();
  await storage[Symbol.asyncDispose]();

  const shown = await islander('directory', '--home', home);
  t.match(shown.out, /⚠ Caught on .*: Two checkpoints of one size differ/);
  t.match(shown.out, /islander directory evidence FILE/);
  const told = JSON.parse((await islander('directory', '--home', home, '--json')).out);
  t.match(told, { type: 'directory', log: testVkey, caught: 'forked', evidence: true });
  const file = join(folder, 'island.kt-evidence');
  const written = await islander('directory', 'evidence', file, '--home', home);
  t.equal(written.code, 0, written.err);
  t.match(written.out, `npx island evidence verify ${file} --vkey ${testVkey}`);
  t.equal(verifyEvidence(await readFile(file, 'utf8'), { vkey: testVkey }).kind, 'fork');
  const elsewhere = await runIsland(['evidence', 'verify', file, '--vkey', testVkey]);
  t.equal(elsewhere.code, 0, elsewhere.stderr);
  t.match(elsewhere.stdout, /This convicts the log pi-kt\/test\./);

  t.equal((await islander('directory', 'go-on', '--home', home)).code, 0);
  t.notMatch((await islander('directory', '--home', home)).out, /Caught/);
  const none = await islander('directory', 'evidence', file, '--home', home);
  t.not(none.code, 0);
});
