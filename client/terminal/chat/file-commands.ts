/** Files that go with a message, and those that came with one. */
import { attachmentsOf } from '../attached.ts';
import { fileAt } from './paths.ts';
import { type ChatCommand, firstOf, Mistake, needed } from './talk.ts';

export const fileCommands: readonly ChatCommand[] = [
  {
    name: 'attach',
    args: 'PATH [TEXT]',
    long: true,
    about: 'sends a file; a path with spaces in "quotes"',
    async run({ islander, name, said, onProgress, signal }, rest) {
      const [path, text] = fileAt(needed(rest, 'Say which file: /attach PATH'));
      await said(await islander.enclose(name, [path], { text, onProgress, signal }));
    },
  },
  {
    name: 'save',
    args: 'N [PATH]',
    long: true,
    about: 'saves the attachments of message N',
    async run({ islander, message, onProgress, signal, tell }, rest) {
      const [called, path] = firstOf(rest);
      const found = await message(needed(called, 'Say which message: /save 7'));
      const attachments = attachmentsOf(found);
      if (attachments.length === 0) throw new Mistake('That message has no attachment.');
      const [to] = fileAt(path || '.');
      for (const descriptor of attachments) {
        const file = await islander.save(descriptor, to, { onProgress, signal });
        tell([`Saved: ${file}`], { type: 'saved', file });
      }
    },
  },
];
