/** A text, or bytes, as a QR code of half-height blocks: white paper and black squares, whatever the colours of the terminal are. */
import { renderUnicodeCompact } from 'uqr';

const whiteOnBlack = '\u001b[97;40m';
const plain = '\u001b[0m';

/** The blocks are the paper, the gaps the squares: so it also reads where colours are not shown. */
export const qrCode = (content: string | Uint8Array): string =>
  renderUnicodeCompact(typeof content === 'string' ? content : [...content], { border: 2 })
    .split('\n')
    .map((line) => `${whiteOnBlack}${line}${plain}`)
    .join('\n');
