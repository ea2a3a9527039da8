/** What a client needs of the place where it runs; platform-node.ts brings it for Node. */
import type { Argon2id } from '@island/protocol/crypto/password.ts';
import type { Transport } from './transport/transport.ts';

/** An island whose root certificate is known. */
export interface Pinned {
  /** `https://host[:port]`. */
  address: string;
  /** PEM of the root certificate: the only one that is trusted. */
  root: string;
}

export interface Platform {
  /** The root certificate (PEM) at the address that has this SHA-256. Throws `wrong_island`, `unreachable`. */
  fetchRoot(address: string, fingerprint: Uint8Array): Promise<string>;
  transport(pinned: Pinned): Transport;
  argon2id: Argon2id;
}
