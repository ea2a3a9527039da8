/**
 * For tests: the log of an odd island. It proves whatever the island says of its people, as a real one would:
 * a list that was exchanged is in the log, and what the log does not hold fails where it is opened.
 */
import { readState } from '@island/protocol/crypto/account-state.ts';
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import { encodeAnswer } from '@island/protocol/transparency/answer.ts';
import { commit } from '@island/protocol/transparency/commitment.ts';
import {
  accountLabel,
  type LabelKind,
  labelIndex,
  labelKinds,
  nameLabel,
} from '@island/protocol/transparency/label.ts';
import type { LabelProof } from '@island/protocol/transparency/label-proof.ts';
import { eventHash } from '@island/protocol/transparency/leaves.ts';
import { parseTilePath } from '@island/protocol/transparency/tiles.ts';
import { inclusionProof } from '@island/protocol/transparency/tree-proofs.ts';
import { prove } from '@island/protocol/transparency/vrf.ts';
import { directoryLog, testVkey } from '@island/protocol/vectors/directory-log.ts';
import { Reader } from '@island/protocol/wire/bytes.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { base64url, fromBase64url, fromHex, hex } from '@island/protocol/wire/text.ts';

type Json = Record<string, unknown>;

export interface OddLog {
  /** What discovery shows. */
  pins: { vkey: string; vrf: Uint8Array; policy: string; policyNumber: number; witnessed: boolean };
  /** What is answered where `said` is said of the path that `saidAbout` gives: an account with its list, or lists. */
  proved(path: string, said: Json): Promise<Json>;
  /** `checkpoint`, or a tile. */
  file(path: string): Promise<Uint8Array | undefined>;
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

interface Version {
  at: number;
  event: Uint8Array;
  state: Uint8Array;
}

const policy = 'quorum none\n';
/** As good as any in a test. */
const opening = sha256(fromHex('00')).subarray(0, 16);

/** `before`: the list of an account at an epoch, base64url; what is on the way to one that is said is in the log, too. */
export function oddLog(
  before: (account: AccountId, epoch: number) => string | undefined,
  now: () => number = Date.now,
): OddLog {
  const log = directoryLog({ policy });
  const versions = new Map<string, Map<number, Version>>();
  const newest = new Map<string, Version>();
  const places = new Map<string, { index: Uint8Array; proof: Uint8Array }>();
  let note = '';

  function placeOf(label: Uint8Array): { index: Uint8Array; proof: Uint8Array } {
    const known = places.get(hex(label));
    if (known) return known;
    const { output, proof } = prove(log.vrf, label);
    const place = { index: labelIndex(output), proof };
    places.set(hex(label), place);
    return place;
  }

  function say(label: Uint8Array, version: number, state: Uint8Array): void {
    const key = hex(label);
    const { index } = placeOf(label);
    const known = versions.get(key) ?? new Map<number, Version>();
    versions.set(key, known);
    const there = newest.get(key);
    if (there && there === known.get(version) && hex(there.state) === hex(state)) return;
    const commitment = commit({ label, version, opening, state });
    const before = known.get(version - 1);
    const at = log.event(index, {
      version,
      commitment,
      ...(version > 1 && before && { prevEvent: eventHash(before.event) }),
    });
    const made = { at, event: log.entries[at] ?? new Uint8Array(0), state };
    known.set(version, made);
    newest.set(key, made);
  }

  async function publish(): Promise<void> {
    log.epoch({ timestamp: now() });
    note = await log.checkpoint({ by: [] });
  }

  async function proofOf(kind: LabelKind, label: Uint8Array): Promise<LabelProof> {
    const { index, proof } = placeOf(label);
    const mapProof = log.map.prove(index);
    const there = newest.get(hex(label));
    const proved = { kind, vrfProof: proof, mapProof };
    if (!there) return proved;
    const { at: eventIndex, event, state } = there;
    const path = await inclusionProof(eventIndex, log.size, log.read);
    return { ...proved, shown: { eventIndex, event, proof: path, opening, state } };
  }

  async function answer(name: string, account: AccountId, list: Uint8Array): Promise<Uint8Array> {
    const label = accountLabel(account);
    const last = Math.max(0, ...(versions.get(hex(label))?.keys() ?? []));
    const epoch = epochOf(list) ?? last + 1;
    // Nobody follows so long a way.
    for (let each = last + 1; each < epoch && epoch - last < 1000; each++) {
      const there = before(account, each);
      say(label, each, there === undefined ? list : fromBase64url(there));
    }
    say(label, epoch, list);
    const named = nameLabel(name);
    const owner = newest.get(hex(named));
    if (!owner || hex(owner.state) !== account)
      say(named, (versions.get(hex(named))?.size ?? 0) + 1, fromHex(account));
    await publish();
    const at = log.size - 1;
    return encodeAnswer({
      note,
      epoch: log.entries[at] ?? new Uint8Array(0),
      epochProof: await inclusionProof(at, log.size, log.read),
      labels: [await proofOf(labelKinds.name, named), await proofOf(labelKinds.account, label)],
    });
  }

  return {
    pins: { vkey: testVkey, vrf: log.vrf.public, policy, policyNumber: 1, witnessed: false },
    async proved(path, said) {
      const [, name = '', after] = /^\/v1\/people\/([^/]+)(?:\/lists\/(\d+))?$/.exec(path) ?? [];
      const account = said['account'] as AccountId;
      if (after === undefined) {
        const list = fromBase64url(String(said['list']));
        return { answer: base64url(await answer(name, account, list)) };
      }
      const known = versions.get(hex(accountLabel(account)));
      const steps = (said['lists'] as string[]).map((state, i) => {
        const event = known?.get(Number(after) + 1 + i)?.event ?? new Uint8Array(102);
        return { event: base64url(event), opening: base64url(opening), state };
      });
      return { steps };
    },
    async file(path) {
      if (path === 'checkpoint') return new TextEncoder().encode(note);
      return log.tile(parseTilePath(path));
    },
  };
}

/** Of a list that has the form of one. */
function epochOf(list: Uint8Array): number | undefined {
  try {
    return readState(new Reader(list)).epoch;
  } catch {
    return undefined;
  }
}
