/**
 * Asking who others are and for their prekeys, without saying who asks: over connections that nobody is
 * signed in on, paid with tokens. docs/protocol/tokens.md §9
 *
 * What is asked about one person goes the way of what is sent to them, and of nothing else.
 */
import { Writer } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId, DeviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { Answer, RequestText, RouteName } from '@island/protocol/wire/routes.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { tokenClasses, writeToken } from '@island/protocol/wire/token.ts';
import type { Wallet } from '../payment/wallet.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';
import { askEnded } from '../transparency/ended.ts';
import type { ProvedPerson, Proving } from '../transparency/proving.ts';
import type { KnownVersion } from '../transparency/version-chain.ts';
import { callApart, type Transport } from '../transport/transport.ts';

export interface Lookups {
  /** As the log proves it. Throws what `Proving.person` throws, what `Wallet.take` throws and what a call throws. */
  person(name: string, signal?: AbortSignal): Promise<ProvedPerson>;
  /** The lists from what is known to what was proved; throws as `Proving.lists` does, and so on. */
  lists(
    name: string,
    known: KnownVersion,
    newest: ProvedPerson,
    signal?: AbortSignal,
  ): Promise<Uint8Array[]>;
  /** Whether the log shows the account as ended: as `askEnded`. It costs nothing. */
  ended(of: { name: string; account: AccountId }, signal?: AbortSignal): Promise<boolean>;
  /** Throws `unknown_person`, `unknown_device` besides. */
  bundles(
    account: AccountId,
    devices: readonly DeviceId[],
    signal?: AbortSignal,
  ): Promise<Answer<'bundles'>>;
}

/** How often tokens that the island refuses are replaced by others. */
const tries = 3;
const refused = new Set(['token_invalid', 'token_spent']);

export function openLookups({
  storage,
  wallet,
  transport,
  proving,
}: {
  storage: Storage;
  wallet: Wallet;
  transport: Transport;
  proving: Proving;
}): Lookups {
  /** A token is gone once it was shown, whatever the answer. */
  async function paid<N extends RouteName>(
    name: N,
    lane: string,
    price: number,
    request: (tokens: readonly [string, ...string[]]) => RequestText<N>,
    signal?: AbortSignal,
  ): Promise<Answer<N>> {
    for (let attempt = 1; ; attempt++) {
      const taken = await untilCommitted(() =>
        wallet.take(tokenClasses.delivery, price, () => ({}), signal),
      );
      const texts = taken.map((token) => base64url(writeToken(new Writer(128), token).done()));
      try {
        const asked = request(texts as [string, ...string[]]);
        return await callApart(transport, name, asked, { lane, ...(signal && { signal }) });
      } catch (error) {
        const again = error instanceof Fault && refused.has(error.code) && attempt < tries;
        if (!again) throw error;
      }
    }
  }

  return {
    person: (name, signal) =>
      proving.person(
        name,
        async () => {
          const asked = paid('lookUpProof', name, 1, ([token]) => ({ token, name }), signal);
          return (await asked).answer;
        },
        signal,
      ),
    lists: (name, known, newest, signal) =>
      proving.lists(name, known, newest, async (after) => {
        const request = ([token]: readonly [string, ...string[]]) => ({ token, name, after });
        return (await paid('lookUpHistory', name, 1, request, signal)).steps;
      }),
    ended: (of, signal) => askEnded({ storage, transport, proving }, of, signal),
    bundles: (account, devices, signal) =>
      paid(
        'bundles',
        account,
        devices.length * limits.bundlePrice,
        (tokens) => ({ tokens: [...tokens], account, devices: [...devices] }),
        signal,
      ),
  };
}
