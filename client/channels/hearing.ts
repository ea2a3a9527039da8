/**
 * What comes about channels from other devices: keys of chains, questions for them, history that somebody passes on.
 * docs/protocol/channel.md §8, §9
 *
 * Members of the space alone are heard, also those who are no contacts; what they give is stored before the envelope
 * is acknowledged. What this home can't judge yet, because its copy of the log ends earlier, waits (offers.ts).
 */
import type {
  ChannelHistoryBody,
  ChannelKeyBody,
  ChannelKeyWantedBody,
} from '@island/protocol/crypto/channel-key-body.ts';
import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import { viewSince } from '@island/protocol/space/readers.ts';
import { isSameIdentity, type SpaceState } from '@island/protocol/space/space-state.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type ChannelId, deviceKey, type SpaceId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Account } from '../account/account.ts';
import { Problem } from '../problem.ts';
import type { Sender } from '../receiving/senders.ts';
import { keysRow } from '../sending/outbox.ts';
import type { Spaces } from '../spaces/spaces.ts';
import type { Append, Storage } from '../storage/storage.ts';
import { mayAnswer } from './answers.ts';
import { differenceRow } from './differences.ts';
import { channelPlaintext, keyFrom } from './distribution.ts';
import { spaceOfBundle, takeBundle } from './given-history.ts';
import { judgeOffer } from './judging.ts';
import { offerRow } from './offers.ts';
import {
  chainName,
  changeOwnChain,
  givenTo,
  placeSince,
  presentChain,
  readOwnChain,
} from './own-chains.ts';
import { takeChain } from './received-chains.ts';
import { type Changes, through } from './rows.ts';

export interface HearingParts {
  account: Account;
  storage: Storage;
  spaces: Pick<Spaces, 'known'>;
  now: () => number;
  onRefused: (channel: ChannelId | undefined, why: string) => void;
}

/** The commit that it becomes part of. */
export interface Heard extends Changes {
  append: Append[];
}

type From = Pick<Sender, 'person' | 'party' | 'own'>;
export type ChannelMail = ChannelKeyBody | ChannelKeyWantedBody | ChannelHistoryBody;

export interface Hearing {
  take(heard: Heard, from: From, body: ChannelMail): Promise<void>;
}

export function openHearing(parts: HearingParts): Hearing {
  const { account, storage, spaces, now, onRefused } = parts;

  async function knownState(space: SpaceId): Promise<SpaceState | undefined> {
    try {
      return await spaces.known(space);
    } catch (error) {
      if (error instanceof Problem && error.code === 'space_unknown') return undefined;
      throw error;
    }
  }

  async function takeKey(heard: Heard, from: From, body: ChannelKeyBody): Promise<void> {
    const verdict = judgeOffer(await knownState(body.space), from, body);
    const { account: author, device } = from.party;
    if (verdict === 'later') {
      const row = await offerRow(through(storage, heard), { author, device, body, at: now() });
      if (row) heard.put.push(row);
    } else if (verdict === 'forked')
      heard.put.push(differenceRow(body.channel, { why: 'log', seq: body.logSeq, by: author }));
    else if (verdict === 'refused') onRefused(body.channel, 'not_permitted');
    else await takeChain(storage, heard, body, { author, device });
  }

  /** From where on the asker could read, by the log, and never to anybody else. */
  async function answer(heard: Heard, from: From, body: ChannelKeyWantedBody): Promise<void> {
    const { space, channel } = body;
    const reading = through(storage, heard);
    const own = await readOwnChain(reading, channel, hex(body.chain));
    const state = await knownState(space);
    const { account: asker, device } = from.party;
    const member = state?.members.get(asker);
    const since = state && viewSince(state, channel, asker);
    if (!own || own.chain.space !== space || since === undefined || !member || !state) return;
    if (!isSameIdentity(member, from.person.list)) return;
    const whose = `${hex(body.chain)} ${deviceKey(asker, device)}`;
    if (!(await mayAnswer(reading, heard, whose, now()))) return;
    const present = await presentChain(reading, channel);
    if (present && chainName(present.chain) === chainName(own.chain)) {
      const given = new Map(present.given).set(asker, givenTo(from.person));
      await changeOwnChain(reading, heard, { ...present, given });
    }
    const place = from.own || since <= own.chain.epoch ? 0 : placeSince(own, since);
    const plaintext = channelPlaintext(keyFrom(own, place, state), now());
    heard.append.push(keysRow(from.person.name, { space, channel, account: asker }, plaintext));
  }

  async function takeHistory(heard: Heard, from: From, body: ChannelHistoryBody): Promise<void> {
    const { bundle: bytes } = body;
    const state = await knownState(spaceOfBundle(bytes));
    const given = { state, from, recipient: account.account, bytes };
    const refused = (why: string): void => onRefused(undefined, why);
    if (await takeBundle(storage, heard, given, refused)) return;
    const { account: author, device } = from.party;
    const row = await offerRow(through(storage, heard), { author, device, body, at: now() });
    if (row) heard.put.push(row);
  }

  /** What is refused changes nothing, and stops nothing that comes with it. */
  async function taking(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof CryptoFault || error instanceof Fault)) throw error;
      onRefused(undefined, error.code);
    }
  }

  return {
    async take(heard, from, body) {
      if (body.kind === 'channel-key') await taking(() => takeKey(heard, from, body));
      else if (body.kind === 'channel-history') await taking(() => takeHistory(heard, from, body));
      else await answer(heard, from, body);
    },
  };
}
