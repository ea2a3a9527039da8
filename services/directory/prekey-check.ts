/** What is verified of prekeys before the island keeps them. docs/protocol/prekeys.md */
import {
  checkCurrent,
  type LastResort,
  type OneTimeBatch,
  openBatch,
  openLastResort,
  openSignedPrekey,
  type SignedPrekey,
} from '@island/protocol/crypto/prekeys.ts';

export interface PrekeyBytes {
  signedPrekey?: Uint8Array | undefined;
  lastResort?: Uint8Array | undefined;
  batch?: Uint8Array | undefined;
}

interface Checked<T> {
  bytes: Uint8Array;
  opened: T;
}

/** Verified with the device's DSK, and of today. */
export interface CheckedPrekeys {
  signedPrekey: Checked<SignedPrekey> | undefined;
  lastResort: Checked<LastResort> | undefined;
  batch: Checked<OneTimeBatch> | undefined;
}

/**
 * A signature made for one purpose never verifies for another, so that no prekey can stand in for a
 * different kind. Throws `bad_signature`, `prekey_expired` and what the decoders throw.
 */
export function openPrekeys(prekeys: PrekeyBytes, dsk: Uint8Array, day: number): CheckedPrekeys {
  const { signedPrekey, lastResort, batch } = prekeys;
  const check = <T extends { createdDay: number; expiresDay: number }>(
    bytes: Uint8Array | undefined,
    open: (bytes: Uint8Array, dsk: Uint8Array) => T,
  ): Checked<T> | undefined => {
    if (bytes === undefined) return undefined;
    const opened = open(bytes, dsk);
    checkCurrent(opened, day);
    return { bytes, opened };
  };
  return {
    signedPrekey: check(signedPrekey, openSignedPrekey),
    lastResort: check(lastResort, openLastResort),
    batch: check(batch, openBatch),
  };
}
