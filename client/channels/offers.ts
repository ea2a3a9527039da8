/**
 * Chains, and history, that came before the entries of the log by which they are judged. docs/protocol/channel.md §8
 *
 *     channel-offers    author.device name    { body, at }
 */
import { type Body, decodeBody, encodeBody } from '@island/protocol/crypto/body.ts';
import type {
  ChannelHistoryBody,
  ChannelKeyBody,
} from '@island/protocol/crypto/channel-key-body.ts';
import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import {
  type AccountId,
  accountId,
  type ChannelId,
  type DeviceId,
  deviceId,
  deviceKey,
  type SpaceId,
} from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import * as v from 'valibot';
import type { OwnPerson } from '../people/own-person.ts';
import { type People, parties } from '../people/people.ts';
import type { Sender } from '../receiving/senders.ts';
import type { Spaces } from '../spaces/spaces.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import { type Put, type Storage, untilCommitted } from '../storage/storage.ts';
import { differenceRow } from './differences.ts';
import { spaceOfBundle, takeBundle } from './given-history.ts';
import { judgeOffer } from './judging.ts';
import { takeChain } from './received-chains.ts';
import { batchOf, type Changes, noChanges, type Reading } from './rows.ts';

const record = v.strictObject({ body: bytes64, at: v.number() });
const namespace = 'channel-offers';
/** Of one device, and of all; milliseconds that one waits. */
const bounds = { each: 8, all: 512, age: 86_400_000 };

export interface Offer {
  author: AccountId;
  device: DeviceId;
  body: ChannelKeyBody | ChannelHistoryBody;
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
  const name = body.kind === 'channel-key' ? body.chain : sha256(body.bundle);
  return { namespace, key: `${whose}${hex(name)}`, bytes };
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
  const { account, storage, people, own, now, onRefused } = offered;
  const row = await storage.read(namespace, key);
  if (!row) return;
  const { body: bytes, at } = decodeRecord(record, row);
  const body = decodeBody(bytes);
  const [of = '', number] = (key.split(' ')[0] ?? '').split('.');
  const [author, device] = [accountId(of), deviceId(Number(number))];
  const person = author === account.account ? await own.present() : await people.known(author);
  const party = person && parties(person).find((each) => each.device === device);
  const changes = noChanges();
  changes.remove.push({ namespace, key });
  changes.expect.push({ namespace, key, version: row.version });
  const done = person && party ? await take(offered, changes, body, { person, party }) : 'refused';
  if (done === 'later' && Math.abs(now() - at) < bounds.age) return;
  if (done !== 'taken') onRefused(undefined, 'not_permitted');
  await storage.commit(batchOf(changes));
}

/** `later`: the log is not known as far as it needs it, or never will allow it. */
async function take(
  { account, storage, spaces, onRefused }: Offered,
  changes: Changes,
  body: Body,
  from: Pick<Sender, 'person' | 'party'>,
): Promise<'taken' | 'later' | 'refused'> {
  const { account: author, device } = from.party;
  const known = (space: SpaceId) => spaces.known(space).catch(() => undefined);
  try {
    if (body.kind === 'channel-history') {
      const { bundle: bytes } = body;
      const state = await known(spaceOfBundle(bytes));
      const given = { state, from, recipient: account.account, bytes };
      const taken = await takeBundle(storage, changes, given, (why) => onRefused(undefined, why));
      return taken ? 'taken' : 'later';
    }
    if (body.kind !== 'channel-key') return 'refused';
    const verdict = judgeOffer(await known(body.space), from, body);
    if (verdict === 'later' || verdict === 'refused') return verdict;
    if (verdict === 'forked')
      changes.put.push(differenceRow(body.channel, { why: 'log', seq: body.logSeq, by: author }));
    else await takeChain(storage, changes, body, { author, device });
    return 'taken';
  } catch (error) {
    if (!(error instanceof CryptoFault || error instanceof Fault)) throw error;
    return 'refused';
  }
}
