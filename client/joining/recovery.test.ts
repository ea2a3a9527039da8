/** A code alone brings an account back; whatever an island changes on the way is refused by name. */
import t from 'tap';
import { needKeys } from '../account/account-keys.ts';
import { testCode } from '../account/own-codes.ts';
import { credentials, home, opened, registered } from '../testing/member-home.ts';
import { realIsland } from '../testing/real-island.ts';
import { recover } from './recovery.ts';

t.setTimeout(120_000);

t.test(
  'A3: every one of the eight codes brings a fresh home back; it is dead then, the other seven are good',
  async (t) => {
    await using island = await realIsland();
    for (let i = 0; i < 8; i++) {
      const name = `alice${i}`;
      const first = await registered(island, name);
      const code = first.codes[i] ?? '';
      const fresh = home(island);
      const joined = await recover(fresh.joining, island.recoverLink(name), { credentials, code });
      t.equal(joined.codesLeft, 7);
      t.equal(joined.account.device, 2);
      const second = await opened(island, fresh);
      const states = [];
      for (const each of first.codes)
        states.push((await testCode(second.keeping, second.platform, each)).state);
      t.same(
        states,
        first.codes.map((each) => (each === code ? 'unknown' : 'good')),
      );
      const keys = await needKeys(second.storage);
      t.equal(keys.arkEpoch, 2);
      t.same(keys.former, [(await needKeys(first.storage)).ark]);
      await t.rejects(
        recover(home(island).joining, island.recoverLink(name), { credentials, code }),
        { code: 'wrong_code' },
      );
    }
  },
);
