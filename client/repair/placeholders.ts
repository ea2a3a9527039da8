/**
 * What stands in the history where a message could not be read: `recovering` until it comes or is lost, then
 * nothing, and a count of what is lost. docs/protocol/ratchet.md §9.6
 */
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import type { DeviceKey } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { arrival, messagePlaces, readMessage, type Unreadable } from '../messages/messages.ts';
import type { Append, Place, Storage } from '../storage/storage.ts';

/** Beside a message that is a placeholder, under its key: of which device's session message. */
const namespace = 'recovering';
const text = new TextDecoder();

export interface Placeholder {
  place: string;
  device: DeviceKey;
  /** SHA-256 of the session message, hex. */
  hash: string;
}

export function placeholderRow(
  device: DeviceKey,
  hash: Uint8Array,
  what: Pick<Unreadable, 'id' | 'claims' | 'reason' | 'receivedAt'>,
): Append {
  const row = arrival({ type: 'unreadable', state: 'recovering', ...what });
  const own = { namespace, bytes: utf8Bytes(`${device} ${hex(hash)}`) };
  return { ...row, beside: [...(row.beside ?? []), own] };
}

export async function placeholders(storage: Storage): Promise<Placeholder[]> {
  return (await storage.list(namespace)).map(({ key, bytes }) => {
    const [device = '', hash = ''] = text.decode(bytes).split(' ');
    return { place: key, device: device as DeviceKey, hash };
  });
}

/** When the message came that it stands for. */
export async function heldSince(storage: Storage, place: string): Promise<number | undefined> {
  const message = await readMessage(storage, place);
  return message?.type === 'unreadable' ? message.receivedAt : undefined;
}

/** Everything of a placeholder, for the commit that ends it. */
export const placeholderPlaces = (place: string): Place[] => [
  ...messagePlaces(place),
  { namespace, key: place },
];

/** Said in the conversation: so many messages of this person will not come. */
export const lostRow = (claims: string, count: number, receivedAt: number): Append =>
  arrival({
    type: 'unreadable',
    id: hex(randomBytes(16)),
    claims,
    state: 'lost',
    count,
    reason: lostSentence(count),
    receivedAt,
  });

export const lostSentence = (count: number): string =>
  count === 1 ? '1 message could not be recovered' : `${count} messages could not be recovered`;
