/** Six-digit sign-in (TOTP, A2): begun, confirmed with the first digits, ended with digits or a code. docs/protocol/accounts.md §5 */
import { openCode, readCode } from '@island/protocol/crypto/backup-code.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { type Keeping, syncKeys } from '../account/key-changes.ts';
import { renewAfterCode } from '../account/own-devices.ts';
import { insist } from '../insist.ts';
import type { Platform } from '../platform.ts';
import type { Second } from './credentials.ts';

export interface NewFactor {
  /** Base32, for an authenticator that can't read pictures. */
  secret: string;
  /** `otpauth://totp/…`, as authenticators read it from a picture. */
  uri: string;
}

/** A new secret, in force once it is confirmed. `island`: what the authenticator shows it under. Throws `totp_active`. */
export async function beginTwoFactor(
  { session, signal }: Keeping,
  { island, name }: { island: string; name: string },
): Promise<NewFactor> {
  const { secret } = await session.call('totpBegin', {}, signal ? { signal } : {});
  const label = `${encodeURIComponent(island)}:${encodeURIComponent(name)}`;
  const issuer = encodeURIComponent(island);
  const parameters = 'algorithm=SHA1&digits=6&period=30';
  return { secret, uri: `otpauth://totp/${label}?secret=${secret}&issuer=${issuer}&${parameters}` };
}

/** `totp`: the six digits that the authenticator shows. Throws `wrong_totp`, `totp_inactive`. */
export async function confirmTwoFactor({ session, signal }: Keeping, totp: string): Promise<void> {
  await session.call('totpConfirm', { totp }, signal ? { signal } : {});
}

/**
 * Ends it, with six digits or with a backup code, which is used up: the archive has a new key then. Throws
 * `wrong_totp`, `totp_used`, `wrong_code`, `totp_inactive`; `CodeMistake`.
 */
export async function endTwoFactor(
  keeping: Keeping,
  platform: Pick<Platform, 'argon2id'>,
  second: Second,
): Promise<void> {
  const { session, signal } = keeping;
  const options = signal ? { signal } : {};
  if ('totp' in second) {
    await session.call('totpEnd', { second }, options);
    return;
  }
  const code = await showCode(keeping, platform, second.code);
  await session.call('totpEnd', { second: code }, options);
  await insist(() => renewAfterCode(keeping), keeping);
}

/** A code as the island takes it from a device. Throws `CodeMistake`. */
export async function showCode(
  keeping: Keeping,
  { argon2id }: Pick<Platform, 'argon2id'>,
  code: string,
) {
  const data = readCode(code);
  const { record, self } = await syncKeys(keeping);
  const { salt, kdf } = record.codes;
  const { loc, proof } = await openCode(data, salt, kdf, argon2id, self.codes.kdf);
  return { code: { loc: base64url(loc), proof: base64url(proof) } };
}
