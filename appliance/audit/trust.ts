/** What the log announces about its policy and keys, against what is trusted; and who witnesses it. docs/protocol/transparency.md §9.2 */
import { equal, sha256 } from '@island/protocol/crypto/primitives.ts';
import { parseCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { verifierOf } from '@island/protocol/transparency/cosignature.ts';
import { operatorKinds } from '@island/protocol/transparency/leaves.ts';
import { parseNote, parseVkey, sameKeyId } from '@island/protocol/transparency/note.ts';
import {
  hasQuorum,
  type Policy,
  type PolicyCosigner,
  type PolicyWitness,
  parsePolicy,
  satisfied,
} from '@island/protocol/transparency/policy.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import type { SaidLog } from '@island/protocol/wire/routes.ts';
import { fromBase64url } from '@island/protocol/wire/text.ts';
import { type Finding, finding } from './findings.ts';
import type { LogSource } from './log-source.ts';
import type { OwnLog } from './own-log.ts';
import { askIsland, checkPins } from './pins.ts';
import { checkPredecessor } from './predecessor.ts';
import type { Announced, Tally } from './replay.ts';

export interface Trusted {
  witnessed: boolean;
  cosigners: PolicyCosigner[];
}

export interface Trusting {
  log: OwnLog;
  source: LogSource;
  findings: Finding[];
  notices: string[];
  options: { policy?: string };
}

const newestOf = ({ announced }: Tally, kind: number): Announced | undefined =>
  announced.findLast((one) => one.kind === kind);

const hashOf = (text: string): Uint8Array => sha256(utf8Bytes(text));

/** `note`: the checkpoint that is served, where the log signed it. */
export async function checkTrust(
  run: Trusting,
  tally: Tally,
  note: string | undefined,
): Promise<Trusted> {
  const said = await askIsland(run.source).catch(() => undefined);
  checkVrf(run, tally);
  checkPredecessor(tally, said, run);
  await followPolicy(run, tally, said);
  const policy = parsePolicy(run.log.kept.pins.policy);
  const witnessed = policy.quorum !== undefined;
  if (said?.witnessed === true && !witnessed) run.findings.push(finding('posing_as_witnessed'));
  if (note === undefined) return { witnessed, cosigners: [] };
  const own = await ownKeys(run, policy);
  return { witnessed, cosigners: countWitnesses(run, { policy, own }, note) };
}

/**
 * Keys of the policy that are the island's own: the log's, those of its card, those that are asked at its very address,
 * and those by which the witness at that address has signed this log.
 */
async function ownKeys({ log, source }: Trusting, { witnesses }: Policy): Promise<Uint8Array[]> {
  const { address, vkey, ownWitness } = log.kept.pins;
  const known = [vkey, ...ownWitness].map((line) => parseVkey(line).key);
  const { origin } = new URL(address);
  const here = witnesses.filter(
    ({ url }) => url !== undefined && URL.parse(url)?.origin === origin,
  );
  const signed = await signersAt(source, parseVkey(vkey).name, witnesses);
  return [...known, ...[...here, ...signed].map((one) => one.vkey.key)];
}

/** A witness shows signatures of the log and of itself alone. What can't be read there says nothing. */
async function signersAt(
  source: LogSource,
  origin: string,
  witnesses: readonly PolicyWitness[],
): Promise<PolicyWitness[]> {
  try {
    const { text, signatures } = parseNote(
      new TextDecoder().decode(await source.ownWitness(origin)),
    );
    if (parseCheckpoint(text).origin !== origin) return [];
    return witnesses.filter(({ vkey }) => {
      const verifier = verifierOf(vkey);
      return signatures.some(
        (one) =>
          one.name === vkey.name &&
          sameKeyId(one.keyId, vkey.keyId) &&
          verifier.verify(text, one.signature),
      );
    });
  } catch {
    return [];
  }
}

function checkVrf({ log, findings }: Trusting, tally: Tally): void {
  const { vrf } = log.kept.pins;
  const announced = newestOf(tally, operatorKinds.vrf);
  if (vrf === null || announced === undefined) return;
  if (!equal(sha256(fromBase64url(vrf)), announced.hash)) findings.push(finding('vrf_not_logged'));
}

/** The policy in force is the one that the log announced last: ours follows it, but never to no witnesses. */
async function followPolicy(run: Trusting, tally: Tally, said: SaidLog | undefined): Promise<void> {
  const { log, findings, notices, options } = run;
  const { pins } = log.kept;
  const announced = newestOf(tally, operatorKinds.policy);
  if (announced === undefined || equal(hashOf(pins.policy), announced.hash)) return;
  const next = [options.policy, said?.policy].find(
    (text) => text !== undefined && equal(hashOf(text), announced.hash),
  );
  const where = { entry: announced.entry };
  const ours = tally.announced.some(
    ({ kind, hash }) => kind === operatorKinds.policy && equal(hash, hashOf(pins.policy)),
  );
  // One that the log never had is not left for one that it has.
  if (next === undefined || !ours) {
    findings.push(finding('policy_not_logged', where));
    return;
  }
  checkPins({ vkey: pins.vkey, policy: next });
  if (parsePolicy(next).quorum === undefined && parsePolicy(pins.policy).quorum !== undefined) {
    findings.push(finding('policy_weakened', where));
    return;
  }
  await log.keep({ pins: { ...pins, policy: next } });
  notices.push(
    `The log has another witness policy since entry ${announced.entry}: number ${announced.number}.`,
  );
}

/** Keys of the island itself vouch for nothing beside the signature of the log. */
function countWitnesses(
  { findings, notices }: Trusting,
  { policy, own }: { policy: Policy; own: readonly Uint8Array[] },
  note: string,
): PolicyCosigner[] {
  const isOwn = (key: Uint8Array): boolean => own.some((one) => equal(one, key));
  try {
    const { ok, witnessed, cosigners } = satisfied(policy, note);
    const others = cosigners.filter(
      ({ name }) => !policy.witnesses.some((one) => one.name === name && isOwn(one.vkey.key)),
    );
    if (ok && !hasQuorum(policy, new Set(others.map(({ name }) => name)))) {
      findings.push(
        finding('posing_as_witnessed', {
          more: 'The quorum is cosigned by the island itself: without its own keys there is none.',
        }),
      );
    } else if (!ok && witnessed) {
      const by = cosigners.map(({ name }) => name).join(', ');
      findings.push(finding('quorum_missing', { more: `It has ${by === '' ? 'none' : by}.` }));
    }
    if (!witnessed) notices.push('Without witnesses a log could show everybody another history.');
    return others;
  } catch (error) {
    if (!(error instanceof TransparencyFault)) throw error;
    findings.push(
      finding('quorum_missing', { more: 'A signature in the name of a witness is wrong.' }),
    );
    return [];
  }
}
