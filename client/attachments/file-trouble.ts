/** What a file system refused, in words for a person. */

const words: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of its path is no folder',
  EISDIR: 'it is a folder',
  EACCES: 'there is no permission',
  EPERM: 'there is no permission',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'there is no room left for you on the disk',
  ENAMETOOLONG: 'its name is too long',
  ELOOP: 'there is a link in its place',
  EMFILE: 'too many files are open',
};

/** Undefined for what no file system said: that is a mistake of ours. */
export function fileTrouble(error: unknown): string | undefined {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string'))
    return undefined;
  if (!('syscall' in error)) return undefined;
  return words[error.code] ?? error.code;
}
