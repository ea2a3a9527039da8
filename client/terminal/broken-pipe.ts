/**
 * Whoever reads what `islander` says may go before the end (`… | head -1`): it then ends as on SIGTERM, without a word.
 * As appliance/broken-pipe.ts.
 */

/** 128 + SIGPIPE, as a shell has it of other programs. */
const pipeCode = 141;

export function endWithReader(program: NodeJS.Process): void {
  let gone = false;
  const onError = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') throw error;
    if (gone) return;
    gone = true;
    // What runs until a signal ends as it does on one; the rest has nothing to tidy.
    if (program.listenerCount('SIGTERM') === 0) program.exit(pipeCode);
    program.kill(program.pid, 'SIGTERM');
  };
  program.stdout.on('error', onError);
  program.stderr.on('error', onError);
  program.on('exit', () => {
    if (gone) program.exitCode = pipeCode;
  });
}
