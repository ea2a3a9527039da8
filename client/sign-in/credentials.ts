/**
 * What a person shows to sign in, as the island takes it. docs/protocol/accounts.md §2, §3, docs/decisions/041-pinned-hashing.md
 *
 * The island says with which salt and parameters a secret is hashed, so it could ask for a hash that is
 * easy to guess, or for one that it has guessed already for somebody else. What this home knows from
 * before holds against that: parameters never fall, and another salt is used only when the person says
 * that the password was changed elsewhere.
 */
import { type CodeKeys, openCode, readCode } from '@island/protocol/crypto/backup-code.ts';
import { hashPassword, provePassword } from '@island/protocol/crypto/password.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { DeviceId } from '@island/protocol/wire/ids.ts';
import type { RequestText } from '@island/protocol/wire/routes.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import type { Hashing } from '../account/account.ts';
import type { Joining } from '../joining/joining-parts.ts';
import { Problem } from '../problem.ts';
import { rootFingerprint } from '../transport/root-fingerprint.ts';
import { call, type Transport } from '../transport/transport.ts';

/** `grant`: 32 bytes, good once, from a sign-in with the organisation. */
export type Credentials = { password: string } | { grant: Uint8Array };
/** Six digits of an authenticator, or a backup code as somebody typed it, which is used up. */
export type Second = { totp: string } | { code: string };

export interface Asker {
  /** The island's root certificate, as it is pinned here (PEM). */
  root: string;
  name: string;
  /** Somebody without a device has none. */
  device?: DeviceId;
  /** With what secrets were hashed before: here, or when the island was asked a moment ago. */
  password?: Hashing | undefined;
  codes?: Hashing | undefined;
  /** Another salt of the password is all right: it was changed on another device. */
  passwordChanged?: boolean | undefined;
}

export interface Showing {
  /** 32 bytes that a device proof of a login is about: auth, or the grant. */
  shown: Uint8Array;
  /** With what this was hashed: to be remembered once the island has taken it. */
  password: Hashing | undefined;
  codes: Hashing | undefined;
  /** What the code became that is the second factor, if one is. */
  code: CodeKeys | undefined;
  /** For a nonce of the island. */
  at(nonce: Uint8Array): Pick<RequestText<'beginJoining'>, 'credentials' | 'second'>;
}

/**
 * Asks the island how to hash, and hashes. Throws `kdf_downgrade` and `salt_changed` (Problem) before any
 * hash is made, `CodeMistake` for a code with a typing mistake.
 */
export async function showCredentials(
  joining: Joining,
  transport: Transport,
  asker: Asker,
  credentials: Credentials,
  second: Second | undefined,
): Promise<Showing> {
  // A typing mistake is said before the island is asked anything.
  const typed = second && 'code' in second ? readCode(second.code) : undefined;
  const { argon2id } = joining.platform;
  const { address } = transport;
  const { name, device = 0 } = asker;
  const island = rootFingerprint(asker.root);
  const hashing =
    'password' in credentials || typed !== undefined
      ? await call(transport, 'prelogin', { name })
      : undefined;
  if (hashing) joining.report?.('hashing');

  const password =
    hashing && 'password' in credentials
      ? await strong(address, () => {
          const { password: before } = asker;
          if (before && !asker.passwordChanged && !equal(before.salt, hashing.salt))
            throw new Problem('salt_changed', { address });
          const { salt, kdf } = hashing;
          return hashPassword(credentials.password, salt, kdf, argon2id, before?.kdf);
        })
      : undefined;
  const code =
    hashing && typed !== undefined
      ? await strong(address, () => {
          const { salt, kdf } = hashing.codes;
          return openCode(typed, salt, kdf, argon2id, asker.codes?.kdf);
        })
      : undefined;

  const shown = password?.auth ?? ('grant' in credentials ? credentials.grant : undefined);
  if (!shown) throw new Fault('internal');
  const secondShown = code
    ? { code: { loc: base64url(code.loc), proof: base64url(code.proof) } }
    : second && 'totp' in second
      ? second
      : undefined;
  return {
    shown,
    password: password && hashing && { salt: hashing.salt, kdf: hashing.kdf },
    codes: hashing?.codes,
    code,
    at: (nonce) => ({
      credentials: password
        ? {
            auth: base64url(password.auth),
            proof: base64url(
              provePassword(password.key, { nonce, island, name, device, auth: password.auth }),
            ),
          }
        : { grant: base64url(shown) },
      ...(secondShown && { second: secondShown }),
    }),
  };
}

async function strong<T>(address: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof Fault) || cause.code !== 'kdf_too_weak') throw cause;
    throw new Problem('kdf_downgrade', { address }, { cause });
  }
}
