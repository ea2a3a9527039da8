/**
 * What an auditor trusts beforehand, and where it came from. A log vouches for nothing about itself: its key, its
 * policy and its certificate authority are given, or taken from the island with a warning. docs/operations.md §13
 */
import { readFile } from 'node:fs/promises';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { parseVkey } from '@island/protocol/transparency/note.ts';
import { parsePolicy } from '@island/protocol/transparency/policy.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { routes, type SaidLog } from '@island/protocol/wire/routes.ts';
import { decode } from '@island/protocol/wire/schema.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import { Stated } from '@island/provisioning/stated.ts';
import { fetchRoot, type LogPlace, type LogSource, openLogSource } from './log-source.ts';

/** Kept from the first run on. */
export interface Pins {
  address: string;
  /** PEM of the root, where it is not one of Node's. */
  root: string | null;
  vkey: string;
  /** Text of the witness policy. */
  policy: string;
  /** base64url; `null` where nobody told. */
  vrf: string | null;
  /** Keys of the witness that the island itself runs, as its card says. */
  ownWitness: readonly string[];
}

/** Of the command line; files were read. */
export interface PinOptions {
  /** An address, or the text that invites to an island, which names its authority too. */
  address: string;
  vkey?: string;
  policy?: string;
  vrf?: string;
  /** PEM. */
  root?: string;
  /** base64url. */
  fingerprint?: string;
  ownWitness?: readonly string[];
}

/** Reads the file that an option names. Throws `Stated`. */
export async function readGiven(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new Stated(`The file of ${what}, ${path}, can't be read.`, { cause });
  }
}

export async function placeOf({ address, root, fingerprint }: PinOptions): Promise<LogPlace> {
  if (root !== undefined) return { address, root };
  if (fingerprint === undefined) return { address };
  return { address, root: await fetchRoot(address, fingerprintBytes(fingerprint)) };
}

function fingerprintBytes(text: string): Uint8Array {
  try {
    const bytes = fromBase64url(text);
    if (bytes.length === 32) return bytes;
  } catch {
    // said below
  }
  throw new Stated('A fingerprint has 43 characters, as island up prints it.');
}

/** The island's word on its log; `undefined` where it says nothing, or nothing in form. */
export async function askIsland(source: LogSource): Promise<SaidLog | undefined> {
  try {
    const text = new TextDecoder().decode(await source.discovery());
    return decode(routes.discovery.answer, JSON.parse(text)).log;
  } catch (error) {
    if (error instanceof Stated) throw error;
    return undefined;
  }
}

/** Throws `Stated` where a key or a policy is not in form. */
export function checkPins({ vkey, policy }: Pick<Pins, 'vkey' | 'policy'>): void {
  try {
    parseVkey(vkey);
    parsePolicy(policy);
  } catch (cause) {
    if (!(cause instanceof TransparencyFault || cause instanceof Fault)) throw cause;
    throw new Stated(cause.message, { cause });
  }
}

/**
 * What is trusted at the first run. `warn` is told what was taken from the island itself.
 * Throws `Stated` where something is missing.
 */
export async function firstPins(options: PinOptions, warn: (text: string) => void): Promise<Pins> {
  const place = await placeOf(options);
  using source = openLogSource(place);
  const { vkey, policy } = options;
  const whole = vkey !== undefined && policy !== undefined;
  const said = whole ? undefined : await askIsland(source);
  if (!whole && said === undefined) {
    throw new Stated(
      `${place.address} says nothing of a log: give its key and policy with --vkey and --policy.`,
    );
  }
  const pins: Pins = {
    address: place.address,
    root: place.root ?? null,
    vkey: vkey ?? said?.vkey ?? '',
    policy: policy ?? said?.policy ?? '',
    vrf: options.vrf ?? (said === undefined ? null : base64url(said.vrf)),
    ownWitness: options.ownWitness ?? [],
  };
  const taken = [
    ...(vkey === undefined ? ['the key of the log'] : []),
    ...(policy === undefined ? ['the witness policy'] : []),
  ];
  if (taken.length > 0) {
    warn(
      `Taken from the island itself, on trust: ${taken.join(' and ')}. Compare with somebody who has them from elsewhere: ${pins.vkey}`,
    );
  }
  checkPins(pins);
  return pins;
}

/** Throws `Stated` where an option says something else than what has been trusted so far. */
export function checkSame(pins: Pins, options: PinOptions, folder: string): void {
  const { vkey, vrf } = options;
  const other = [
    ...(vkey !== undefined && vkey !== pins.vkey ? ['--vkey'] : []),
    ...(vrf !== undefined && pins.vrf !== null && vrf !== pins.vrf ? ['--vrf'] : []),
  ];
  if (other.length === 0) return;
  throw new Stated(
    `${other.join(' and ')} differ from what this auditor has trusted for ${pins.address} so far, in ${folder}. A log never changes its key: audit another one with another --state.`,
  );
}

export const sameBytes = (text: string | null, bytes: Uint8Array): boolean =>
  text !== null && equal(fromBase64url(text), bytes);
