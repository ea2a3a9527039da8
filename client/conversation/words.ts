/**
 * A text as words to search for: cut where its languages cut words (Unicode UAX 29, Intl.Segmenter), without
 * case and diacritics, so that `Ärger` is found as `arger`.
 */
const segmenter = new Intl.Segmenter(undefined, { granularity: 'word' });

/** Of a word; longer ones are found by their beginning. */
const longest = 24;
/** Of a message: one of 8,000 bytes has fewer, unless it is made to have more. */
export const mostWords = 512;

const fold = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .normalize('NFC');

/** Each once. */
export function wordsOf(text: string): string[] {
  const words = new Set<string>();
  for (const { segment, isWordLike } of segmenter.segment(fold(text.toWellFormed()))) {
    if (!isWordLike) continue;
    words.add([...segment].slice(0, longest).join(''));
    if (words.size === mostWords) break;
  }
  return [...words];
}
