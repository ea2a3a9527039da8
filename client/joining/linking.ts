/**
 * A device of the account lets another one join: one shows a link, the other reads it; the old one shows
 * six digits, which the person types on the new one. docs/protocol/linking.md §3, §4
 *
 * What the two say to each other goes through the island, which can hold it back but neither read nor
 * change it. One try an offer: whatever is not as it must be ends it.
 */
import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import {
  answerLink,
  beginLink,
  compareLink,
  giveLink,
  type LinkGift,
  makeOffer,
  type Offer,
  refuseLink,
  revealLink,
  takeLink,
} from '@island/protocol/crypto/device-link.ts';
import { openKeyring } from '@island/protocol/crypto/key-record.ts';
import { ed25519, equal } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type DeviceLink, formatIslandLink } from '@island/protocol/wire/island-link.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { type Keeping, syncKeys } from '../account/key-changes.ts';
import type { Ask, OwnAccount } from '../account/shown-account.ts';
import { archiveHead } from '../archive/rows.ts';
import { pause } from '../backoff.ts';
import { insist } from '../insist.ts';
import { Problem, refusing } from '../problem.ts';
import { rootFingerprint } from '../transport/root-fingerprint.ts';
import {
  bySecrets,
  finish,
  isPresent,
  type Joined,
  overtakenBy,
  readAll,
  seenOf,
} from './joining.ts';
import type { Joining } from './joining-parts.ts';
import { joiningRow, type Secrets } from './joining-row.ts';
import { ask, askLeave, type Leave, type Shown, withLeave } from './leave.ts';

/** Times that the digits may be typed. */
const typings = 3;
/** Milliseconds between two looks for a message of the other device. */
const look = 400;

/** What both sides need of the island. */
interface Relay {
  ask: Ask;
  offer: Offer;
  /** Unix milliseconds. */
  now: () => number;
  until: number;
  signal?: AbortSignal | undefined;
}

type Step = 1 | 2 | 3 | 4;

async function put({ ask, offer, signal }: Relay, step: Step, message: Uint8Array): Promise<void> {
  const request = { offer: base64url(offer.offer), step, message: base64url(message) };
  await insist(() => ask('linkPut', request, signal ? { signal } : {}), { signal });
}

/** The message of a step, once it is there. Throws `link_ended`. */
async function take(relay: Relay, step: Step): Promise<Uint8Array> {
  const { ask, offer, now, until, signal } = relay;
  const request = { offer: base64url(offer.offer), step };
  for (;;) {
    const { message } = await insist(() => ask('linkGet', request, signal ? { signal } : {}), {
      signal,
    });
    if (message) return message;
    if (now() > until) throw new Problem('link_ended');
    await pause(look, signal);
    signal?.throwIfAborted();
  }
}

/** Whatever the other side, or the island in its place, does not keep to. */
async function strict<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof Fault && cause.code === 'link_expired')
      throw new Problem('link_ended', {}, { cause });
    const broken =
      cause instanceof CryptoFault || (cause instanceof Fault && ofForm.has(cause.code));
    if (broken) throw new Problem('link_broken', {}, { cause });
    throw cause;
  }
}

const ofForm = new Set<Fault['code']>([
  'malformed',
  'trailing_bytes',
  'truncated',
  'unknown_version',
  'unknown_type',
  'too_large',
  'not_canonical',
]);

/** On a device of the account. Answers the link, a secret for as long as it stands. Throws what `syncKeys` throws. */
export async function offerLink(keeping: Keeping): Promise<{ link: string; offer: Offer }> {
  const { session, signal } = keeping;
  const { self } = await syncKeys(keeping);
  const offer = makeOffer();
  const request = { offer: base64url(offer.offer) };
  await insist(() => session.call('linkOpen', request, signal ? { signal } : {}), { signal });
  const { address, root, name } = self;
  const caFingerprint = rootFingerprint(root);
  return {
    offer,
    link: formatIslandLink({ kind: 'link', address, caFingerprint, name, ...offer }),
  };
}

/**
 * On a device of the account: waits for the other one, shows the person the digits to type there, asks
 * whether it took them, and gives it the keys, or not. `false`: the person said no. Throws `link_broken`, `link_ended`.
 */
export const giveByLink = (
  keeping: Keeping,
  offer: Offer,
  confirm: (digits: string) => Promise<boolean>,
): Promise<boolean> =>
  strict(async () => {
    const { session, now, signal, storage } = keeping;
    const until = now() + limits.linkSeconds * 1000;
    const relay: Relay = { ask: session.call, offer, now, until, signal };
    const answered = answerLink(offer, await take(relay, 1));
    await put(relay, 2, answered.message);
    const agreed = compareLink(answered.side, await take(relay, 3));
    if (!(await confirm(agreed.digits))) {
      await put(relay, 4, refuseLink(agreed));
      return false;
    }
    const { list, record, keys, self } = await syncKeys(keeping);
    const gift: LinkGift = {
      ark: keys.ark,
      arkEpoch: keys.arkEpoch,
      aik: ed25519.fromSeed(self.aik),
      listHash: list.hash,
      recordHash: record.hash,
      head: await archiveHead(storage),
    };
    await put(relay, 4, giveLink(agreed, gift));
    return true;
  });

/** How the new device hears of the digits. */
export interface Digits {
  askDigits: (again: boolean) => Promise<string>;
  onDigits?: () => void;
}

/**
 * On the new device: makes this home a device of the account that the link is of. `askDigits` gives the six
 * digits that the person reads on the old device, `again` where those before were others; `onDigits` hears
 * that they are right. A link is good for one try; interrupted after it was confirmed, the same again goes
 * on. Throws what `askLeave` throws; `link_broken`, `link_digits`, `link_declined`, `link_ended`, `link_differs`; `history_broken`, `record_unsigned`, `record_rolled_back`,
 * `record_differs`, `list_rolled_back`; `joining_lapsed`, `joining_overtaken`, `devices_full`.
 */
export async function joinByLink(
  joining: Joining,
  link: DeviceLink,
  shown: Shown & Digits,
): Promise<Joined> {
  await using leave = await askLeave(joining, link, 'link', shown);
  const making = async (own: OwnAccount) => {
    const { secrets } = leave.row;
    if (!secrets) throw new Problem('link_ended');
    if (!isPresent(own, secrets)) throw await overtakenBy(leave);
    return bySecrets(leave.row, secrets);
  };
  return await withLeave(leave, async () => {
    if (!leave.row.secrets) await obtain(leave, link, shown);
    return finish(leave, making);
  });
}

/** What the other device gives, checked against what the island shows; it is in the row from then on. */
async function obtain(leave: Leave, offer: Offer, digits: Digits): Promise<void> {
  const { joining, row } = leave;
  const { now, signal, storage } = joining;
  const until = now() + limits.linkSeconds * 1000;
  const relay: Relay = { ask: ask(leave), offer, now, until, signal };
  const gift = await strict(async () => {
    const begun = beginLink(offer);
    await put(relay, 1, begun.message);
    const revealed = revealLink(begun.side, await take(relay, 2));
    await put(relay, 3, revealed.message);
    await typed(revealed.agreed.digits, digits);
    return takeLink(revealed.agreed, await take(relay, 4));
  });
  if (!gift) throw new Problem('link_declined');
  const secrets = openGift(row.name, await insist(() => readAll(leave), { signal }), gift);
  leave.row = { ...row, secrets };
  await storage.commit({ put: [joiningRow(leave.row)] });
}

/**
 * Whoever stands between has settled the digits of this side without knowing those of the other: that they
 * are the same is what makes the gift that of the device which the person holds. Throws `link_digits`.
 */
async function typed(digits: string, { askDigits, onDigits }: Digits): Promise<void> {
  for (let i = 0; i < typings; i++) {
    if ((await askDigits(i > 0)).replace(/\s/g, '') !== digits) continue;
    onDigits?.();
    return;
  }
  throw new Problem('link_digits');
}

/** Throws `link_differs` unless the island shows what the other device knows. */
function openGift(name: string, own: OwnAccount, gift: LinkGift): Secrets {
  const { way, newest, record } = own;
  const same =
    way.some(({ hash }) => equal(hash, gift.listHash)) &&
    equal(record.hash, gift.recordHash) &&
    record.arkEpoch === gift.arkEpoch &&
    equal(newest.aik, gift.aik.public);
  if (!same) throw new Problem('link_differs', { name });
  refusing('record_differs', name, () => openKeyring(record, gift.ark));
  const { ark, arkEpoch, aik, head } = gift;
  return { ark, arkEpoch, aik: aik.private, head, seen: seenOf(own) };
}
