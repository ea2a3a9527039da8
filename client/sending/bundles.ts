/** Prekeys of others' devices, fetched to begin sessions with. docs/protocol/prekeys.md §5 */
import { dayOf } from '@island/protocol/crypto/device.ts';
import type { Party, PeerPrekeys } from '@island/protocol/crypto/handshake.ts';
import { openBundle, type PrekeyBundle } from '@island/protocol/crypto/prekey-bundle.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { DeviceId } from '@island/protocol/wire/ids.ts';
import type { Lookups } from '../people/lookups.ts';
import type { Person } from '../people/people.ts';
import { Problem } from '../problem.ts';

export type Bundles = ReadonlyMap<DeviceId, PeerPrekeys>;

/** Throws `bundle_invalid` (Problem) for keys that the devices on the person's list did not sign, `prekey_expired`. */
export async function fetchBundles(
  lookups: Pick<Lookups, 'bundles'>,
  person: Person,
  peers: readonly Party[],
  now: number,
  signal: AbortSignal,
): Promise<Bundles> {
  const devices = peers.map(({ device }) => device);
  const answer = await lookups.bundles(person.account, devices, signal);
  return new Map(
    peers.map((peer) => {
      const bundle = answer.bundles.find(({ device }) => device === peer.device);
      try {
        if (!bundle) throw new Fault('malformed');
        return [peer.device, peerPrekeys(openBundle(bundle, peer.dsk, dayOf(now)))] as const;
      } catch (cause) {
        if (cause instanceof Fault && cause.code === 'prekey_expired') throw cause;
        throw new Problem('bundle_invalid', { name: person.name }, { cause });
      }
    }),
  );
}

const peerPrekeys = ({ signedPrekey, oneTime, lastResort }: PrekeyBundle): PeerPrekeys => ({
  signed: { id: signedPrekey.id, public: signedPrekey.public },
  pq: oneTime
    ? { id: oneTime.id, kind: 'one-time', public: oneTime.kem }
    : { id: lastResort.id, kind: 'last-resort', public: lastResort.public },
  oneTime: oneTime && { id: oneTime.id, public: oneTime.dh },
});
