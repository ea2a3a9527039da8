/** A failure told in one plain sentence: what happened and what to do. Ends a command with exit code 1. */
export class Stated extends Error {
  override name = 'Stated';
}

const codes: Record<string, (path: string) => string> = {
  ENOSPC: (path) =>
    `The disk is full${at(path)}: make room and start again. Nothing half-written is used.`,
  EDQUOT: (path) => `The disk quota is used up${at(path)}: make room and start again.`,
  EROFS: (path) => `The file system is read-only${at(path)}: use another folder with --data.`,
  EACCES: (path) =>
    `Access is denied${at(path)}: run as its owner, or use another folder with --data.`,
  EPERM: (path) =>
    `Access is denied${at(path)}: run as its owner, or use another folder with --data.`,
  EMFILE: () => 'Too many files are open: raise the limit (ulimit -n 4096) and start again.',
  ENOMEM: () => 'The machine is out of memory: end something else and start again.',
};

const at = (path: string) => (path === '' ? '' : ` at ${path}`);

/** The plain sentence for what the operating system refused; undefined when there is none. */
export function statedFrom(error: unknown): Stated | undefined {
  if (error instanceof Stated) return error;
  if (!(error instanceof Error)) return undefined;
  const { code, path } = error as NodeJS.ErrnoException;
  const sentence = code === undefined ? undefined : codes[code];
  return sentence && new Stated(sentence(path ?? ''), { cause: error });
}
