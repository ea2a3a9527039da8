/**
 * Signing in with the organisation. docs/protocol/accounts.md §9
 *
 * The person signs in in a browser; the page at its end shows six digits, which they type here. So who
 * makes somebody else sign in by an address of theirs gets nothing by it.
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { pause } from '../backoff.ts';
import { insist } from '../insist.ts';
import { Problem } from '../problem.ts';
import { call, type Transport } from '../transport/transport.ts';

export interface Organisation {
  /** An address for the person's browser. */
  show(url: string): void;
  /** The six digits at its end; asked for once more when they were `wrong`. May throw when the person gives up. */
  digits(wrong: boolean): Promise<string>;
}

export interface OrganisationGrant {
  /** 32 bytes, good once, for ten minutes: credentials to register, sign in or join with. */
  grant: Uint8Array;
  /** What the organisation calls the person, where that is a name here: a suggestion. */
  name?: string;
}

/** Milliseconds between two looks whether the browser is done, unless given. */
const look = 2_000;

/**
 * Throws `oidc_refused` when the organisation said no, the person took too long or typed wrong digits
 * too often; `oidc_unavailable` when there is no such sign-in or it can't be reached; the signal's reason
 * when it is aborted.
 */
export async function signInWithOrganisation(
  parts: { transport: Transport; signal?: AbortSignal | undefined; every?: number },
  person: Organisation,
): Promise<OrganisationGrant> {
  const { transport, signal, every = look } = parts;
  const options = signal ? { signal } : {};
  const begun = await insist(() => call(transport, 'oidcBegin', {}, options), { signal });
  const flow = base64url(begun.flow);
  const poll = (digits?: string) =>
    insist(() => call(transport, 'oidcPoll', { flow, ...(digits && { digits }) }, options), {
      signal,
    });
  person.show(pageOf(begun.url, transport));
  while (!(await answered(poll(), 'oidc_waiting'))) {
    await pause(every, signal);
    signal?.throwIfAborted();
  }
  for (let wrong = false; ; wrong = true) {
    signal?.throwIfAborted();
    const digits = (await person.digits(wrong)).replace(/[\s-]/g, '');
    const found = /^[0-9]{6}$/.test(digits) && (await answered(poll(digits), 'wrong_digits'));
    if (!found) continue;
    if (!found.grant) throw new Problem('not_an_island', { address: transport.address });
    return { grant: found.grant, ...(found.name !== undefined && { name: found.name }) };
  }
}

/** Undefined for the fault by which an island says: not yet. */
async function answered<T>(asked: Promise<T>, notYet: Fault['code']): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Fault && error.code === notYet) return undefined;
    throw error;
  }
}

/** What is shown is for a browser: a web page, and in the clear only on this machine. */
function pageOf(text: string, { address }: Transport): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const here = /^(?:localhost|127\.[0-9.]+|\[::1\])$/.test(url?.hostname ?? '');
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && here)) return url.href;
  throw new Problem('not_an_island', { address });
}
