/** The end of an account in the directory: what is proved of it, and what is left. docs/protocol/transparency.md §6.6 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { accountOfName, checkAnswer } from '@island/protocol/transparency/answer.ts';
import { followEvents, nothingKnown } from '@island/protocol/transparency/event-chain.ts';
import { accountLabel, nameLabel } from '@island/protocol/transparency/label.ts';
import { isErasure } from '@island/protocol/transparency/leaves.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import t from 'tap';
import { faultCode } from '../kit/testing/outcome.ts';
import { directory } from './contract.ts';
import { endAccount, finishEnded } from './ending.ts';
import { testDirectory } from './testing/directory.ts';
import { testKeyLog } from './testing/key-log.ts';
import { newcomer } from './testing/newcomer.ts';
import { nextList } from './testing/next-list.ts';

const running = await testDirectory();
t.after(() => running[Symbol.asyncDispose]());
const { island, gateway, accounts, clock, challenge, enrolled } = running;
const { data } = await island.kit('directory');

/** All that the database is on the disk, with what was written ahead of it. */
async function onDisk(folder: string): Promise<Buffer> {
  const names = (await readdir(folder)).filter((name) => name.startsWith('directory.sqlite'));
  return Buffer.concat(await Promise.all(names.map((name) => readFile(join(folder, name)))));
}

const pins = async () => (await gateway.call(directory, 'log', {})) as never;

t.test('K1: that an account was ended is proved, with every version before it', async (t) => {
  const eve = await enrolled('eve');
  const { account } = eve.enrolment;
  const first = { aik: eve.aik, list: openDeviceList(eve.enrolment.list) };
  const next = nextList(first, { add: true, now: clock.now() });
  await accounts.call(directory, 'update', {
    account,
    list: new Uint8Array(next.list.bytes),
    reset: false,
    joining: next.added.joining(await challenge()),
  });
  t.equal(await faultCode(gateway.call(directory, 'ended', { account, after: 0 })), 'not_found');
  await accounts.call(directory, 'end', { account });

  const { answer } = await gateway.call(directory, 'lookup', { name: 'eve' });
  const labels = [nameLabel('eve'), accountOfName];
  const log = await pins();
  const named = checkAnswer(answer, { log, labels, allowUnwitnessed: true });
  t.match(named.labels, [{ present: true, version: 2 }]);
  const ended = await gateway.call(directory, 'ended', { account, after: 0 });
  const shown = checkAnswer(ended.answer, {
    ...{ log, allowUnwitnessed: true },
    labels: [accountLabel(account)],
  });
  const [label] = shown.labels;
  if (!label?.present) return t.fail('the account is not there');
  t.ok(isErasure(label.event));
  const steps = followEvents(nothingKnown, ended.steps, label);
  t.same(
    steps.map(({ state }) => state),
    [undefined, undefined, undefined],
  );
  const later = await gateway.call(directory, 'ended', { account, after: 2 });
  t.equal(later.steps.length, 1);

  await accounts.call(directory, 'end', { account });
  t.equal((await gateway.call(directory, 'ended', { account, after: 0 })).steps.length, 3);
});

t.test('D1: nothing of it is found, asked for or used afterwards', async (t) => {
  const mel = await enrolled('melisande');
  const { account, device } = mel.enrolment;
  await accounts.call(directory, 'end', { account });
  const asked = {
    current: () => accounts.call(directory, 'current', { account }),
    devices: () => accounts.call(directory, 'devices', { account }),
    lists: () => gateway.call(directory, 'lists', { name: 'melisande', after: 0 }),
    history: () => gateway.call(directory, 'history', { name: 'melisande', after: 0 }),
    bundles: () => gateway.call(directory, 'bundles', { account, devices: [device] }),
    certificate: () => gateway.call(directory, 'certificate', { account, device }),
    replenish: () => gateway.call(directory, 'replenish', { account, device }),
  };
  for (const [what, ask] of Object.entries(asked))
    t.equal(await faultCode(ask()), 'unknown_person', what);
  const everything = await onDisk(data);
  t.notOk(everything.includes(account), 'the account in hex');
  t.notOk(everything.includes(Buffer.from(account, 'hex')), 'the account');
  t.notOk(everything.includes('melisande'), 'the name');
  t.notOk(everything.includes(Buffer.from(mel.enrolment.list)), 'the list');
  t.notOk(everything.includes(Buffer.from(mel.keys.dsk.public)), 'a key');
});

t.test('K2: neither the name nor the account has a second life', async (t) => {
  const gus = await enrolled('gus');
  await accounts.call(directory, 'end', { account: gus.enrolment.account });
  t.equal(await faultCode(enrolled('gus')), 'name_taken');
  const again = newcomer('guy', { now: clock.now() }).enrol(await challenge());
  const same = gus.enrol(await challenge());
  t.equal(await faultCode(accounts.call(directory, 'enrol', same)), 'account_exists');
  await accounts.call(directory, 'enrol', again);
  await running.restart();
  t.equal(await faultCode(enrolled('gus')), 'name_taken', 'after a restart, too');
});

t.test(
  'pitfall: what the log still shows stays openable; a crash at any step is gone on from',
  async (t) => {
    const folder = t.testdir();
    let account: AccountId | undefined;
    {
      await using test = await testKeyLog(folder);
      [account] = await test.join('idamaria');
      await test.log.settled();
      if (account === undefined) return;
      // Begun and not published: the process ends here.
      await endAccount(
        {
          store: test.store,
          log: { ...test.log, settled: async () => undefined, lastEvent: () => 0 },
        },
        account,
      );
      const shown = await test.log.lookUp('idamaria');
      t.equal(
        checkAnswer(shown, {
          ...{ log: await test.log.pinned(), allowUnwitnessed: true },
          labels: [nameLabel('idamaria'), accountOfName],
        }).labels.length,
        2,
        'as it was',
      );
      t.ok((await onDisk(folder)).includes('idamaria'));
    }
    await using test = await testKeyLog(folder);
    await test.log.settled();
    t.equal(await finishEnded(test), 1);
    t.equal(await finishEnded(test), 0);
    await endAccount(test, account);
    const everything = await onDisk(folder);
    t.notOk(everything.includes(account));
    t.notOk(everything.includes('idamaria'));
    const { answer } = await test.log.ended(account, 0);
    t.match(
      checkAnswer(answer, {
        ...{ log: await test.log.pinned(), allowUnwitnessed: true },
        labels: [accountLabel(account)],
      }).labels,
      [{ present: true, version: 2 }],
    );
    await test.join('joe');
  },
);

t.end();
