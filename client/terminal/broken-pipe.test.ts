/** Both commands as shells run them, behind a pipe whose reader has gone. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';

const repository = join(import.meta.dirname, '../..');

/** Of a shell: nobody reads any more before it says anything. */
async function unread(program: string, ...args: string[]) {
  // Without what the runner of the tests adds to every process.
  const script = '(env -i PATH="$PATH" "$@"; echo "ended $?" >&2) | true';
  const child = spawn(
    'sh',
    ['-c', script, 'sh', process.execPath, join(repository, program), ...args],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const said = text(child.stderr);
  await once(child, 'close');
  return said;
}

for (const [program, ...args] of [
  ['client/bin/islander.mjs', 'whoami', '--json', '--home', '/nowhere'],
  ['client/bin/islander.mjs', '--help'],
  ['appliance/bin/island.mjs', 'witness', '--help'],
] as const)
  t.test(`${program} ${args[0]} ends without a trace when its reader has gone`, async (t) => {
    const said = await unread(program, ...args);
    t.match(said, /^ended 141$/m);
    t.notMatch(said, /EPIPE|\n +at /);
  });
