/** What a message says of its attachments, for people and for programs; keys stay inside. */
import {
  type AttachmentDescriptor,
  decodeDescriptor,
} from '@island/protocol/crypto/attachment-descriptor.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { safeFileName } from '../attachments/file-name.ts';
import { sizeText } from './amounts.ts';
import { day } from './dates.ts';

/** Those that can be read; a newer client may send others. */
export function attachmentsOf(message: {
  attachments?: readonly Uint8Array[] | undefined;
}): AttachmentDescriptor[] {
  return (message.attachments ?? []).flatMap((bytes) => {
    try {
      return [decodeDescriptor(bytes)];
    } catch (error) {
      if (error instanceof Fault) return [];
      throw error;
    }
  });
}

/** `plan.pdf, 1.2 MB`; a picture with its size. */
export function attachmentText({ name, size, preview }: AttachmentDescriptor): string {
  const picture = preview ? `, ${preview.width}×${preview.height}` : '';
  return `${safeFileName(name)}, ${sizeText(size)}${picture}`;
}

export const attachmentObject = ({
  name,
  size,
  mime,
  preview,
  expiresDay,
}: AttachmentDescriptor) => ({
  name: safeFileName(name),
  size,
  mime,
  until: day(expiresDay),
  ...(preview && { width: preview.width, height: preview.height }),
});
