/** `island evidence verify FILE`. docs/operations.md §13 */
import { verifyEvidence } from '@island/protocol/transparency/conviction.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { Stated } from '@island/provisioning/stated.ts';
import { styleFor } from '../terminal.ts';
import type { Streams } from '../up-command.ts';
import type { EvidenceFlags } from './audit-commands.ts';
import { readGiven } from './pins.ts';

/** Throws `Stated` where it convicts nobody. */
export async function verifyFile(
  file: string,
  { vkey, policy, json }: EvidenceFlags,
  { stdout }: Streams,
): Promise<void> {
  const text = await readGiven(file, 'the evidence');
  const witnesses =
    policy === undefined ? {} : { policy: await readGiven(policy, 'the witness policy') };
  try {
    const conviction = verifyEvidence(text, { vkey, ...witnesses });
    const { convicts, who, statement } = conviction;
    const { bad } = styleFor(stdout);
    const line = `${bad(`This convicts the ${convicts} ${who}.`)} ${statement}\n`;
    stdout.write(json ? `${JSON.stringify(conviction)}\n` : line);
  } catch (error) {
    if (!(error instanceof TransparencyFault || error instanceof Fault)) throw error;
    throw new Stated(`This convicts nobody: ${whyNot(error)} (${error.code})`, { cause: error });
  }
}

function whyNot(error: TransparencyFault | Fault): string {
  if (error instanceof Fault) return 'The file is no .kt-evidence, or it is damaged.';
  return error.code === 'evidence_invalid'
    ? 'What it shows is no contradiction of this log or of these witnesses, or a proof in it does not hold.'
    : error.message;
}
