/** What this home was shown excludes what it was shown before. docs/protocol/transparency.md §8.4 */
import {
  TransparencyFault,
  type TransparencyFaultCode,
} from '@island/protocol/transparency/transparency-fault.ts';
import type { Court } from './convicting.ts';

export class Contradiction extends Error {
  override name = 'Contradiction';
  readonly fault: TransparencyFault;
  /** What convinces others, if anything does. */
  readonly evidence: (court: Court) => Promise<string | undefined>;

  constructor(
    code: TransparencyFaultCode,
    evidence: Contradiction['evidence'] = async () => undefined,
  ) {
    const fault = new TransparencyFault(code);
    super(fault.message);
    this.fault = fault;
    this.evidence = evidence;
  }
}
