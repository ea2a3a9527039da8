/** What a person has in a pocket for six-digit sign-in: a secret, and digits of which each is shown once. */
import { setTimeout } from 'node:timers/promises';
import { TOTP } from 'otpauth';

const periodSeconds = 30;
/** Milliseconds that the way to the island may take. */
const margin = 8000;

export interface Authenticator {
  /** Digits of a step that was not shown before, and that the island takes now: it grants one step either way. */
  digits(): Promise<string>;
}

/** @param secret base32, as the island says it */
export function openAuthenticator(secret: string): Authenticator {
  const totp = new TOTP({ algorithm: 'SHA1', digits: 6, period: periodSeconds, secret });
  let last = 0;
  return {
    async digits() {
      const ending = untilNext() < margin;
      const step = Math.max(last + 1, ending ? present() : present() - 1);
      last = step;
      // A step that has just ended, or is about to begin, is good; one further ahead is waited for.
      while (step > present() + 1) await setTimeout(untilNext());
      return totp.generate({ timestamp: step * periodSeconds * 1000 });
    },
  };
}

const present = (): number => Math.floor(Date.now() / 1000 / periodSeconds);
const untilNext = (): number => periodSeconds * 1000 - (Date.now() % (periodSeconds * 1000));
