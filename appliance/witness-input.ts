/** What operators hand to `island witness …`: cards, keys, texts; and refusals in words that fit what was asked for. */
import { open } from 'node:fs/promises';
import { type IslandCard, parseCard } from '@island/protocol/transparency/island-card.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { Stated } from '@island/provisioning/stated.ts';
import { Refused } from './operator.ts';

/** Says a refusal in words that fit what was asked for. */
export async function inWords(
  asked: Promise<unknown>,
  words: Readonly<Record<string, string>>,
): Promise<unknown> {
  try {
    return await asked;
  } catch (error) {
    const text = error instanceof Refused ? words[error.code] : undefined;
    throw text === undefined ? error : new Stated(text, { cause: error });
  }
}

/** A name has no plus sign, and what follows it is hex: no path looks like that by chance. */
export const isVkey = (text: string): boolean =>
  /^[^+\s]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$/.test(text);

/** @throws Stated for a file that is not there, and for what is no card */
export async function readCard(from: string): Promise<IslandCard> {
  const text = from.startsWith('island://') ? from : await readText(from, noneOf(from));
  try {
    return parseCard(text);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new Stated('That is no card of an island, and no verifier key.', { cause: error });
  }
}

const noneOf = (from: string): string =>
  `${from} is neither a file that can be read, nor the line of a card (island://…), nor a verifier key.`;

/** A file, or for `-` what is piped in: as much as a request may have. */
export async function readText(
  file: string,
  unread = `The file ${file} cannot be read: check its path and its rights.`,
): Promise<string> {
  const most = limits.witnessRequestBytes;
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    await using handle = file === '-' ? undefined : await open(file, 'r');
    for await (const chunk of handle?.createReadStream({ autoClose: false }) ?? process.stdin) {
      length += chunk.length;
      if (length > most) throw new Stated(`${file} is too long: at most ${most} bytes.`);
      chunks.push(Buffer.from(chunk));
    }
  } catch (error) {
    if (error instanceof Stated) throw error;
    throw new Stated(unread, { cause: error });
  }
  return Buffer.concat(chunks).toString('utf8');
}
