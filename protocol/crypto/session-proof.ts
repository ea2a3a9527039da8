/**
 * A device shows that it holds its signing key, for one nonce of the island and one purpose of its own:
 * no session without it. docs/protocol/accounts.md §4
 *
 *     proof = signature by DSK, purpose "session", over
 *             nonce 40 ‖ account 16 ‖ u32 device ‖ u8 use ‖ about 32
 *
 *     use        about
 *     1 register hash of the device list
 *     2 login    SHA-256( auth 32 or grant 32 )
 *     3 refresh  SHA-256( refresh token 32 ‖ attempt 16, or nothing )
 *     4 join     hash of the device list
 */
import { Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import type { AccountId, DeviceId } from '../wire/ids.ts';
import { nonceBytes } from '../wire/route.ts';
import { fromHex } from '../wire/text.ts';
import { ed25519, type SigningPair, sha256, sha256Of } from './primitives.ts';
import { sign, signatureInput } from './signature.ts';

export const proofUses = { register: 1, login: 2, refresh: 3, join: 4 } as const;
export type ProofUse = (typeof proofUses)[keyof typeof proofUses];

/** What a device proof is over. */
export interface DeviceClaim {
  /** 40 bytes, as the island gave them. */
  nonce: Uint8Array;
  account: AccountId;
  device: DeviceId;
  use: ProofUse;
  /** 32 bytes that tie the proof to the rest of the request. */
  about: Uint8Array;
}

/** `about` of a login: 32 bytes of `auth`, or of a grant. */
export const aboutLogin = (shown: Uint8Array): Uint8Array => sha256(shown);

/** `about` of a refresh. `token`: 32 bytes, decoded. `attempt`: 16 bytes, if the request has it. */
export const aboutRefresh = (
  token: Uint8Array,
  attempt: Uint8Array = new Uint8Array(0),
): Uint8Array => sha256Of(token, attempt);

function fieldsOf({ nonce, account, device, use, about }: DeviceClaim): Uint8Array {
  if (nonce.length !== nonceBytes || about.length !== 32) throw new Fault('malformed');
  const out = new Writer(nonceBytes + 53).raw(nonce).raw(fromHex(account));
  return out.u32(device).u8(use).raw(about).done();
}

/** 64 bytes. Throws `malformed` for a nonce or an `about` of another length. */
export const proveDevice = (dsk: SigningPair, claim: DeviceClaim): Uint8Array =>
  sign('session', dsk, fieldsOf(claim));

/** Throws `bad_proof` unless the device with this signing key made `proof` for exactly this claim. */
export function checkDeviceProof(
  dskPublic: Uint8Array,
  claim: DeviceClaim,
  proof: Uint8Array,
): void {
  if (!ed25519.verify(dskPublic, signatureInput('session', fieldsOf(claim)), proof)) {
    throw new Fault('bad_proof');
  }
}
