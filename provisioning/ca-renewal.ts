/** A new issuing or edge CA: needs the root's passphrase and the master key, and an island that is down. docs/decisions/023-ca-renewal.md */
import { renewIssuing } from '@island/pki/renew.ts';
import { readPrivate } from '@island/pki/store.ts';
import { stateRefusal } from './first-boot.ts';
import type { Island } from './island-file.ts';
import type { Layout } from './layout.ts';
import { caKeysOf, findMasterKey } from './master-key.ts';
import { Stated } from './stated.ts';

export const renewable = ['issuing', 'edge'] as const;
export type Renewable = (typeof renewable)[number];

/** Unix ms at which the new one ends. @throws Stated */
export async function renewCa(
  layout: Layout,
  island: Island,
  o: { role: Renewable; passphraseFile: string; masterKey: string | undefined },
): Promise<number> {
  const keys = caKeysOf(await findMasterKey(layout, island, o.masterKey));
  const text = await readPrivate(o.passphraseFile).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') return stateRefusal(error);
    throw new Stated(
      `The file ${o.passphraseFile} with the root passphrase cannot be read: check its path and its rights.`,
    );
  });
  const passphrase = text.toString('utf8').split('\n')[0]?.replace(/\r$/, '') ?? '';
  const renewed = renewIssuing({ dir: layout.pki, role: o.role, passphrase, keys });
  const { certificate } = await renewed.catch(stateRefusal);
  return certificate.validToDate.getTime();
}
