/**
 * The chains that this device posts in, one at a time in a channel. docs/protocol/channel.md §5
 *
 *     own-chains    channel chain   { chain, steps }               steps: the log at the places where it moved
 *     own-chain     channel         { chain, generation, given }   the present one, and who was given it
 *
 * Invariant: a step of a chain is committed with what it sealed, expecting the row that it began from. A home that
 * was put back from a copy is of another generation, and goes on in another chain.
 */
import { decodeSenderChain, encodeSenderChain } from '@island/protocol/crypto/chain-storage.ts';
import type { SenderChain } from '@island/protocol/crypto/sender-chain.ts';
import type { AccountId, ChannelId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import * as v from 'valibot';
import type { Person } from '../people/people.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import { type Changes, expected, type Reading } from './rows.ts';

const kept = v.strictObject({
  chain: bytes64,
  /** From which place on its posts named which entry of the log. */
  steps: v.array(v.tuple([v.number(), v.number()])),
});

const devices = v.strictObject({ devices: v.array(v.number()), last: v.number() });
const present = v.strictObject({
  chain: v.string(),
  generation: v.number(),
  /** By account. */
  given: v.record(v.string(), devices),
});

export interface OwnChain {
  chain: SenderChain;
  /** Ascending: log entry, place. */
  steps: readonly (readonly [logSeq: number, iteration: number])[];
}

/** Devices of an account that were given a chain, and the newest that its list had ever named. */
export type GivenDevices = v.InferOutput<typeof devices>;

export interface PresentChain extends OwnChain {
  generation: number;
  given: ReadonlyMap<AccountId, GivenDevices>;
}

const chains = 'own-chains';
const presents = 'own-chain';
export const chainName = ({ id }: Pick<SenderChain, 'id'>): string => hex(id);

/** One of this device's, also of before. */
export async function readOwnChain(
  storage: Reading,
  channel: ChannelId,
  name: string,
): Promise<OwnChain | undefined> {
  const row = await storage.read(chains, `${channel} ${name}`);
  if (!row) return undefined;
  const { chain, steps } = decodeRecord(kept, row);
  return { chain: decodeSenderChain(chain), steps };
}

export async function presentChain(
  storage: Reading,
  channel: ChannelId,
): Promise<PresentChain | undefined> {
  const row = await storage.read(presents, channel);
  if (!row) return undefined;
  const { chain: name, generation, given } = decodeRecord(present, row);
  const own = await readOwnChain(storage, channel, name);
  const map = new Map(Object.entries(given)) as Map<AccountId, GivenDevices>;
  return own && { ...own, generation, given: map };
}

/** Adds rows to a commit that holds only if nobody else has used the chain meanwhile. */
export async function changeOwnChain(
  storage: Reading,
  changes: Changes,
  { chain, steps, generation, given }: PresentChain,
): Promise<void> {
  const name = chainName(chain);
  const place = { namespace: presents, key: chain.channel };
  const at = { namespace: chains, key: `${chain.channel} ${name}` };
  expected(changes, place, await storage.read(place.namespace, place.key));
  expected(changes, at, await storage.read(at.namespace, at.key));
  const row = { chain: name, generation, given: Object.fromEntries(given) };
  changes.put.push(
    { ...place, bytes: encodeRecord(row) },
    { ...at, bytes: encodeRecord({ chain: encodeSenderChain(chain), steps }) },
  );
}

/** After a post that named entry `logSeq` of the log, made at the place before the chain's next. */
export function stepped(own: PresentChain, chain: SenderChain, logSeq: number): PresentChain {
  const moved = own.steps.at(-1)?.[0] !== logSeq;
  const steps = moved ? [...own.steps, [logSeq, chain.keys.next - 1] as const] : own.steps;
  return { ...own, chain, steps };
}

/** The first place of a chain whose post was made when the author knew entry `logSeq`; the next one for none. */
export const placeSince = ({ chain, steps }: OwnChain, logSeq: number): number =>
  steps.find(([seq]) => seq >= logSeq)?.[1] ?? chain.keys.next;

export const givenTo = ({ list }: Person): GivenDevices => ({
  devices: list.devices.map(({ device }) => device),
  last: list.lastDevice,
});

/**
 * Whether a device that was given the chain, or may have been, is on the list no more. One that came and went in
 * between was perhaps on it when the keys were sealed.
 */
export function lostSome(given: GivenDevices, now: GivenDevices): boolean {
  const there = new Set(now.devices);
  if (given.devices.some((device) => !there.has(device))) return true;
  for (let device = given.last + 1; device <= now.last; device++)
    if (!there.has(device)) return true;
  return false;
}

export const lacksSome = (given: GivenDevices | undefined, now: GivenDevices): boolean =>
  now.devices.some((device) => !given?.devices.includes(device));
