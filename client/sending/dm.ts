/**
 * Sending direct messages: for every device of the recipient, sealed, in the order in which they were
 * queued. docs/protocol/dm.md §6, §7
 *
 * Invariant: ratchet state and sealed envelopes are one commit, made before anything leaves. What is
 * sent again after a lost answer is the same bytes under the same ids, which the island stores once.
 * One request at a time for each recipient, in one process of the home at a time: the next message
 * goes only after the island has committed the one before.
 */
import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { encodeSend } from '@island/protocol/wire/send.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { backoff, pause } from '../backoff.ts';
import { createBell } from '../bell.ts';
import { isPaymentRefused, isTokenRefused, type Paying, pay, payAnew } from '../payment/payment.ts';
import { Reserved } from '../payment/wallet.ts';
import { Problem, willPass } from '../problem.ts';
import type { Session } from '../sign-in/session.ts';
import { Conflict } from '../storage/storage.ts';
import { retryAfter, sendSealed, type Transport } from '../transport/transport.ts';
import {
  changedRow,
  isKept,
  type Order,
  plaintextOf,
  readWaiting,
  type Waiting,
  waiting,
} from './outbox.ts';
import { Moot, refreshRecipient, type Sealing, sealRow } from './sealing.ts';
import { settle } from './settling.ts';

export interface Sending extends Sealing, Paying {
  transport: Transport;
  session: Session;
  /** Something keeps a message here; it is tried again. */
  onWaiting: (to: string, error: Error) => void;
  /** Nothing keeps it any longer. */
  onMoving: (to: string) => void;
}

/** Times that a recipient's list, or the tokens, are fetched anew for one message before a pause. */
const mostTries = 3;
/** Milliseconds before other tokens are shown once more where several were refused; twice as long each time. */
const tokenPatience = 60_000;
/** Milliseconds that a row is held back, at most: one that holds up what comes after it, one that lets it pass. */
const longestHeld = 600_000;
const longestAside = 3_600_000;
/** Milliseconds between two looks at what is held back. */
const asideLook = 60_000;
/** Milliseconds between two looks at the whole queue, while it is not empty. */
const longestLook = 500;
/** Recipients of keys of channels at a time. */
const mostKeyLanes = 8;

/** Keys of channels and what is said go to the same person each in its own order. */
const laneOf = ({ to, keys }: Waiting): string => (keys ? `keys ${to}` : to);

/**
 * What lies beside a message or an act and is held back lets what comes after it pass. Other rows keep
 * their order. A clock that was put back holds nothing up for long.
 */
function isAside(row: Waiting, now: number): boolean {
  const ahead = (row.notBefore ?? now) - now;
  return isKept(row) && ahead > 0 && ahead <= longestAside;
}

/** Sends what is queued, now and later, until aborted. Ends early only when this device is signed out. */
export async function runOutbox(sending: Sending, signal: AbortSignal): Promise<void> {
  const lanes = new Map<string, Promise<void>>();
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  let failure: unknown;
  using changed = createBell(either);
  using _watch = sending.storage.watch(changed.ring);
  // New rows lie behind the newest one seen. The older ones are looked at now and then: they may be in
  // the hands of another process, which may die.
  let newest: string | undefined;
  let wholeLook = 0;
  let left = 0;
  /** When the first of those that are held back is due, Unix milliseconds. */
  let due = Number.POSITIVE_INFINITY;
  while (!either.aborted) {
    const now = sending.now();
    const whole = performance.now() >= wholeLook || now >= due;
    const found = await waiting(sending.storage, whole ? undefined : newest);
    const rows = found.filter((row) => !isAside(row, now));
    const aside = found.filter((row) => isAside(row, now)).map((row) => row.notBefore ?? now);
    if (whole) wholeLook = performance.now() + longestLook;
    left = whole ? rows.length : left + rows.length;
    due = Math.min(whole ? Number.POSITIVE_INFINITY : due, ...aside);
    newest = found.at(-1)?.key ?? newest;
    for (const to of new Set(rows.map(laneOf))) {
      if (lanes.has(to)) continue;
      const keyLanes = [...lanes.keys()].filter((name) => name.includes(' ')).length;
      if (to.includes(' ') && keyLanes >= mostKeyLanes) continue;
      const lane = runLane(sending, to, either)
        .catch((error: unknown) => {
          if (either.aborted) return;
          failure = error;
          stop.abort();
        })
        .finally(() => {
          lanes.delete(to);
          // Those that there was no room for begin now.
          wholeLook = 0;
          if (lanes.size >= mostKeyLanes - 1) changed.ring();
        });
      lanes.set(to, lane);
    }
    const held = due < Number.POSITIVE_INFINITY ? Math.min(due - now, asideLook) : undefined;
    await changed.next(left > 0 ? longestLook : held);
  }
  await Promise.all(lanes.values());
  if (failure !== undefined) throw failure;
}

/** Everything that waits for one recipient, unless another process is at it. */
async function runLane(sending: Sending, lane: string, signal: AbortSignal): Promise<void> {
  const { storage } = sending;
  using section = await storage.tryLock(`outbox ${lane}`);
  if (!section) return;
  for (;;) {
    const now = sending.now();
    const rows = (await waiting(storage)).filter(
      (row) => laneOf(row) === lane && !isAside(row, now),
    );
    if (rows.length === 0) return;
    for (const row of rows) {
      if (signal.aborted) return;
      await deliver(sending, row, signal);
    }
  }
}

/** Until the island has it, or it is clear that it never will. */
async function deliver(sending: Sending, row: Waiting, signal: AbortSignal): Promise<void> {
  const { now } = sending;
  if (row.notBefore !== undefined && !isKept(row))
    await pause(Math.min(Math.max(0, row.notBefore - now()), longestHeld), signal);
  let tries = 0;
  let patience = tokenPatience;
  let order = row.sealed;
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      // Sealed or not: what was erased while it waited for the line does not go to our own devices.
      if (row.about !== undefined && !(await plaintextOf(sending.storage, row))) throw new Moot();
      order ??= await sealRow(sending, row, undefined, signal);
      await dispatch(sending, row, order, signal);
      if (attempt > 0) sending.onMoving(row.to);
      await settle(sending, row.key, { state: 'accepted', peer: order.account });
      return;
    } catch (error) {
      if (signal.aborted) return;
      // Another process took the row, though none should: it is in good hands.
      if (error instanceof Conflict) return;
      // What others cause is not worth the last tokens, nor what is said behind it waiting for more.
      if (error instanceof Moot || error instanceof Reserved) {
        await settle(sending, row.key, { state: 'failed', reason: '' });
        return;
      }
      let cause = error;
      if (order && tries < mostTries && (isStale(error) || isPaymentRefused(error))) {
        tries += 1;
        const again = await renew(sending, row, order, error, signal);
        if (!(again instanceof Error)) {
          order = again;
          continue;
        }
        cause = again;
      }
      if (isGone(cause)) cause = await truthOf(sending, row, signal);
      if (!(cause instanceof Error)) throw cause;
      if (cause instanceof Problem && cause.code === 'signed_out') throw cause;
      const unsettled = isStale(cause);
      const waits = unsettled || willPass(cause) || isStorage(cause) || isPaymentWanted(cause);
      if (!waits) {
        if (!isStated(cause)) throw cause;
        await settle(sending, row.key, { state: 'failed', reason: cause.message });
        return;
      }
      if (row.keys && !row.keys.late && !isOnTheWay(cause)) {
        await markLate(sending, row.key);
        return;
      }
      const refused = isTokenRefused(cause);
      tries = refused ? mostTries - 1 : 0;
      sending.onWaiting(
        row.to,
        unsettled ? new Problem('devices_unsettled', { name: row.to }) : cause,
      );
      await pause(backoff(attempt, refused ? patience : retryAfter(error)), signal);
      if (refused) patience *= 2;
    }
  }
}

/** Keys of a channel go by the space that both sides are in, by name; all else sealed, and paid for. */
async function dispatch(
  sending: Sending,
  row: Waiting,
  order: Order,
  signal: AbortSignal,
): Promise<void> {
  const { transport, session } = sending;
  if (row.keys) {
    const envelopes = order.envelopes.map(({ device, id, body }) => {
      return { device, id, body: base64url(body) };
    });
    const { space } = row.keys;
    const { account: to, epoch } = order;
    await session.call('sendKeys', { space, to, epoch, envelopes }, { signal });
    return;
  }
  const paid = await pay(sending, row.key, order, signal);
  await sendSealed(transport, encodeSend({ ...order, ...paid }), { lane: row.to, signal });
}

/** What keeps a post here just as well. */
const isOnTheWay = (error: Error): boolean =>
  (error instanceof Problem && error.code === 'unreachable') ||
  (error instanceof Fault && willPass(error)) ||
  isStorage(error);

/** Posts wait for it no longer; it is tried on. */
async function markLate({ storage }: Sending, key: string): Promise<void> {
  const row = await readWaiting(storage, key);
  if (row?.keys) await storage.commit(changedRow(row, { keys: { ...row.keys, late: true } }));
}

const isStale = (error: unknown): boolean =>
  error instanceof Fault && error.code === 'stale_devices';

/** The island's word that there is nobody says nothing by itself: what the log shows does. */
const isGone = (error: unknown): boolean =>
  error instanceof Fault && error.code === 'unknown_person';

async function truthOf(sending: Sending, { to }: Waiting, signal: AbortSignal): Promise<unknown> {
  try {
    await refreshRecipient(sending, to, signal);
    // The log does not show it yet.
    return new Fault('stale_devices');
  } catch (error) {
    return error;
  }
}

/** What this machine refuses says nothing about the message: it stays queued. */
const isStorage = (error: Error): boolean =>
  error instanceof Problem && (error.code === 'disk_full' || error.code === 'home_unusable');

/** A mistake of this program, or a damaged home, is no reason to give up what was queued. */
const isStated = (error: Error): boolean =>
  error instanceof Fault ||
  error instanceof CryptoFault ||
  (error instanceof Problem && error.code !== 'home_damaged');

/** Tokens there will be again, and a mailbox that is full of requests will be read. */
const isPaymentWanted = (error: Error): boolean =>
  isPaymentRefused(error) ||
  (error instanceof Fault && (error.code === 'tokens_exhausted' || error.code === 'requests_full'));

/** What was refused, anew: other tokens, or the list and envelopes for exactly the devices on it. */
async function renew(
  sending: Sending,
  row: Waiting,
  order: Order,
  refusal: unknown,
  signal: AbortSignal,
): Promise<Order | Error> {
  try {
    if (isPaymentRefused(refusal))
      return (await payAnew(sending, row.key, order.account, refusal)) ? order : refusal;
    await refreshRecipient(sending, row.to, signal);
    const fresh = await readWaiting(sending.storage, row.key);
    if (!fresh) throw new Conflict();
    return await sealRow(sending, fresh, order, signal);
  } catch (error) {
    if (error instanceof Conflict || error instanceof Moot || !(error instanceof Error))
      throw error;
    return error;
  }
}
