/**
 * Devices that certificates named and the island does not list: for an hour nobody is asked about them again.
 * docs/protocol/dm.md §6.2
 *
 * A certificate is good for a month after its device was removed, and asking costs a token. Known by a hash
 * of what the certificate says; one made under a newer list is another, so a device that joined is found.
 */

import { sha256 } from '@island/protocol/crypto/primitives.ts';
import type { SenderCertificate } from '@island/protocol/crypto/sender-certificate.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Row, Storage } from '../storage/storage.ts';

export type Claim = Pick<
  SenderCertificate,
  'name' | 'account' | 'device' | 'dsk' | 'dik' | 'listEpoch'
>;

const namespace = 'unlisted';
/** Milliseconds that it is remembered, and for how many devices. */
const remembered = 3_600_000;
const most = 512;

function keyOf({ name, account, device, dsk, dik, listEpoch }: Claim): string {
  const named = utf8Bytes(`${account} ${device} ${listEpoch} ${name} `);
  return hex(sha256(Buffer.concat([named, dsk, dik])).subarray(0, 16));
}

const text = new TextDecoder();
const since = ({ bytes }: Row): number => Number(text.decode(bytes));
/** What a clock that was put back left ahead counts no more. */
const isFresh = (row: Row, now: number): boolean =>
  since(row) <= now && since(row) > now - remembered;

export async function isUnlisted(storage: Storage, claim: Claim, now: number): Promise<boolean> {
  const row = await storage.read(namespace, keyOf(claim));
  return row !== undefined && isFresh(row, now);
}

export async function noteUnlisted(storage: Storage, claim: Claim, now: number): Promise<void> {
  const rows = (await storage.list(namespace)).sort((a, b) => since(b) - since(a));
  const fresh = rows.filter((row) => isFresh(row, now)).slice(0, most - 1);
  await storage.commit({
    put: [{ namespace, key: keyOf(claim), bytes: utf8Bytes(String(now)) }],
    remove: rows
      .filter((row) => !fresh.includes(row) && row.key !== keyOf(claim))
      .map(({ key }) => ({ namespace, key })),
  });
}
