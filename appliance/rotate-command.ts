/** `island rotate`: a new version of the master key, and word of it until the former one is gone. docs/operations.md */
import { setTimeout as wait } from 'node:timers/promises';
import type { RotationStatus } from './key-rotation.ts';
import { askRotation } from './operator.ts';
import { styleFor } from './terminal.ts';
import type { Streams } from './up-command.ts';

/** Milliseconds between two questions how far it is. */
const pause = 200;

/** Ctrl-C ends only the watching: the island goes on by itself. */
export async function runRotate(data: string, json: boolean, { stdout }: Streams): Promise<void> {
  const { good } = styleFor(stdout);
  let status = await askRotation(data, 'POST');
  let told = '';
  const tell = ({ version, waiting }: RotationStatus): void => {
    const line = `Version ${version} of the master key: still under the former one: ${waiting.join(', ')}\n`;
    if (!json && waiting.length > 0 && line !== told) stdout.write(line);
    told = line;
  };
  while (!status.done) {
    tell(status);
    await wait(pause);
    status = await askRotation(data, 'GET');
  }
  if (json) stdout.write(`${JSON.stringify(status)}\n`);
  else
    stdout.write(
      `${good('✓')} Everything is kept under version ${status.version} of the master key. Copy its file again to where you keep it.\n`,
    );
}
