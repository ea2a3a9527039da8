/** The labels of an answer that was checked, each with how it was shown. docs/protocol/transparency.md §8.2 */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import type { Answer, ProvedAnswer, ProvedLabel } from '@island/protocol/transparency/answer.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { type ShownLabel, testimonyOf } from './convicting.ts';
import type { ProvedPerson } from './proving.ts';

export interface Label extends ShownLabel {
  proved: ProvedLabel;
}

export const labelsOf = ({ labels }: ProvedAnswer, answer: Answer): Label[] =>
  labels.flatMap((proved, i) => {
    const proof = answer.labels[i];
    return proof ? { answer, proof, label: proved.label, index: proved.index, proved } : [];
  });

export const accountOf = (name: ProvedLabel): AccountId =>
  accountId(hex(name.present ? name.state : new Uint8Array(0)));

export function personOf(
  { labels, checkpoint }: ProvedAnswer,
  shown: Label | undefined,
): ProvedPerson {
  const [named] = labels;
  const state = shown?.proved;
  const seen = shown && testimonyOf(shown);
  if (!named?.present || !state?.present || !seen || state.state.length === 0)
    throw new Fault('unknown_person');
  if (openDeviceList(state.state).epoch !== state.version) throw new Fault('malformed');
  const { size } = checkpoint;
  return { account: accountOf(named), list: state.state, state, size, shown, seen };
}
