/** Which logs this witness signs for: the operator's word. docs/operations.md §8 */
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import { keyTypes, parseVkey } from '@island/protocol/transparency/note.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { base32 } from '@island/protocol/wire/text.ts';
import type { WitnessStore } from './database.ts';
import { idOf, noHead, type Rows } from './logs.ts';

/** Keys of one log: the present one, and those of a change. */
const mostKeys = 8;

export interface Trust {
  /** @throws malformed for what is no key that a log signs with */
  trust(vkey: string): Promise<{ origin: string }>;
  /** How far the log was stays known: trusted again, it has to lead on from there. @throws not_found */
  distrust(origin: string): Promise<void>;
}

export function openTrust(store: WitnessStore, rows: Rows): Trust {
  return {
    async trust(vkey) {
      const origin = originOf(vkey);
      await rows.ready();
      await store.write(async (_db, sql) => {
        const known = await rows.find(sql, idOf(origin));
        const keys = [...new Set([...(known?.log.keys ?? []), vkey])];
        if (keys.length > mostKeys) throw new Fault('malformed');
        await rows.put(sql, {
          log: { origin, keys, trusted: true },
          head: known?.head ?? noHead,
        });
      });
      return { origin };
    },
    async distrust(origin) {
      await rows.ready();
      await store.write(async (_db, sql) => {
        const known = await rows.find(sql, idOf(origin));
        if (known === undefined) throw new Fault('not_found');
        await rows.put(sql, { ...known, log: { ...known.log, trusted: false } });
      });
    },
  };
}

/** The origin of an island's log: it says which key is the log's. docs/protocol/transparency.md §6.1 */
const ofIsland = /^pi-kt\/[a-z2-7]{26}$/;

function originOf(text: string): string {
  try {
    const { name, type, key } = parseVkey(text);
    // Whoever has a key under the name of another log could lead that log's head astray.
    const itsOwn = !ofIsland.test(name) || name === `pi-kt/${base32(sha256(key).subarray(0, 16))}`;
    // A cosignature of 0x06 has room for an origin of so many bytes.
    if (itsOwn && type === keyTypes.ed25519 && utf8Bytes(name).length <= 255) return name;
  } catch (error) {
    if (!(error instanceof TransparencyFault)) throw error;
  }
  throw new Fault('malformed');
}
