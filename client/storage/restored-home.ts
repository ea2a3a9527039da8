/**
 * A home that was put back from a copy, or copied to another place. docs/protocol/ratchet.md §8
 *
 * Its sessions have forgotten which numbers they used: what they seal next the other side takes for a
 * repetition and drops. So the device's generation rises, which makes every session of before only
 * receive, and its prekeys are made anew under ids that the island can't know yet. Its key as a witness signs no more.
 */
import { type AccountRecord, accountKey, accountRow, decodeAccount } from '../account/account.ts';
import { tokensNamespace } from '../payment/wallet.ts';
import { renewedStanding } from '../ratchets/prekeys.ts';
import { retiredWitness } from '../transparency/witness-key.ts';
import { type Storage, untilCommitted } from './storage.ts';

const originKey = { namespace: 'account', key: 'origin' };
const text = new TextDecoder();

/** The account of this home; its generation has risen if the storage is not the one that was last opened here. */
export const openRecord = (storage: Storage): Promise<AccountRecord | undefined> =>
  untilCommitted(async () => {
    const row = await storage.read(accountKey.namespace, accountKey.key);
    if (!row) return undefined;
    const record = decodeAccount(row);
    const known = await storage.read(originKey.namespace, originKey.key);
    if (known && text.decode(known.bytes) === storage.origin) return record;
    const origin = { ...originKey, bytes: new TextEncoder().encode(storage.origin) };
    const expect = [
      { ...originKey, version: known?.version ?? 0 },
      { ...accountKey, version: row.version },
    ];
    if (!known) {
      await storage.commit({ put: [origin], expect });
      return record;
    }
    // Its delivery tokens may have been spent since, and nobody can tell which.
    const remove = (await storage.list(tokensNamespace)).map(({ key }) => ({
      namespace: tokensNamespace,
      key,
    }));
    const risen = { ...record, generation: record.generation + 1 };
    const prekeys = await renewedStanding(storage);
    // It may have signed more than this copy remembers.
    const witness = await retiredWitness(storage);
    await storage.commit({
      put: [origin, accountRow(risen), ...(prekeys ? [prekeys.put] : []), ...witness.put],
      remove: [...remove, ...witness.remove],
      expect: [...expect, ...(prekeys ? [prekeys.expect] : []), ...witness.expect],
    });
    return risen;
  });
