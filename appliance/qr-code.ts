/** A text as a QR code of half-height blocks: the blocks are the paper, the gaps the squares. */
import { renderUnicodeCompact } from 'uqr';

/** Black and white on a terminal, whatever its own colours are; elsewhere as it is. */
export function qrCode(text: string, terminal: boolean): string {
  const code = renderUnicodeCompact(text, { border: 2 });
  if (!terminal) return code;
  return code
    .split('\n')
    .map((line) => `\u001b[97;40m${line}\u001b[0m`)
    .join('\n');
}
