/** `islander send`: one message, or one for each line of standard input. */
import { createInterface } from 'node:readline';
import { departures } from '../../messages/departures.ts';
import { readMessage } from '../../messages/messages.ts';
import { atPlace } from '../channels/at-place.ts';
import { sendToChannel } from '../channels/sending.ts';
import type { AddCommand } from '../command.ts';
import { openHome } from '../home.ts';
import { PartlyFailed } from '../partly-failed.ts';
import { progressOn } from '../progress.ts';
import { isChannelName } from '../servers/naming.ts';
import { departureObject, queuedObject } from '../terminal.ts';
import { usage } from '../usage.ts';

/** Lines of standard input that are queued in one commit. */
const group = 200;

export function sendCommand(add: AddCommand): void {
  add(
    'send <name> [text...]',
    'sends a message to a person or into a channel; without text, one for each line of standard input',
    [
      'islander send bob Are you there?',
      "islander send '#general' Good morning, @everyone",
      "islander send 'Book club/#general' --reply 12 Yes",
      'islander send bob - < lines.txt',
      'date | islander send bob',
      'islander send bob --attach plan.pdf --attach photo.jpg Here they are.',
    ],
    (command) =>
      command
        .option('--attach <path>', 'a file that goes with it, at most 4 of them', collect)
        .option('--reply <post>', 'in a channel: the number or id of the post that it answers'),
    async (context, [name = '', ...words], { attach, reply }) => {
      const { terminal, signal } = context;
      const text = words.join(' ');
      const files = Array.isArray(attach) ? attach.map(String) : [];
      const piped = (text === '-' || words.length === 0) && files.length === 0;
      if (piped && words.length === 0 && terminal.stdin.isTTY) {
        throw usage(
          terminal,
          'There is no text. Say it after the name, or pipe lines into the command.',
        );
      }
      if (isChannelName(name)) {
        const texts = piped ? linesOf(terminal.stdin) : [[text]];
        return atPlace(context, name, (at) =>
          sendToChannel(at, { texts, files, reply: typeof reply === 'string' ? reply : undefined }),
        );
      }
      await using home = await openHome(context);
      const { islander, storage } = home;
      const keys: string[] = [];
      const queue = async (...queued: string[]) => {
        keys.push(...queued);
        if (!terminal.json) return;
        for (const key of queued) {
          const message = await readMessage(storage, key);
          if (message?.type === 'sent') terminal.say('', queuedObject(message));
        }
      };
      if (files.length > 0) {
        const onProgress = progressOn(terminal);
        await queue(await islander.enclose(name, files, { text, onProgress, signal }));
      } else {
        const lines = piped ? linesOf(terminal.stdin) : [[text]];
        for await (const texts of lines) await queue(...(await islander.send(name, texts)));
      }
      islander.startSending();
      let failed = 0;
      let sent = 0;
      const work = async () => {
        for await (const message of departures(storage, keys, signal)) {
          if (message.state === 'accepted') sent += 1;
          else failed += 1;
          if (terminal.json) terminal.say('', departureObject(message));
          else if (message.state === 'failed')
            terminal.stderr.write(`islander: ${message.reason ?? 'Not sent.'}\n`);
        }
      };
      await Promise.race([work(), islander.failed]);
      if (sent + failed < keys.length) {
        terminal.status(
          'queued',
          'Not sent yet: it stays queued and goes out with the next send, listen or chat.',
        );
        throw new PartlyFailed();
      }
      if (!terminal.json && sent > 0) {
        terminal.stdout.write(
          sent === 1 ? `✓ Sent to ${name}.\n` : `✓ ${sent} messages sent to ${name}.\n`,
        );
      }
      if (failed > 0) throw new PartlyFailed();
    },
  );
}

const collect = (path: string, before: string[] = []): string[] => [...before, path];

/** Lines in groups as they come; empty ones are no messages. */
async function* linesOf(stdin: NodeJS.ReadStream): AsyncGenerator<string[]> {
  let lines: string[] = [];
  for await (const line of createInterface({ input: stdin })) {
    if (line.trim() !== '') lines.push(line);
    if (lines.length < group) continue;
    yield lines;
    lines = [];
  }
  if (lines.length > 0) yield lines;
}
