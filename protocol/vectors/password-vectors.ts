/** Vectors of the password hash and of what is signed to sign in. docs/protocol/accounts.md §2, §4 */
import { hashPassword, kdfFloor, provePassword } from '../crypto/password.ts';
import { ed25519 } from '../crypto/primitives.ts';
import { aboutLogin, aboutRefresh, proofUses, proveDevice } from '../crypto/session-proof.ts';
import { accountId, deviceId } from '../wire/ids.ts';
import { hex } from '../wire/text.ts';
import { argon2id } from './sample-account.ts';
import { seededRandom } from './seeded.ts';
import type { VectorFile } from './vector-file.ts';

export const vectors: VectorFile = {
  name: 'password',
  document: 'docs/protocol/accounts.md §2, §4',
  async make() {
    const random = seededRandom('password');
    const cases = [];
    for (const [password, kdf] of [
      ['correct horse battery staple', kdfFloor],
      ['Zu\u0308rich \uff11', { memory: 65_536, passes: 4, lanes: 2 }],
    ] as const) {
      const salt = random(16);
      const { auth, wrap, key } = await hashPassword(password, salt, kdf, argon2id);
      const proofs = [];
      for (const device of [0, 7]) {
        const claim = { nonce: random(40), island: random(32), name: 'ann', device, auth };
        const { nonce, island, name } = claim;
        proofs.push({ nonce, island, name, device, proof: provePassword(key, claim) });
      }
      const shown = { seed: key.private, public: key.public };
      const normalised = password.normalize('NFKC');
      cases.push({ password, normalised, salt, kdf, auth, wrap, key: shown, proofs });
    }
    const dsk = ed25519.fromSeed(random(32));
    const from = { account: accountId(hex(random(16))), device: deviceId(3) };
    const [shown, token, attempt, listHash] = [random(32), random(32), random(16), random(32)];
    const deviceProofs = [
      { what: 'register', use: proofUses.register, about: listHash },
      { what: 'login', use: proofUses.login, about: aboutLogin(shown) },
      { what: 'refresh', use: proofUses.refresh, about: aboutRefresh(token, attempt) },
      { what: 'refresh without an attempt', use: proofUses.refresh, about: aboutRefresh(token) },
      { what: 'join', use: proofUses.join, about: listHash },
    ].map(({ what, use, about }) => {
      const claim = { nonce: random(40), ...from, use, about };
      return { what, ...claim, proof: proveDevice(dsk, claim) };
    });
    return {
      cases,
      dsk: { seed: dsk.private, public: dsk.public },
      /** What the `about` of a login and of a refresh are hashes of. */
      shown,
      token,
      attempt,
      deviceProofs,
    };
  },
};
