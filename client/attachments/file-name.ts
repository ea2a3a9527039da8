/**
 * A name that an attachment may have, from whatever somebody called it: it names no folder, hides no
 * file, turns no direction of writing, and is no device anywhere. docs/protocol/attachments.md §2
 */
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { limits } from '@island/protocol/wire/limits.ts';

/** Control characters, marks without a width, marks of direction, noncharacters and lone halves. */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\u2028\u2029]/gu;
/** Parts paths, or means something to a shell of some system. */
const meaning = /[/\\:*?"<>|]/g;
/** Names of devices on Windows, with or without an ending. */
const device = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)/i;

export const nameless = 'attachment';

/** @param longest UTF-8 bytes that it may have; its ending is kept when it is too long */
export function safeFileName(given: string, longest: number = limits.fileNameBytes): string {
  const plain = given
    .toWellFormed()
    .normalize('NFC')
    .replace(unseen, '')
    .replace(meaning, '_')
    .replace(/^[\s.]+|[\s.]+$/gu, '');
  const free = device.test(plain) ? `_${plain}` : plain;
  const cut = shorten(free, longest);
  return cut === '' ? nameless : cut;
}

function shorten(name: string, longest: number): string {
  if (utf8Bytes(name).length <= longest) return name;
  const ending = /\.[^.\s]{1,16}$/u.exec(name)?.[0] ?? '';
  const room = longest - utf8Bytes(ending).length;
  let kept = '';
  let bytes = 0;
  for (const character of name.slice(0, name.length - ending.length)) {
    bytes += utf8Bytes(character).length;
    if (bytes > room) break;
    kept += character;
  }
  return kept + ending;
}
