/** Vectors of the password hash. docs/protocol/accounts.md §2 */
import { argon2 } from 'node:crypto';
import { promisify } from 'node:util';
import { type Argon2id, hashPassword, kdfFloor } from '../crypto/password.ts';
import { seededRandom } from './seeded.ts';
import type { VectorFile } from './vector-file.ts';

const derive = promisify(argon2);
const argon2id: Argon2id = async (message, nonce, { memory, passes, lanes }) => {
  const cost = { memory, passes, parallelism: lanes };
  return new Uint8Array(await derive('argon2id', { message, nonce, ...cost, tagLength: 32 }));
};

export const vectors: VectorFile = {
  name: 'password',
  document: 'docs/protocol/accounts.md §2',
  async make() {
    const random = seededRandom('password');
    const cases = [];
    for (const [password, kdf] of [
      ['correct horse battery staple', kdfFloor],
      ['Zu\u0308rich \uff11', { memory: 65_536, passes: 4, lanes: 2 }],
    ] as const) {
      const salt = random(16);
      const { auth, wrap } = await hashPassword(password, salt, kdf, argon2id);
      cases.push({ password, normalised: password.normalize('NFKC'), salt, kdf, auth, wrap });
    }
    return { cases };
  },
};
