/**
 * For tests: the log of an odd island. It proves whatever the island says of its people, as a real one would:
 * a list that was exchanged is in the log, and what the log does not hold fails where it is opened. It has the
 * log's own key, and lies when it is told to (odd-history.ts).
 */
import { readState } from '@island/protocol/crypto/account-state.ts';
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import { type Answer, encodeAnswer } from '@island/protocol/transparency/answer.ts';
import { accountLabel, labelKinds, nameLabel } from '@island/protocol/transparency/label.ts';
import { operatorKinds } from '@island/protocol/transparency/leaves.ts';
import { parseTilePath } from '@island/protocol/transparency/tiles.ts';
import { encodeTlogProof } from '@island/protocol/transparency/tlog-proof.ts';
import { inclusionProof } from '@island/protocol/transparency/tree-proofs.ts';
import { testVkey } from '@island/protocol/vectors/directory-log.ts';
import { Reader, utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { base64url, fromBase64url, fromHex, hex } from '@island/protocol/wire/text.ts';
import { type OddHistory, oddHistory, opening, type Signing } from './odd-history.ts';

type Json = Record<string, unknown>;

export interface OddLog {
  /** What discovery shows. */
  pins: {
    vkey: string;
    vrf: Uint8Array;
    policy: string;
    policyNumber: number;
    policyEntry: number;
    witnessed: boolean;
  };
  /**
   * What is answered where `said` is said of the path that `saidAbout` gives: an account with its list, or lists;
   * `undefined`: that there is nobody.
   */
  proved(path: string, said: Json | undefined): Promise<Json>;
  /** `checkpoint`, or a tile. */
  file(path: string): Promise<Uint8Array | undefined>;
  history: OddHistory;
  /** From now on it proves what is in its history, whatever is said of people, and says nothing new. */
  silent: boolean;
  /** Files of policies, by number. */
  policies: Map<number, Uint8Array>;
  /** The next policy: announced, and in force with the epoch that is then published. */
  announce(policy: string, by: readonly string[]): Promise<void>;
  /** In place of an answer. */
  twist: ((answer: Answer) => Answer) | undefined;
  /** Another log under the same keys: the same up to that many epochs (all of them), silent. */
  branch(epochs?: number): Promise<OddLog>;
}

/** What the log proves of somebody is what is said of them without it: of the name, or of the lists behind an epoch. */
export function saidAbout(url: string, { name, after }: Json): string {
  const proof = /^\/v1\/people\/([^/]+)\/(proof|history)(?:\/(\d+))?$/.exec(url);
  const [, person, kind, epoch] = proof ?? [];
  if (kind === 'proof') return `/v1/people/${person}`;
  if (kind === 'history') return `/v1/people/${person}/lists/${epoch}`;
  if (url === '/v1/lookup/proof') return `/v1/people/${name}`;
  return url === '/v1/lookup/history' ? `/v1/people/${name}/lists/${after}` : url;
}

/** The list of an account at an epoch, base64url; what is on the way to one that is said is in the log, too. */
export type Before = (account: AccountId, epoch: number) => string | undefined;

export function oddLog(
  before: Before,
  now: () => number = Date.now,
  signing: Partial<Signing> = {},
): OddLog {
  return logOf(oddHistory(signing, now), before);
}

function logOf(history: OddHistory, before: Before): OddLog {
  const { log, say, newest } = history;

  /** What is said of somebody comes into the log, where it is not there yet. */
  function take(name: string, account: AccountId, list: Uint8Array): void {
    const label = accountLabel(account);
    const last = history.versions(label).size;
    const epoch = epochOf(list) ?? last + 1;
    // Nobody follows so long a way.
    for (let each = last + 1; each < epoch && epoch - last < 1000; each++) {
      const there = before(account, each);
      say(label, each, there === undefined ? list : fromBase64url(there));
    }
    say(label, epoch, list);
    const named = nameLabel(name);
    const owner = newest(named);
    if (owner && hex(owner.state) === account) return;
    // No honest log has a second one.
    say(named, (owner?.version ?? 0) + 1, fromHex(account));
  }

  async function answer(name: string): Promise<Uint8Array> {
    const at = log.size - 1;
    const named = nameLabel(name);
    const labels = [await history.proofOf(labelKinds.name, named)];
    const owner = newest(named);
    if (owner && owner.state.length > 0)
      labels.push(await history.proofOf(labelKinds.account, labelOf(owner.state)));
    const made: Answer = {
      note: history.note,
      epoch: log.entries[at] ?? new Uint8Array(0),
      epochProof: await inclusionProof(at, log.size, log.read),
      labels,
    };
    return encodeAnswer(self.twist?.(made) ?? made);
  }

  const self: OddLog = {
    pins: {
      vkey: testVkey,
      vrf: log.vrf.public,
      policy: history.policy,
      policyNumber: 1,
      policyEntry: 0,
      witnessed: !history.policy.includes('quorum none'),
    },
    history,
    silent: false,
    twist: undefined,
    policies: new Map(),
    async announce(policy, by) {
      const number = self.pins.policyNumber + 1;
      const index = log.size;
      const extra = utf8Bytes(policy);
      history.operator({ kind: operatorKinds.policy, number, hash: sha256(extra) });
      history.signing.by = by;
      await history.publish();
      const proof = await inclusionProof(index, log.size, log.read);
      const file = encodeTlogProof({ extra, index, proof, checkpoint: history.note });
      self.policies.set(number, utf8Bytes(file));
      const witnessed = !policy.includes('quorum none');
      Object.assign(self.pins, { policy, policyNumber: number, policyEntry: index, witnessed });
    },
    async proved(path, said) {
      const [, name = '', after] = /^\/v1\/people\/([^/]+)(?:\/lists\/(\d+))?$/.exec(path) ?? [];
      if (after === undefined) {
        if (!self.silent) {
          if (said) take(name, said['account'] as AccountId, fromBase64url(String(said['list'])));
          await history.publish();
        }
        return { answer: base64url(await answer(name)) };
      }
      if (!said) throw new Fault('unknown_person');
      const known = history.versions(accountLabel(said['account'] as AccountId));
      const lists = self.silent
        ? [...known.values()].slice(Number(after)).map(({ state }) => base64url(state))
        : (said['lists'] as string[]);
      const steps = lists.map((state, i) => {
        const event = known.get(Number(after) + 1 + i)?.event ?? new Uint8Array(102);
        return { event: base64url(event), opening: base64url(opening), state };
      });
      return { steps };
    },
    async file(path) {
      const policy = /^policy\/(\d+)$/.exec(path)?.[1];
      if (policy !== undefined) return self.policies.get(Number(policy));
      if (path === 'checkpoint') return new TextEncoder().encode(history.note);
      return log.tile(parseTilePath(path));
    },
    async branch(epochs) {
      const other = logOf(await history.branch(epochs), before);
      other.silent = true;
      Object.assign(other.pins, self.pins);
      return other;
    },
  };
  return self;
}

const labelOf = (state: Uint8Array): Uint8Array => accountLabel(hex(state) as AccountId);

/** Of a list that has the form of one. */
function epochOf(list: Uint8Array): number | undefined {
  try {
    return readState(new Reader(list)).epoch;
  } catch {
    return undefined;
  }
}
