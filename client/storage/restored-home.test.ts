/** A home that was put back from a copy: what was sent since the copy must not be sent over. */
import { cpSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readAccount } from '../account/account.ts';
import { oddIsland } from '../testing/odd-island.ts';
import { person, reopen, type TestPerson } from '../testing/person.ts';
import { readWitness, turnOn } from '../transparency/witness-key.ts';
import { fileStorage } from './file.ts';

async function sendFrom(home: string, ...texts: string[]): Promise<number | undefined> {
  await using storage = fileStorage(home);
  await using alice: TestPerson = await reopen('alice', storage);
  for (const outcome of await alice.sends('bob', ...texts))
    if (outcome !== 'accepted') throw new Error(outcome);
  return (await readAccount(storage))?.generation;
}

t.test('M1 pitfall: counter reuse after restore: what a restored home sends arrives', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'restored-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const home = join(folder, 'home');
  await using island = await oddIsland();
  await using bob = await person(island, 'bob');
  {
    await using storage = fileStorage(home);
    await using alice = await person(island, 'alice', storage);
    t.same(await alice.sends('bob', 'one'), ['accepted']);
    await turnOn(storage, island.log.pins.vkey);
  }
  t.same(await bob.hears(1), ['alice: one']);
  t.same(await bob.sends('alice', 'hello'), ['accepted']);
  t.equal(await sendFrom(home, 'two'), 1, 'opening it again is no restoration');
  cpSync(home, join(folder, 'copy'), { recursive: true });
  t.equal(await sendFrom(home, 'three', 'four'), 1);
  rmSync(home, { recursive: true });
  renameSync(join(folder, 'copy'), home);
  t.equal(await sendFrom(home, 'five', 'six'), 2);
  t.equal(await sendFrom(home, 'seven'), 2, 'it is noticed once');
  {
    await using storage = fileStorage(home);
    const witness = await readWitness(storage);
    t.match(witness, { on: false, cosigner: undefined }, 'K2: its key as a witness is gone');
  }
  const heard = await bob.hears(6);
  t.same(
    heard,
    ['two', 'three', 'four', 'five', 'six', 'seven'].map((text) => `alice: ${text}`),
  );
});
