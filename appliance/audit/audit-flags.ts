/** What the command line of whoever audits says of the log. docs/operations.md §13 */
import type { PinOptions } from './pins.ts';
import type { Place } from './place.ts';

export interface AuditFlags {
  vkey?: string;
  policy?: string;
  vrf?: string;
  ca?: string;
  caFingerprint?: string;
  state: string;
  allowUnwitnessed?: true;
  cosign?: true;
  json?: true;
}

/** Reads the files that are named. Throws `Stated`. */
export async function pinOptions(place: Place, flags: AuditFlags): Promise<PinOptions> {
  const { readGiven } = await import('./pins.ts');
  const fingerprint = flags.caFingerprint ?? place.fingerprint;
  const { vkey = place.vkey, vrf } = flags;
  const { address, ownWitness } = place;
  return {
    address,
    ...(ownWitness === undefined ? {} : { ownWitness }),
    ...(vkey === undefined ? {} : { vkey }),
    ...(vrf === undefined ? {} : { vrf }),
    ...(flags.policy === undefined
      ? {}
      : { policy: await readGiven(flags.policy, 'the witness policy') }),
    ...(flags.ca === undefined
      ? {}
      : { root: await readGiven(flags.ca, 'the certificate authority') }),
    ...(fingerprint === undefined ? {} : { fingerprint }),
  };
}
