/** What a sender gets to start a session with a device, checked as a whole. docs/protocol/prekeys.md §5 */
import {
  checkCurrent,
  type LastResort,
  type OneTimePrekey,
  openLastResort,
  openOneTime,
  openSignedPrekey,
  type SignedPrekey,
} from './prekeys.ts';

/** As `POST /v1/bundles` answers it. */
export interface BundleBytes {
  signedPrekey: Uint8Array;
  lastResort: Uint8Array;
  oneTime?: Uint8Array | undefined;
}

export interface PrekeyBundle {
  signedPrekey: SignedPrekey;
  lastResort: LastResort;
  /** Absent when the island had none left to give: the ML-KEM key is then the last resort's. */
  oneTime: OneTimePrekey | undefined;
}

/**
 * `dsk`: the device's, from its opened list. `day`: today. Throws what the structures throw, and
 * `prekey_expired` if one of them is out of date: an island can't serve old keys for ever.
 */
export function openBundle(bundle: BundleBytes, dsk: Uint8Array, day: number): PrekeyBundle {
  const signedPrekey = openSignedPrekey(bundle.signedPrekey, dsk);
  const lastResort = openLastResort(bundle.lastResort, dsk);
  const oneTime = bundle.oneTime === undefined ? undefined : openOneTime(bundle.oneTime, dsk);
  for (const prekey of [signedPrekey, lastResort, oneTime]) {
    if (prekey !== undefined) checkCurrent(prekey, day);
  }
  return { signedPrekey, lastResort, oneTime };
}
