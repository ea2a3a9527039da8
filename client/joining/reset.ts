/**
 * The last resort: an account whose keys are lost begins anew, with a new identity. docs/protocol/devices.md §8
 *
 * The island lets time pass before, in which any device of the account can object. Everybody who knows
 * the person has to accept the new identity, and the archive is gone: nobody has its key.
 */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { makeKeyRecord } from '@island/protocol/crypto/key-record.ts';
import { ed25519, randomBytes, type SigningPair } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { readAccount } from '../account/account.ts';
import { codeSlot, makeCodes, readUnshown } from '../account/new-codes.ts';
import { noHead } from '../archive/rows.ts';
import { insist } from '../insist.ts';
import type { Session } from '../sign-in/session.ts';
import { finish, type Joined, type Making } from './joining.ts';
import { discover, type Joining } from './joining-parts.ts';
import { forgetJoining } from './joining-row.ts';
import { ask, askLeave, type Destination, type Leave, type Shown, withLeave } from './leave.ts';

/**
 * Asks for the reset; answers the seconds until it can be done. Throws what `askLeave` throws. With
 * 0 seconds the leave stays in this home, for `resetAccount`; else nothing does.
 */
export async function askReset(joining: Joining, to: Destination, shown: Shown): Promise<number> {
  await using leave = await askLeave(joining, to, 'reset', shown);
  const { storage, signal } = joining;
  const { seconds } = await withLeave(leave, () =>
    insist(() => ask(leave)('resetBegin', {}), { signal }),
  );
  if (seconds > 0) await forgetJoining(storage);
  return seconds;
}

/**
 * Does the reset that was asked for: this home is the only device, with a new identity and new backup
 * codes, which stay here until `codesShown`. Interrupted, the same again goes on. Throws what `askLeave`
 * throws, `reset_waiting` (Fault, with `seconds`) as long as it can't be done, and `forbidden` when nobody
 * asked for it, or too long ago.
 */
export async function resetAccount(
  joining: Joining,
  to: Destination,
  shown: Shown,
): Promise<Joined & { codes: string[] }> {
  await using leave = await askLeave(joining, to, 'reset', shown);
  const { storage } = joining;
  const aik = await newIdentity(leave);
  try {
    const joined = await withLeave(leave, () => finish(leave, () => anew(leave, to, aik)));
    return { ...joined, codes: (await readUnshown(storage)) ?? [] };
  } catch (error) {
    const refused = error instanceof Fault && ['reset_waiting', 'forbidden'].includes(error.code);
    if (refused) await forgetJoining(storage);
    throw error;
  }
}

/** A device of the account objects, or the person has found a code. */
export const cancelReset = (session: Session, signal?: AbortSignal) =>
  session.call('resetCancel', {}, signal ? { signal } : {});

/** That of a reset which was made here and is on its way; never one that came from anywhere else. */
async function newIdentity({ joining, row }: Leave): Promise<SigningPair> {
  const held = row.made && (await readAccount(joining.storage));
  return held ? ed25519.fromSeed(held.aik) : ed25519.generate();
}

/** The identity stays the same when the list has to be made anew; the codes are others. */
async function anew(
  { joining, transport, account }: Leave,
  { caFingerprint }: Destination,
  aik: SigningPair,
): Promise<Making> {
  const { platform, report } = joining;
  const { kdf } = await discover(transport, caFingerprint);
  const hashing = { salt: randomBytes(16), kdf };
  report?.('hashing');
  const made = await makeCodes(platform, hashing.salt, hashing.kdf);
  const ark = randomBytes(32);
  return {
    aik,
    head: noHead,
    codes: made.map(({ text }) => text),
    change: (_own, cert) => ({ devices: [cert], replace: { aik: aik.public, how: 'reset' } }),
    record: ({ record }, list) => ({
      ark,
      ...makeKeyRecord({
        version: record.version + 1,
        prevHash: record.hash,
        list: openDeviceList(list),
        aik,
        firstEpoch: record.arkEpoch + 1,
        arkEpoch: record.arkEpoch + 1,
        ark,
        former: [],
        head: noHead,
        codes: hashing,
        slots: made.map(({ keys }) => codeSlot(keys, account, aik.public)),
      }),
    }),
  };
}
