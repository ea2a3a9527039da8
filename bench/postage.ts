/**
 * What sends are paid with: delivery tokens, fetched in whole batches by people who may have so many a day,
 * and the delivery keys of the recipients. Who got a token does not matter to who spends it.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Session } from '@island/client/sign-in/session.ts';
import { callApart, type Transport } from '@island/client/transport/transport.ts';
import { blindTokens, finishTokens } from '@island/protocol/crypto/delivery-token.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { type Token, tokenClasses } from '@island/protocol/wire/token.ts';

export interface Postage {
  /** Makes sure that there are so many tokens. */
  fetch(count: number): Promise<void>;
  /** One that was not spent; throws when there is none. */
  take(): Token;
}

const batchesADay = limits.deliveryTokensPerDay / limits.tokensPerBatch;

export async function openPostage(
  transport: Transport,
  sessions: readonly Session[],
): Promise<Postage> {
  const { keys } = await callApart(transport, 'tokenKeys', {});
  const present = keys.find((key) => key.class === tokenClasses.delivery);
  if (!present) throw new Error('the island has no key for delivery tokens');
  const { class: kind, day, public: key } = present;
  const tokens: Token[] = [];
  let batches = 0;

  async function batch(): Promise<void> {
    const session = sessions[Math.floor(batches++ / batchesADay)];
    if (!session) throw new Error('everybody has had all tokens of the day');
    const { request, secrets } = blindTokens(kind, day, limits.tokensPerBatch);
    const asked = { class: kind, day, blinded: base64url(request) };
    tokens.push(...finishTokens(secrets, await session.call('issueTokens', asked), key));
  }

  return {
    async fetch(count) {
      // The client's half keeps one core busy, the island's the other.
      while (tokens.length < count) await Promise.all([batch(), batch()]);
    },
    take() {
      const token = tokens.pop();
      if (!token) throw new Error('more was sent than there are tokens');
      return token;
    },
  };
}

/** Registers a delivery key: senders who have it are let in at the price of a contact. */
export async function registerDeliveryKey(session: Session): Promise<Uint8Array> {
  const key = randomBytes(16);
  const hash = base64url(createHash('sha256').update(key).digest());
  await session.call('deliveryKey', { epoch: 1, hash, cut: false });
  return key;
}
