/**
 * What a device publishes when it joins an account: the list that names it, its first prekeys, and the
 * proof that it holds its DIK. docs/protocol/devices.md §3, prekeys.md
 *
 * The keys are committed before anything leaves; asked for again after a lost answer, all is the same
 * but challenge and proof.
 */
import { certHash, proveDik } from '@island/protocol/crypto/device.ts';
import type { SigningPair } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import type { Account } from '../account/account.ts';
import { allPrekeyKeys, makePrekeys, readStanding, standingRow } from '../ratchets/prekeys.ts';
import type { Place, Put, Storage } from '../storage/storage.ts';
import { call, type Transport } from '../transport/transport.ts';

/** Makes the first prekeys of a device. `now`: Unix milliseconds. */
export async function makeEnrolment(
  storage: Storage,
  dsk: SigningPair,
  now: number,
): Promise<{ put: Put[]; remove: Place[] }> {
  const made = makePrekeys(dsk, now, { standing: true, batch: true });
  const { signedPrekey, lastResort, batch } = made;
  if (!signedPrekey || !lastResort || !batch) throw new Fault('internal');
  const publish = {
    signedPrekey: base64url(signedPrekey),
    lastResort: base64url(lastResort),
    batch: base64url(batch),
  };
  return {
    remove: await allPrekeyKeys(storage),
    put: [...made.rows, standingRow({ next: made.next, publish })],
  };
}

/** The parts of a request by which this device joins, with a fresh proof. */
export async function enrolmentOf(
  { storage, transport, signal }: { storage: Storage; transport: Transport; signal?: AbortSignal },
  { dik, cert, list }: Account,
) {
  const { signedPrekey, lastResort, batch } = (await readStanding(storage))?.value.publish ?? {};
  if (!signedPrekey || !lastResort || !batch) throw new Fault('internal');
  const { challenge } = await call(transport, 'challenge', {}, signal ? { signal } : {});
  return {
    list: base64url(list.bytes),
    challenge: base64url(challenge),
    proof: base64url(proveDik(dik, challenge, certHash(cert))),
    signedPrekey,
    lastResort,
    batch,
  };
}

/** Once the island has taken them: they need not be published again. */
export async function enrolledRow(storage: Storage): Promise<Put> {
  const made = await readStanding(storage);
  if (!made) throw new Fault('internal');
  return standingRow({ next: made.value.next });
}
