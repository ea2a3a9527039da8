/** `island up` at a terminal or under a program: signals in, progress and the welcome out. docs/operations.md §1 */
import { formatMasterKey, formatPassphrase, formatWelcome } from './messages-for-people.ts';
import { openProgress, styleFor } from './terminal.ts';
import { up } from './up.ts';

/** A second Ctrl-C within this is the first one again: npm passes on what the terminal has sent already. */
const echo = 1000;

export interface Streams {
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  /** Where there is somebody to be asked. */
  stdin?: NodeJS.ReadableStream;
}

export interface UpFlags {
  data: string;
  json?: true;
  port?: number;
  name?: string;
  host?: string;
  rootPassphraseFile?: string;
  masterKey?: string;
  engines: string;
  leafSeconds?: number;
}

/** @param hint what later commands need to find this island, such as ` --data DIR` */
export async function runUp(
  flags: UpFlags,
  hint: string,
  { stdout, stderr }: Streams,
): Promise<void> {
  // Whatever we or an engine write is for the owner alone.
  process.umask(0o077);
  const people = flags.json ? stderr : stdout;
  const style = styleFor(people);
  const progress = openProgress(people);
  const stop = new AbortController();
  const force = new AbortController();
  let asked = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted && Date.now() - asked > echo) force.abort();
      asked ||= Date.now();
      stop.abort();
    });
  }
  try {
    await up({
      data: flags.data,
      wishes: { port: flags.port, host: flags.host, name: flags.name },
      passphraseFile: flags.rootPassphraseFile,
      masterKey: flags.masterKey,
      engines: [flags.engines],
      leafSeconds: flags.leafSeconds,
      progress,
      tellPassphrase: (passphrase) => people.write(formatPassphrase(passphrase, style)),
      tellMasterKey: (file) => people.write(formatMasterKey(file, style)),
      tellReady: (welcome) =>
        flags.json
          ? stdout.write(`${JSON.stringify(welcome)}\n`)
          : people.write(formatWelcome(welcome, hint, style)),
      stop: stop.signal,
      force: force.signal,
    });
  } catch (error) {
    progress.cut();
    throw error;
  }
}
