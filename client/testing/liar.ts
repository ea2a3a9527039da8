/**
 * For tests: a real island whose log is another one, which proves whatever a test puts in place of answers about
 * people. A test says its lies as they would be without a log (odd-log.ts).
 */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { readAnswer } from '@island/protocol/transparency/answer.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { base64url, fromBase64url, hex } from '@island/protocol/wire/text.ts';
import { type OddLog, oddLog } from './odd-log.ts';

type Json = Record<string, unknown>;

export interface Liar {
  log: OddLog;
  /** Lists that devices put on the island: those before a lie are true. */
  observe(body: Json): void;
  /** What a true answer about somebody says. */
  said(answer: Json): Json;
}

export function liar(now: () => number): Liar {
  const lists = new Map<string, string>();
  const owners = new Map<string, AccountId>();
  return {
    log: oddLog((account, epoch) => lists.get(`${account} ${epoch}`), now),
    observe({ list }) {
      if (typeof list !== 'string') return;
      const { account, epoch } = openDeviceList(fromBase64url(list));
      lists.set(`${account} ${epoch}`, list);
      owners.set(list, account);
    },
    said({ answer, steps }) {
      if (typeof answer === 'string') {
        const [name, account] = readAnswer(fromBase64url(answer)).labels;
        return {
          account: hex(name?.shown?.state ?? new Uint8Array(0)),
          list: base64url(account?.shown?.state ?? new Uint8Array(0)),
        };
      }
      const shown = (steps as { state: string }[]).map(({ state }) => state);
      return { account: owners.get(shown[0] ?? ''), lists: shown };
    },
  };
}
