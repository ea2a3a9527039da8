/** `island proof verify FILE`: an answer of a directory that somebody kept, without asking anybody. docs/operations.md §13 */
import {
  type AskedLabel,
  accountOfName,
  checkReadAnswer,
  fromTlogProof,
  type ProvedAnswer,
} from '@island/protocol/transparency/answer.ts';
import { accountLabel, nameLabel } from '@island/protocol/transparency/label.ts';
import { parseVkey } from '@island/protocol/transparency/note.ts';
import { parsePolicy } from '@island/protocol/transparency/policy.ts';
import { parseTlogProof, verifyTlogProof } from '@island/protocol/transparency/tlog-proof.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { leafHash } from '@island/protocol/transparency/tree.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { accountId } from '@island/protocol/wire/ids.ts';
import { fromBase64url, hex } from '@island/protocol/wire/text.ts';
import { Stated } from '@island/provisioning/stated.ts';
import { styleFor } from '../terminal.ts';
import type { Streams } from '../up-command.ts';
import type { ProofFlags } from './audit-commands.ts';
import { readGiven } from './pins.ts';

/** Throws `Stated` where it proves nothing. */
export async function verifyProof(
  file: string,
  flags: ProofFlags,
  { stdout }: Streams,
): Promise<void> {
  const { vkey, policy: policyFile, vrf, name, account, json } = flags;
  if (vkey === undefined || policyFile === undefined) {
    throw new Stated(
      'A proof is checked with --vkey and --policy, from somebody other than who gave the proof.',
    );
  }
  if ((name !== undefined || account !== undefined) && vrf === undefined) {
    throw new Stated('Whom a proof is about can be checked only with the key of the VRF: --vrf.');
  }
  const text = await readGiven(file, 'the proof');
  const policy = await readGiven(policyFile, 'the witness policy');
  const allowUnwitnessed = flags.allowUnwitnessed === true;
  const asked = reading(
    '--name and --account: a name of a person, and 32 hexadecimal digits.',
    () => labelsOf(flags),
  );
  const vrfKey =
    vrf === undefined ? undefined : reading('--vrf: a key in base64url.', () => fromBase64url(vrf));
  try {
    const { epoch, note } = fromTlogProof(text);
    if (vrfKey === undefined || asked.length === 0) {
      const options = { allowUnwitnessed, log: parseVkey(vkey) };
      const { checkpoint, cosigners } = verifyTlogProof(
        parseTlogProof(text),
        leafHash(epoch),
        parsePolicy(policy),
        options,
      );
      tell({ size: checkpoint.size, cosigners, note, labels: [] });
      return;
    }
    const log = { vkey, vrf: vrfKey, policy, policyNumber: 0 };
    const proved = checkReadAnswer(fromTlogProof(text), { log, labels: asked, allowUnwitnessed });
    tell({
      size: proved.checkpoint.size,
      cosigners: proved.cosigners,
      note,
      labels: proved.labels,
    });
  } catch (error) {
    if (!(error instanceof TransparencyFault || error instanceof Fault)) throw error;
    // Of a file, not of a request.
    const why = error instanceof Fault ? 'The file is no proof of a directory.' : error.message;
    const allow =
      error.code === 'quorum_missing' && asksNobody(policy)
        ? ' The policy asks for no witness: --allow-unwitnessed accepts that.'
        : '';
    throw new Stated(`This proves nothing: ${why}${allow} (${error.code})`, { cause: error });
  }

  function tell(
    shown: Pick<ProvedAnswer, 'cosigners' | 'labels' | 'note'> & { size: number },
  ): void {
    const { size, cosigners, labels } = shown;
    const states = labels.map((label) =>
      label.present
        ? {
            present: true,
            version: label.version,
            entry: label.eventIndex,
            state: hex(label.state),
          }
        : { present: false },
    );
    if (json) {
      stdout.write(`${JSON.stringify({ size, cosigners, labels: states })}\n`);
      return;
    }
    const { good } = styleFor(stdout);
    const by = cosigners.length === 0 ? 'no witness' : cosigners.map((one) => one.name).join(', ');
    const about = states.map(({ present, version, entry }, i) => {
      const whose = labels[i]?.label[0] === 2 ? `The name ${name}` : 'The account';
      return present
        ? `\n${whose} is at version ${version}, entry ${entry}.`
        : `\n${whose} is not in the directory.`;
    });
    stdout.write(
      `${good('The proof holds:')} a log of ${size} entries, cosigned by ${by}.${about.join('')}\n`,
    );
  }
}

const asksNobody = (policy: string): boolean => parsePolicy(policy).quorum === undefined;

/** What was typed, where the protocol would speak of a request. */
function reading<T>(wanted: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new Stated(`That is not what belongs behind ${wanted}`, { cause: error });
  }
}

/** A name, and then the account that it leads to, as a directory answers them; or an account alone. */
function labelsOf({ name, account }: ProofFlags): AskedLabel[] {
  if (name !== undefined) return [nameLabel(name), accountOfName];
  return account === undefined ? [] : [accountLabel(accountId(account))];
}
