/**
 * Chains that came before the entries of the log by which they are judged. docs/protocol/channel.md §8
 *
 *     channel-offers    author.device chain    { body, at }
 */
import { decodeBody, encodeBody } from '@island/protocol/crypto/body.ts';
import type { ChannelKeyBody } from '@island/protocol/crypto/channel-key-body.ts';
import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import {
  type AccountId,
  accountId,
  type ChannelId,
  type DeviceId,
  deviceId,
  deviceKey,
} from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import * as v from 'valibot';
import type { OwnPerson } from '../people/own-person.ts';
import { type People, parties } from '../people/people.ts';
import type { Spaces } from '../spaces/spaces.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import { type Put, type Storage, untilCommitted } from '../storage/storage.ts';
import { differenceRow } from './differences.ts';
import { judgeOffer } from './judging.ts';
import { takeChain } from './received-chains.ts';
import { batchOf, noChanges, type Reading } from './rows.ts';

const record = v.strictObject({ body: bytes64, at: v.number() });
const namespace = 'channel-offers';
/** Of one device, and of all; milliseconds that one waits. */
const bounds = { each: 8, all: 512, age: 86_400_000 };

export interface Offer {
  author: AccountId;
  device: DeviceId;
  body: ChannelKeyBody;
  /** Unix milliseconds. */
  at: number;
}

/** `undefined` where there is no room: the chain is asked for when it is needed. */
export async function offerRow(
  reading: Reading,
  { author, device, body, at }: Offer,
): Promise<Put | undefined> {
  const rows = await reading.list(namespace);
  const whose = `${deviceKey(author, device)} `;
  const theirs = rows.filter(({ key }) => key.startsWith(whose));
  if (rows.length >= bounds.all || theirs.length >= bounds.each) return undefined;
  const bytes = encodeRecord({ body: encodeBody(body), at });
  return { namespace, key: `${whose}${hex(body.chain)}`, bytes };
}

export interface Offered {
  account: { account: AccountId };
  storage: Storage;
  people: Pick<People, 'known'>;
  own: OwnPerson;
  spaces: Pick<Spaces, 'known'>;
  now: () => number;
  onRefused: (channel: ChannelId | undefined, why: string) => void;
}

/** Takes what can be judged by now. */
export async function settleOffers(offered: Offered): Promise<void> {
  const { storage } = offered;
  for (const { key } of await storage.list(namespace))
    await untilCommitted(() => settle(offered, key));
}

async function settle(offered: Offered, key: string): Promise<void> {
  const { account, storage, people, own, spaces, now, onRefused } = offered;
  const row = await storage.read(namespace, key);
  if (!row) return;
  const { body: bytes, at } = decodeRecord(record, row);
  const body = decodeBody(bytes);
  if (body.kind !== 'channel-key') return;
  const [of = '', number] = (key.split(' ')[0] ?? '').split('.');
  const [author, device] = [accountId(of), deviceId(Number(number))];
  const person = author === account.account ? await own.present() : await people.known(author);
  const party = person && parties(person).find((each) => each.device === device);
  const state = await spaces.known(body.space).catch(() => undefined);
  const verdict = person && party ? judgeOffer(state, { person, party }, body) : 'refused';
  const waits = verdict === 'later' && Math.abs(now() - at) < bounds.age;
  if (waits) return;
  const changes = noChanges();
  changes.remove.push({ namespace, key });
  changes.expect.push({ namespace, key, version: row.version });
  if (verdict === 'forked')
    changes.put.push(differenceRow(body.channel, { why: 'log', seq: body.logSeq, by: author }));
  else if (verdict === 'good')
    try {
      await takeChain(storage, changes, body, { author, device });
    } catch (error) {
      if (!(error instanceof CryptoFault)) throw error;
      onRefused(body.channel, error.code);
    }
  else onRefused(body.channel, 'not_permitted');
  await storage.commit(batchOf(changes));
}
