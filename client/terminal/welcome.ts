/** What a device does first when it has joined: it reads the archive, and says what it found. */
import type { Joined } from '../joining/joining.ts';
import { leftSentence } from './code-sheet.ts';
import type { Context } from './command.ts';
import { openHome } from './home.ts';

export async function welcomeBack(
  context: Context,
  { account, codesLeft, resets }: Joined,
): Promise<void> {
  const { terminal, home, signal } = context;
  const { name, device, address } = account;
  await using opened = await openHome(context);
  const messages = await opened.islander.archive.sync(signal, (progress) => {
    const share = Math.floor((progress.read * 100) / Math.max(1, progress.of));
    terminal.status('reading', `Reading your history… ${share} %, ${progress.messages} messages`);
  });
  const count = messages === 1 ? 'one message of yours is' : `${messages} messages of yours are`;
  terminal.say(
    `Welcome back, ${name}. This is device ${device} of your account, and ${count} here. Your keys are in ${home}.`,
    { type: 'joined', name, device, address, home, messages, codesLeft, resets },
  );
  if (resets > 0) {
    const times = resets === 1 ? 'once' : `${resets} times`;
    terminal.status(
      'resets',
      `This account was begun anew ${times}: what was said before the last time cannot be read.`,
      'resets',
    );
  }
  terminal.status('codes', leftSentence(codesLeft), 'codes');
}
