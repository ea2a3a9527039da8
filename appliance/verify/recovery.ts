/** A3: a home that has nothing but the password and one backup code. docs/protocol/keys.md §7 */

import { needKeys } from '@island/client/account/account-keys.ts';
import { testCode } from '@island/client/account/own-codes.ts';
import { recover } from '@island/client/joining/recovery.ts';
import { departures } from '@island/client/messages/departures.ts';
import { history } from '@island/client/messages/history.ts';
import type { Platform } from '@island/client/platform.ts';
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { openKeyRecord, openKeyring } from '@island/protocol/crypto/key-record.ts';
import { type Device, freshHome, openDevice } from './device.ts';
import { type Findings, found } from './finding.ts';
import type { Person } from './people.ts';
import { recording } from './recording.ts';
import type { Scene } from './scene.ts';
import { refusal } from './storm.ts';
import { among, searchFiles, spellings } from './traces.ts';

const patience = 30_000;

/** Leaves the person with a device more, which is answered, and a code less. */
export async function checkRecovery(
  { layout }: Scene,
  person: Person,
  other: Person,
): Promise<Findings & { device: Device }> {
  const text = `${person.password} is kept`;
  await archived(person, other.name, text);
  const [code = '', ...rest] = person.codes;
  const { password, name } = person;
  const kept = { sent: person.sent, hashes: person.hashes };
  const platform: Platform = recording(person.joining.platform, { sent: [], hashes: [] });
  const home = freshHome(platform);
  const shown = { credentials: { password }, code };
  const joined = await recover(home, person.recoverLink, shown);
  const device = await openDevice(home, password);

  await using islander = await device.open();
  const messages = await islander.archive.sync(AbortSignal.timeout(patience));
  const read = (await history(home.storage)).filter((each) => 'text' in each && each.text === text);
  const dead = await refusal(() => recover(freshHome(platform), person.recoverLink, shown));
  const states = [];
  for (const each of rest) states.push((await testCode(device.keeping, platform, each)).state);
  const good = states.filter((state) => state === 'good').length;
  const before = await needKeys(person.joining.storage);
  const after = await needKeys(home.storage);
  const opensLater = after.former.some((ark) => Buffer.compare(ark, before.ark) === 0);
  const list = openDeviceList(joined.account.list);
  const closed = await refusal(async () =>
    openKeyring(openKeyRecord(after.record, list.aik), before.ark),
  );
  const secrets = [
    ...[before.ark, after.ark].flatMap((ark) => spellings('an archive key', ark)),
    ...spellings('the identity key of the account', joined.account.aik),
    ...spellings('the text of a message', text),
  ];
  const told = kept.sent.flatMap(({ body }) => among(secrets, body));
  const stored = await searchFiles([layout.service(''), layout.log], secrets);
  return {
    device,
    summary: `with the password and one of eight codes a fresh home read the archive; the code is dead, the other ${good} are good, and the archive has a new key`,
    findings: [
      found(
        read.length === 1,
        `a fresh home of ${name.slice(0, 6)}…, with the password and one code, read ${messages} messages that another device had archived`,
      ),
      found(dead === 'wrong_code', `the same code again: ${dead}`),
      found(
        good === rest.length,
        `the other codes, each tried: ${good} of ${rest.length} are good`,
      ),
      found(
        after.arkEpoch === before.arkEpoch + 1 && opensLater,
        'the archive has a new key, and what the one before sealed stays readable',
      ),
      found(closed === 'record_broken', `the new record with the archive key of before: ${closed}`),
      found(
        told.length === 0 && stored.hits.length === 0,
        [...told, ...stored.hits].join('; ') ||
          `no request and none of ${stored.files} stored files holds an archive key, the identity key or what was archived`,
      ),
    ],
  };
}

/** Sends, and waits until it is in the archive. */
async function archived(person: Person, to: string, text: string): Promise<void> {
  await using islander = await person.open();
  const keys = await islander.send(to, [text]);
  islander.startSending();
  const signal = AbortSignal.timeout(patience);
  for await (const { state } of departures(person.joining.storage, keys, signal))
    if (state !== 'accepted') throw new Error(`a message was not sent: ${state}`);
  await islander.archive.flush(signal);
}
