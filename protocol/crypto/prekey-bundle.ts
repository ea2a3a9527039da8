/** What a sender gets to start a session with a device, checked as a whole. docs/protocol/prekeys.md §5 */
import { Fault } from '../wire/fault.ts';
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
  /** One of these two: the last resort when the island had no one-time prekey left to give. */
  oneTime?: Uint8Array | undefined;
  lastResort?: Uint8Array | undefined;
}

/** The ML-KEM key is that of whichever of the two came. */
export type PrekeyBundle = { signedPrekey: SignedPrekey } & (
  | { oneTime: OneTimePrekey; lastResort: undefined }
  | { oneTime: undefined; lastResort: LastResort }
);

/**
 * `dsk`: the device's, from its opened list. `day`: today. Throws what the structures throw, and
 * `prekey_expired` if one of them is out of date: an island can't serve old keys for ever;
 * `malformed` for both kinds of ML-KEM key or none.
 */
export function openBundle(bundle: BundleBytes, dsk: Uint8Array, day: number): PrekeyBundle {
  const signedPrekey = openSignedPrekey(bundle.signedPrekey, dsk);
  checkCurrent(signedPrekey, day);
  if (bundle.oneTime !== undefined && bundle.lastResort === undefined) {
    const oneTime = openOneTime(bundle.oneTime, dsk);
    checkCurrent(oneTime, day);
    return { signedPrekey, oneTime, lastResort: undefined };
  }
  if (bundle.lastResort !== undefined && bundle.oneTime === undefined) {
    const lastResort = openLastResort(bundle.lastResort, dsk);
    checkCurrent(lastResort, day);
    return { signedPrekey, oneTime: undefined, lastResort };
  }
  throw new Fault('malformed');
}
