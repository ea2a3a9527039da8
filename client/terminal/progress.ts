/** How far a file is: a bar that moves at a terminal, nothing in a pipe, an object a tenth for a program. */
import type { Moving } from '../attachments/enclosing.ts';
import { movingText } from './chat/layout.ts';
import type { Terminal } from './terminal.ts';

export function progressOn({ stderr, json, say }: Terminal): (moving: Moving) => void {
  let told = '';
  return ({ name, size, done, total }) => {
    if (json) {
      const tenth = total === 0 ? 10 : Math.floor((done * 10) / total);
      if (told === `${name} ${tenth}`) return;
      told = `${name} ${tenth}`;
      say('', { type: 'progress', name, size, done, total });
      return;
    }
    if (!stderr.isTTY) return;
    const line = movingText({ name, size, done, total }, (stderr.columns || 80) - 1);
    stderr.write(done < total ? `\r\u001b[2K${line}` : '\r\u001b[2K');
  };
}
