/**
 * Mailboxes: sealed envelopes by device and sequence number, until they are acknowledged.
 * docs/protocol/dm.md §7
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import {
  type AccountId,
  type DeviceId,
  type EnvelopeId,
  envelopeId,
} from '@island/protocol/wire/ids.ts';
import type { Bus } from '../kit/bus.ts';
import { type Clock, unixDay } from '../kit/clock.ts';
import { groupCommit } from '../kit/group-commit.ts';
import { isRepeated } from './accepted.ts';
import type { Bodies, Sealer } from './bodies.ts';
import { mailboxOf } from './boxes.ts';
import { delivery } from './contract.ts';
import type { DeliveryStore } from './database.ts';
import type { Envelope } from './envelopes.ts';
import { type Paid, unpaid } from './payment.ts';
import type { Admission, Recipients } from './recipients.ts';
import type * as schema from './schema.ts';
import type { Spendable } from './tokens/spent.ts';
import { apply, type Placed, type Write } from './writes.ts';

export interface Put {
  account: AccountId;
  /** Epoch of the device list that the sender addressed. */
  epoch: number;
  envelopes: readonly Envelope[];
}

export interface Page {
  /** The newest `seq` ever given. */
  head: number;
  envelopes: { seq: number; id: EnvelopeId; request: boolean; body: Uint8Array }[];
}

export interface Mailboxes {
  /**
   * Resolves once every envelope is on the disk; then listeners are told. An id that its mailbox
   * accepted before stores nothing and succeeds.
   * @throws stale_devices, delivery_key_refused, token_spent, requests_full, mailbox_full, storage_full,
   * unavailable: nothing of the put was stored, and nothing spent
   */
  put(put: Put, paid?: Paid): Promise<void>;
  /** Spends tokens on something else, as `put` does. @throws token_spent */
  spend(tokens: readonly Spendable[], context: Uint8Array): Promise<void>;
  /** Envelopes with `seq > after`, ascending: at most `count`, and what fits one answer on the bus. */
  since(account: AccountId, device: DeviceId, after: number, count: number): Promise<Page>;
  /** Deletes everything up to `seq`. */
  ack(account: AccountId, device: DeviceId, seq: number): Promise<void>;
  /** The same for a mailbox as it is stored. */
  forget(mailbox: Uint8Array, seq: number): Promise<void>;
  /** Of what came before this day no copy can be opened any more. */
  dropKeys(beforeDay: number): Promise<void>;
  /** Deletes everything, and the mailbox as it is stored: its device left the list. */
  close(mailbox: Uint8Array): Promise<void>;
}

/** Bytes of envelopes in one answer, of the 512 KiB that it may have. */
const pageBytes = 480 * 1024;
/** CBOR around one envelope's body: names, `seq`, `id`, lengths. */
const wrapBytes = 80;

export function openMailboxes(parts: {
  store: DeliveryStore;
  bodies: Bodies;
  bus: Bus;
  recipients: Recipients;
  clock: Clock;
}): Mailboxes {
  const { store, bodies, bus, recipients, clock } = parts;
  let sealer: Sealer | undefined;
  const writes = groupCommit<typeof schema, Write, Placed>(store, {
    async prepare() {
      sealer = await bodies.of(unixDay(clock));
    },
    async apply(group, _db, sql) {
      if (sealer === undefined) throw new TypeError('a group of writes without a key');
      return apply(group, sql, sealer);
    },
    mostWaiting: 4096,
  });
  const forget = async (mailbox: Uint8Array, seq: number): Promise<void> => {
    await writes.add({ kind: 'forget', mailbox, seq });
  };

  /** Nothing for a put that was accepted before. */
  async function admit({ account, epoch, envelopes }: Put): Promise<Admission | undefined> {
    const devices = envelopes.map(({ device }) => device);
    try {
      return await recipients.check(account, epoch, devices);
    } catch (error) {
      // The list changed between a put and its repetition: what was right then is answered as then.
      const stale = error instanceof Fault && error.code === 'stale_devices';
      if (stale && (await isRepeated({ account, envelopes }, store))) return undefined;
      throw error;
    }
  }

  return {
    async put(put, paid = unpaid) {
      for (;;) {
        using admission = await admit(put);
        if (admission === undefined) return;
        const { account, envelopes } = put;
        const placed = await writes.add({ kind: 'put', account, envelopes, paid, admission });
        if (placed === 'overtaken') continue;
        for (const { mailbox, ...mail } of placed) bus.publish(delivery, 'mail', mailbox, mail);
        return;
      }
    },

    async spend(tokens, context) {
      await writes.add({ kind: 'spend', tokens, context });
    },

    since: (account, device, after, count) => page(parts, mailboxOf(account, device), after, count),
    ack: (account, device, seq) => forget(mailboxOf(account, device), seq),
    forget,
    dropKeys: (beforeDay) => bodies.drop(beforeDay),
    async close(mailbox) {
      await writes.add({ kind: 'close', mailbox });
    },
  };
}

/** What does not open is left out; of a page that has nothing else, the next one is asked for. */
async function page(
  { store, bodies }: { store: DeliveryStore; bodies: Bodies },
  mailbox: Buffer,
  after: number,
  count: number,
): Promise<Page> {
  // `head` is read first: whatever it counts that still waits is in the rows read after it.
  const [box] = await store.rows<{ head: number; floor: number }>(
    'SELECT head, floor FROM mailboxes WHERE mailbox = ?',
    [mailbox],
  );
  if (box === undefined) return { head: 0, envelopes: [] };
  const { head } = box;
  if (head === box.floor || head <= after) return { head, envelopes: [] };
  const sizes = await store.rows<{ seq: number; size: number }>(
    'SELECT seq, length(body) AS size FROM envelopes WHERE mailbox = ? AND seq > ? ORDER BY seq LIMIT ?',
    [mailbox, after, count],
  );
  const rows = await store.rows<{ seq: number; id: Buffer; request: number; body: Buffer }>(
    'SELECT seq, id, request, body FROM envelopes WHERE mailbox = ? AND seq > ? AND seq <= ? ORDER BY seq',
    [mailbox, after, lastThatFits(sizes)],
  );
  const envelopes = rows.flatMap(({ seq, id, request, body: sealed }) => {
    const body = bodies.open(mailbox, seq, id, sealed);
    if (body === undefined) return [];
    return [{ seq, id: envelopeId(id.toString('hex')), request: request === 1, body }];
  });
  const last = rows.at(-1)?.seq;
  if (envelopes.length === 0 && last !== undefined)
    return page({ store, bodies }, mailbox, last, count);
  return { head: Math.max(head, envelopes.at(-1)?.seq ?? 0), envelopes };
}

function lastThatFits(sizes: readonly { seq: number; size: number }[]): number {
  let last = 0;
  let total = 0;
  for (const { seq, size } of sizes) {
    total += size + wrapBytes;
    if (total > pageBytes) break;
    last = seq;
  }
  return last;
}
