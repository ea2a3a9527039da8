#!/usr/bin/env node
// The `islander` command. On a Node that cannot run TypeScript it hands over to the Node 24 of the
// repository: same terminal, same signals, same exit code.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const [major = 0] = process.versions.node.split('.').map(Number);
if (major >= 24) {
  // Without a listener the signal would open Node's inspector, on a plaintext port.
  process.on('SIGUSR1', () => undefined);
  const { endWithReader } = await import('../terminal/broken-pipe.ts');
  endWithReader(process);
  const { islanderCommand } = await import('../terminal/cli.ts');
  process.exitCode = await islanderCommand(process.argv.slice(2), process);
} else {
  const root = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
  const node = join(root, 'node_modules/node/bin/node');
  if (!existsSync(node)) {
    process.stderr.write(
      'islander: The packages are not installed. Run npm ci, or npm start, first.\n',
    );
    process.exit(1);
  }
  const args = [join(root, 'client/bin/islander.mjs'), ...process.argv.slice(2)];
  const child = spawn(node, args, { stdio: 'inherit' });
  // Ctrl-C reaches the child from the terminal, too; it takes both for one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => child.kill(signal));
  child.once('error', () => process.exit(1));
  child.once('exit', (code, signal) => process.exit(code ?? (signal === 'SIGKILL' ? 137 : 1)));
}
