/** What a promise was rejected with, for assertions on fault codes and details. */
import { Fault } from '@island/protocol/wire/fault.ts';

/** The code of the fault, `not a fault: …` for another error, `resolved` for none. */
export async function faultCode(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'resolved';
  } catch (error) {
    return error instanceof Fault ? error.code : `not a fault: ${String(error)}`;
  }
}

/** Resolves once `condition` holds; @throws after `milliseconds` */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  milliseconds = 15_000,
): Promise<void> {
  const until = performance.now() + milliseconds;
  while (!(await condition())) {
    if (performance.now() > until) throw new Error(`not so after ${milliseconds} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
