/** Values of options as people write them. Each throws what commander turns into exit code 2. */
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { parseDuration } from './duration.ts';
import { isPromiseId, type PromiseId, promiseIds } from './verify/promises.ts';

export function toPromises(text: string): PromiseId[] {
  return text.split(',').map((part) => {
    const id = part.trim().toUpperCase();
    if (isPromiseId(id)) return id;
    throw new InvalidArgumentError(
      `There is no promise "${part.trim()}". There are ${promiseIds.join(', ')}.`,
    );
  });
}

export function toPort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return port;
}

export function toCount(text: string): number {
  const count = Number(text);
  if (!/^\d{1,4}$/.test(text) || count < 1 || count > 1000)
    throw new InvalidArgumentError('It is a number from 1 to 1000.');
  return count;
}

export function toSeconds(text: string): number {
  const seconds = parseDuration(text);
  if (seconds === undefined)
    throw new InvalidArgumentError(
      'A time is a number with s, m, h or d, such as 7d; at least 60s and at most 365d.',
    );
  return seconds;
}

export function toName(text: string): string {
  const name = text.trim();
  if (name.length < 1 || name.length > 64 || /\p{Cc}/u.test(name)) {
    throw new InvalidArgumentError('A name has 1 to 64 characters.');
  }
  return name;
}

/** SQLite takes no path above 512 bytes, and its files lie some folders down. */
export function toFolder(text: string): string {
  if (text === '') throw new InvalidArgumentError('It is the name of a folder.');
  if (Buffer.byteLength(resolve(text)) > 400)
    throw new InvalidArgumentError('The path is too long: at most 400 bytes.');
  return text;
}

export function toHost(text: string): string {
  const host = text.toLowerCase();
  const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
  const name = new RegExp(`^(?=.{1,253}$)${label}(?:\\.${label})*$`);
  // A name that ends in digits reads as an address; the zone belongs to the services' certificates.
  const fit =
    name.test(host) && !/(?:^|\.)\d+$/.test(host) && !/(?:^|\.)island\.internal$/.test(host);
  const address = isIP(host) !== 0 && !host.includes('%');
  if (!fit && !address) {
    throw new InvalidArgumentError('It is a DNS name or an IP address, without port or path.');
  }
  return host;
}

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** An OpenID provider: secrets go there, so in the clear only within this machine. */
export function toIssuer(text: string): string {
  const url = URL.parse(text);
  const fit =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && loopback.test(url.hostname));
  if (!fit || /[?#@]|\/\.well-known\//.test(text) || text.length > 1024) {
    throw new InvalidArgumentError(
      'It is the https address of the provider as the provider itself says it, without /.well-known/…',
    );
  }
  return text;
}

export interface Claim {
  claim: string;
  value: string;
}

export function toClaim(text: string): Claim {
  const [, claim, value] = /^([^=\s]{1,128})=(.{1,256})$/.exec(text) ?? [];
  if (claim === undefined || value === undefined)
    throw new InvalidArgumentError('It is a claim and its value, such as groups=staff.');
  return { claim, value };
}

export function toTitle(text: string): string {
  const title = text.trim();
  if (title.length < 1 || title.length > 64 || /\p{Cc}/u.test(title))
    throw new InvalidArgumentError('It is what people call the organisation, 1 to 64 characters.');
  return title;
}

export function toHint(text: string): string {
  const hint = text.toLowerCase();
  if (!/^[0-9a-f]{8}$/.test(hint))
    throw new InvalidArgumentError('It is the eight letters and digits that island invites shows.');
  return hint;
}

export function toQuorum(text: string): number {
  const count = Number(text);
  if (!/^\d{1,2}$/.test(text) || count < 1 || count > 64)
    throw new InvalidArgumentError('It is a number from 1 to 64.');
  return count;
}

/** Entries of a log. */
export function toSize(text: string): number {
  const size = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(size))
    throw new InvalidArgumentError('It is a number of entries.');
  return size;
}

export function toWitnessName(text: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text))
    throw new InvalidArgumentError('A name has 1 to 64 letters, digits and . _ -');
  return text;
}

/** SHA-256 of a root certificate, as `island up` and cards show it. */
export function toFingerprint(text: string): string {
  if (!/^[A-Za-z0-9_-]{43}$/.test(text))
    throw new InvalidArgumentError('It is the fingerprint of a root: 43 letters, digits, - and _.');
  return text;
}
