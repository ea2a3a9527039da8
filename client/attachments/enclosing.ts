/**
 * Files that go with a message: taken to the island first, then said with what opens them.
 * docs/protocol/attachments.md §2, §4
 *
 * Whatever can be refused is refused before anything is uploaded: the person, the sizes, the length of the
 * message together with its descriptors. What was uploaded for a message that then was not said is deleted.
 */
import { lstat, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { storedSize } from '@island/protocol/crypto/attachment.ts';
import {
  type AttachmentDescriptor,
  encodeDescriptor,
} from '@island/protocol/crypto/attachment-descriptor.ts';
import { bodyLimits } from '@island/protocol/crypto/body-fields.ts';
import { encodePlaintext, longestMessagePlaintext } from '@island/protocol/crypto/plaintext.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { tokenClasses } from '@island/protocol/wire/token.ts';
import mime from 'mime';
import type { Saying } from '../conversation/conversations.ts';
import type { Wallet } from '../payment/wallet.ts';
import { Problem } from '../problem.ts';
import type { Storage } from '../storage/storage.ts';
import type { Transport } from '../transport/transport.ts';
import { owedDeletions } from './deletions.ts';
import { downloadAttachment } from './download.ts';
import { safeFileName } from './file-name.ts';
import { makePreview } from './preview.ts';
import { fileSource, type Source } from './source.ts';
import { openTurns } from './turns.ts';
import { uploadAttachment } from './upload.ts';

/** How far one file is. */
export interface Moving {
  name: string;
  /** Bytes of the file itself. */
  size: number;
  /** Bytes as they are stored: sealed, and padded. */
  done: number;
  total: number;
}

export interface Enclosing {
  text?: string;
  /** The place (`at`) of the message that it answers. */
  reply?: string;
  onProgress?: (moving: Moving) => void;
  signal?: AbortSignal;
}

export interface Enclosures {
  /**
   * Says a text, or nothing, with files; resolves with its key in the history. What is enclosed for one person
   * is said in the order of the calls. Throws what `say` throws, `attachments_many`, and what uploading throws:
   * then nothing was said.
   */
  enclose(name: string, files: readonly string[], enclosing?: Enclosing): Promise<string>;
  /**
   * Into a folder that is there, under the name that it has or a free one like it, or to a path; resolves
   * with the path. Throws what downloading throws.
   */
  save(
    descriptor: AttachmentDescriptor,
    to: string,
    options?: Pick<Enclosing, 'onProgress' | 'signal'>,
  ): Promise<string>;
}

export interface EnclosureParts {
  storage: Storage;
  transport: Transport;
  wallet: Wallet;
  /** Throws unless something could be said to this person. */
  check(name: string): Promise<unknown>;
  say(name: string, text: string, saying: Saying): Promise<string>;
}

type Fitted = Pick<AttachmentDescriptor, 'name' | 'mime' | 'preview'>;

interface Given extends Fitted {
  source: Source;
}

export function openEnclosures(parts: EnclosureParts): Enclosures {
  const { storage, transport, wallet } = parts;
  const turns = openTurns();

  function upload(given: Given, { onProgress, signal }: Enclosing): Promise<AttachmentDescriptor> {
    const { name, source } = given;
    const { size } = source;
    return uploadAttachment({
      transport,
      storage,
      tokens: (count, batchOf, until) => wallet.take(tokenClasses.media, count, batchOf, until),
      ...given,
      onProgress: (done, total) => onProgress?.({ name, size, done, total }),
      signal,
    });
  }

  return {
    async enclose(name, files, enclosing = {}) {
      const { text = '', reply, signal } = enclosing;
      if (files.length > bodyLimits.attachments)
        throw new Problem('attachments_many', { limit: bodyLimits.attachments });
      using turn = turns.take(name);
      await parts.check(name);
      await using held = new AsyncDisposableStack();
      const given: Given[] = [];
      for (const path of files) given.push(await look(held.use(await fileSource(path)), path));
      for (const each of given)
        each.preview = await makePreview(each.source, signal ? { signal } : {});
      fit(text, given);
      // What can be refused is refused at once; the rest waits for what was enclosed before it.
      await turn.come(signal);
      const attachments: Uint8Array[] = [];
      try {
        for (const each of given) attachments.push(encodeDescriptor(await upload(each, enclosing)));
        signal?.throwIfAborted();
        return await parts.say(name, text, {
          ...(attachments.length > 0 && { attachments }),
          ...(reply !== undefined && { reply }),
        });
      } catch (error) {
        if (attachments.length > 0) await storage.commit({ put: owedDeletions(attachments) });
        throw error;
      }
    },

    async save(descriptor, to, { onProgress, signal } = {}) {
      const name = safeFileName(descriptor.name, savedNameBytes);
      const { size } = descriptor;
      const path = (await isFolder(to)) ? await freeIn(to, name) : to;
      await downloadAttachment({
        transport,
        descriptor,
        to: path,
        onProgress: (done, total) => onProgress?.({ name, size, done, total }),
        signal,
      });
      return path;
    },
  };
}

/** UTF-8 bytes: leaves room for ` (2)` and for what a download adds to the name meanwhile. */
const savedNameBytes = limits.fileNameBytes - 16;

async function look(source: Source, path: string): Promise<Given> {
  if (storedSize(source.size) > limits.blobBytes)
    throw new Problem('attachment_too_large', { limit: limits.blobBytes / 2 ** 20 });
  const name = safeFileName(basename(path));
  const type = mime.getType(name) ?? 'application/octet-stream';
  return { source, name, mime: type, preview: undefined };
}

/**
 * Leaves out previews, the largest first, until the message has room for the rest. Throws `message_long` when
 * it has not without any.
 */
export function fit(text: string, given: readonly Fitted[]): void {
  const size = utf8Bytes(text.toWellFormed()).length;
  for (;;) {
    const room = longestMessagePlaintext - overhead(given);
    if (size <= Math.min(room, limits.textBytes)) return;
    const largest = given
      .filter(({ preview }) => preview)
      .toSorted((a, b) => previewSize(b) - previewSize(a))[0];
    if (!largest)
      throw new Problem('message_long', { size, limit: Math.min(room, limits.textBytes) });
    largest.preview = undefined;
  }
}

const previewSize = ({ preview }: Fitted): number => preview?.thumbnail.length ?? 0;

/** Bytes of a message without its text, that may answer another and disappear. */
function overhead(given: readonly Fitted[]): number {
  const [id, key] = [new Uint8Array(16), new Uint8Array(32)];
  const place = { blob: id, fileKey: key, size: 0, digest: key, commit: key, deleteKey: id };
  const descriptors = given.map((each) =>
    encodeDescriptor({
      ...place,
      expiresDay: 0,
      name: each.name,
      mime: each.mime,
      preview: each.preview,
    }),
  );
  const reply = { whose: 'mine', id } as const;
  const body = { kind: 'text', text: '.', reply, timer: 1 } as const;
  const head = encodePlaintext({ id, sentAt: 0, body }).length;
  return descriptors.reduce((sum, { length }) => sum + 2 + length, head);
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

async function freeIn(folder: string, name: string): Promise<string> {
  const ending = extname(name);
  const stem = name.slice(0, name.length - ending.length);
  for (let n = 1; ; n++) {
    const path = join(folder, n === 1 ? name : `${stem} (${n})${ending}`);
    if (!(await isThere(path))) return path;
  }
}
