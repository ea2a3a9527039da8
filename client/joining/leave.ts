/**
 * The island's leave to join: for somebody who has shown who they are and has no device yet.
 * docs/protocol/accounts.md §3, devices.md §6
 */
import { equal } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { readAccount } from '../account/account.ts';
import type { Ask } from '../account/shown-account.ts';
import { insist } from '../insist.ts';
import { Problem } from '../problem.ts';
import { type Credentials, type Second, showCredentials } from '../sign-in/credentials.ts';
import { withNonce } from '../sign-in/nonces.ts';
import { isSignedOut } from '../sign-in/session.ts';
import { call, type Transport } from '../transport/transport.ts';
import { discover, type Joining, pinIsland } from './joining-parts.ts';
import {
  forgetJoining,
  type JoiningRow,
  joiningPlace,
  joiningRow,
  readJoining,
} from './joining-row.ts';

/** The island and the person of a link. */
export interface Destination {
  address: string;
  caFingerprint: Uint8Array;
  name: string;
}

export interface Shown {
  credentials: Credentials;
  second?: Second | undefined;
}

export interface Leave extends AsyncDisposable {
  joining: Joining;
  transport: Transport;
  /** As it is in the storage. */
  row: JoiningRow;
  account: AccountId;
  token: string;
}

/** Milliseconds before its end at which a leave is no longer begun with. */
const margin = 60_000;

/** With the token of the leave. */
export const ask =
  ({ transport, token }: Pick<Leave, 'transport' | 'token'>): Ask =>
  (name, request, options = {}) =>
    call(transport, name, request, { ...options, token });

/** What is done with a leave. Throws `joining_lapsed` when the island holds it for over; the next try asks for another. */
export async function withLeave<T>(leave: Leave, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!isSignedOut(cause)) throw cause;
    const { leave: _lapsed, ...rest } = leave.row;
    await leave.joining.storage.commit({ put: [joiningRow(rest)] });
    throw new Problem('joining_lapsed', {}, { cause });
  }
}

/**
 * Asks for leave, or goes on with the leave that this home has; what was obtained with an earlier one
 * stays, if it was for the same person in the same way, and is forgotten else. `second` may be a backup code: it is then used up, and gives its share to this joining. Throws
 * `registered_already`, `kdf_downgrade`, `code_perhaps_used`, and the island's faults
 * (`wrong_credentials`, `second_factor_needed`, `wrong_code`, …).
 */
export async function askLeave(
  joining: Joining,
  to: Destination,
  way: JoiningRow['way'],
  shown: Shown,
): Promise<Leave> {
  const { storage, platform, now } = joining;
  const before = await readJoining(storage);
  const registered = await readAccount(storage);
  if (registered && (registered.state === 'registered' || !before))
    throw new Problem('registered_already', { name: registered.name, home: storage.place });
  const pinned = await pinIsland(joining, to);
  await using held = new AsyncDisposableStack();
  const transport = held.use(platform.transport(pinned));
  await discover(transport, to.caFingerprint);
  const same = before?.name === to.name && before.root === pinned.root && before.way === way;
  // Keys that were obtained in another way are not those of this one: they may be in other hands, too.
  if (before && !same) await forgetJoining(storage);
  const known: JoiningRow = same ? before : { ...pinned, name: to.name, way };
  const { leave } = known;
  const open = leave && leave.until - margin > now();
  const row = open ? known : await begin(joining, transport, known, shown);
  if (!row.leave) throw new Fault('internal');
  const { account, token } = row.leave;
  const stack = held.move();
  return {
    ...{ joining, transport, row, account, token },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function begin(
  joining: Joining,
  transport: Transport,
  known: JoiningRow,
  { credentials, second }: Shown,
): Promise<JoiningRow> {
  const { storage, now, signal, report } = joining;
  const { name, root } = known;
  const showing = await showCredentials(joining, transport, { name, root }, credentials, second);
  const { code, password } = showing;
  // What an earlier code has brought needs no other; what it has not brought is lost with its leave.
  // A record that was made before still has the slot of a code that is used now.
  const { leave: _lapsed, made, ...rest } = known;
  const asking: JoiningRow = {
    ...rest,
    ...(!known.secrets && code && { code }),
    ...(made && !code && { made }),
    ...(password && { password }),
  };
  let sent = known.code && code ? equal(known.code.loc, code.loc) : false;
  await storage.commit({ put: [joiningRow(asking)] });
  report?.('registering');
  try {
    const answer = await insist(
      () =>
        withNonce(
          transport,
          (nonce) =>
            call(transport, 'beginJoining', {
              name,
              ...showing.at(nonce),
              nonce: base64url(nonce),
            }),
          signal,
        ),
      {
        signal,
        onWaiting: () => {
          sent = true;
          report?.('waiting');
        },
      },
    );
    const until = now() + limits.joiningSeconds * 1000;
    const leave = { account: answer.account, token: answer.joining, until };
    const spent = [...(asking.spent ?? []), ...(code ? [code.loc] : [])];
    const row = { ...asking, spent, leave };
    await storage.commit({ put: [joiningRow(row)] });
    return row;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (error.code === 'wrong_code' && sent) {
      throw new Problem('code_perhaps_used', {}, { cause: error });
    }
    // Refused: as if it had not been tried.
    const back =
      known.code || known.secrets ? { put: [joiningRow(known)] } : { remove: [joiningPlace] };
    if (error.code !== 'unavailable' && error.code !== 'internal') await storage.commit(back);
    throw error;
  }
}
