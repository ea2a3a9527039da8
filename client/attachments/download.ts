/**
 * Brings an attachment into a file: opened while it comes, chunk by chunk, going on where it broke off.
 * docs/protocol/attachments.md §3
 *
 *     <file>.part   what came so far, still sealed: kept for the next call
 *     <file>.open   what was opened of it, made anew by each call; becomes the file when all of it proved right
 *
 * Invariant: a file of that name is there when it is whole and the very one that was sent, never before,
 * and never in place of another.
 */
import { constants } from 'node:fs';
import { type FileHandle, link, lstat, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { storedSize } from '@island/protocol/crypto/attachment.ts';
import type { AttachmentDescriptor } from '@island/protocol/crypto/attachment-descriptor.ts';
import { openedAttachment } from '@island/protocol/crypto/attachment-stream.ts';
import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import { release } from '@island/protocol/wire/release.ts';
import { insist } from '../insist.ts';
import { Problem } from '../problem.ts';
import type { Transport } from '../transport/transport.ts';
import { openAppender } from './appender.ts';
import { getFrom } from './blobs.ts';
import { fileTrouble } from './file-trouble.ts';

export interface DownloadOptions {
  transport: Transport;
  descriptor: AttachmentDescriptor;
  /** Path of the file that is to be; not the sender's name as it is: see `safeFileName`. */
  to: string;
  /** Bytes that came, of how many. */
  onProgress?: ((done: number, total: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Resolves when the file is there. Throws `file_exists`; `attachment_broken` when it is not what the descriptor says,
 * and nothing of it is kept then; `file_unwritable`, and what came is there for the next try where it could be
 * kept; `blob_gone`; what a call throws that does not pass.
 */
export async function downloadAttachment(options: DownloadOptions): Promise<void> {
  try {
    await download(options);
  } catch (cause) {
    const reason = fileTrouble(cause);
    if (reason === undefined) throw cause;
    throw new Problem('file_unwritable', { file: options.to, reason }, { cause });
  }
}

async function download(options: DownloadOptions): Promise<void> {
  const { descriptor, to } = options;
  if (await isThere(to)) throw new Problem('file_exists', { file: to });
  const [part, opened] = [`${to}.part`, `${to}.open`];
  const had = await bring(options, part, opened, true);
  // What was kept from before was damaged, or of another attachment: once more from the start.
  if (had === 'broken') {
    const again = await bring(options, part, opened, false);
    if (again === 'broken') throw new Problem('attachment_broken', { name: descriptor.name });
  }
  await put(opened, to);
  await rm(part, { force: true });
  await syncFolder(dirname(to));
}

/** Throws, or answers whether what came is what it should be; if not, nothing of it stays. */
async function bring(
  options: DownloadOptions,
  part: string,
  opened: string,
  resume: boolean,
): Promise<'whole' | 'broken'> {
  if (!resume) await rm(part, { force: true });
  const total = storedSize(options.descriptor.size);
  await using kept = await openOwn(part, constants.O_RDWR | constants.O_CREAT);
  await using out = await openOwn(opened, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC);
  const before = Math.min((await kept.stat()).size, total);
  const opening = openAppender(out, 0);
  try {
    const stored = arriving(options, kept, before, total);
    for await (const chunk of openedAttachment(options.descriptor, stored)) {
      await opening.append(chunk);
      release(chunk);
    }
    await opening.flush();
    await out.sync();
    return 'whole';
  } catch (error) {
    await rm(opened, { force: true });
    if (!(error instanceof CryptoFault && error.code === 'attachment_broken')) throw error;
    await rm(part, { force: true });
    if (before > 0) return 'broken';
    throw new Problem('attachment_broken', { name: options.descriptor.name }, { cause: error });
  }
}

/** What was kept, and behind it what comes, which is kept: also of a line that breaks. Each is good until the next. */
async function* arriving(
  { transport, descriptor, onProgress, signal }: DownloadOptions,
  kept: FileHandle,
  before: number,
  total: number,
): AsyncGenerator<Uint8Array> {
  const step = 1_048_576;
  const buffer = new Uint8Array(Math.min(step, before));
  for (let at = 0; at < before; ) {
    signal?.throwIfAborted();
    const bytes = buffer.subarray(0, Math.min(step, before - at));
    const { bytesRead } = await kept.read(bytes, 0, bytes.length, at);
    if (bytesRead === 0) throw new CryptoFault('attachment_broken');
    yield bytes.subarray(0, bytesRead);
    at += bytesRead;
  }
  let at = before;
  const keeping = openAppender(kept, before);
  onProgress?.(at, total);
  while (at < total) {
    const from = at;
    // What is lost in the middle of an answer is asked for again, as long as each answer brings something.
    const body = await insist(() => getFrom(transport, descriptor.blob, from, signal), { signal });
    try {
      for await (const bytes of body) {
        if (at + bytes.length > total) throw new CryptoFault('attachment_broken');
        await keeping.append(bytes);
        at += bytes.length;
        yield bytes;
        release(bytes);
        onProgress?.(at, total);
      }
    } catch (error) {
      await keeping.flush();
      const lost = error instanceof Problem && error.code === 'unreachable';
      if (!lost || at === from) throw error;
    }
    if (at === from) throw new Problem('not_an_island', { address: transport.address });
  }
  await keeping.flush();
}

/** A file of ours: a link that somebody put there is not followed. */
async function openOwn(path: string, flags: number): Promise<FileHandle> {
  return open(path, flags | constants.O_NOFOLLOW, 0o600);
}

/** Under its name, unless there is a file of that name by now. */
async function put(opened: string, to: string): Promise<void> {
  try {
    await link(opened, to);
    await rm(opened);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST') throw new Problem('file_exists', { file: to }, { cause: error });
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error;
    // A disk without links, such as a stick: the name is taken first.
    await (await open(to, 'wx')).close();
    await rename(opened, to);
  }
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}
