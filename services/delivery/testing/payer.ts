/** For tests: somebody who has tokens without asking for them, and everybody's delivery key. */
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { deriveIssuer } from '@island/protocol/crypto/token-issuer.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { encodeSend, orderOf, type Send, sendPrice } from '@island/protocol/wire/send.ts';
import { type Token, type TokenClass, tokenClasses } from '@island/protocol/wire/token.ts';
import type { Bus } from '../../kit/bus.ts';
import { type Clock, systemClock, unixDay } from '../../kit/clock.ts';
import type { CallRequest } from '../../kit/contract.ts';
import type { Kit } from '../../kit/service.ts';
import { openStore } from '../../kit/store.ts';
import { openVault } from '../../kit/vault.ts';
import { delivery } from '../contract.ts';
import * as schema from '../schema.ts';
import { openTokenSecrets } from '../secrets.ts';
import type { TestEnvelope } from './lists.ts';

export type PutRequest = CallRequest<typeof delivery, 'put'>;

export interface Payer {
  /** Good ones that nobody has spent. @param day today unless given */
  tokens(count: number, kind?: TokenClass, day?: number): Token[];
  /** The account's delivery key; it has none before it is asked for here. */
  keyOf(account: AccountId): Promise<Uint8Array>;
  /** A send of a contact, paid. */
  send(account: AccountId, envelopes: readonly TestEnvelope[], epoch?: number): Promise<Send>;
  /** The same as the gateway asks for it. */
  put(account: AccountId, envelopes: readonly TestEnvelope[], epoch?: number): Promise<PutRequest>;
  /** The same as it is posted. */
  body(account: AccountId, envelopes: readonly TestEnvelope[], epoch?: number): Promise<Uint8Array>;
}

/** Good tokens, made with the seed itself. */
export const forger =
  (seed: Uint8Array, clock: Clock): Payer['tokens'] =>
  (count, kind = tokenClasses.delivery, day = unixDay(clock)) => {
    const issuer = deriveIssuer(seed, kind, day);
    return Array.from({ length: count }, () => {
      const input = new Uint8Array(randomBytes(32));
      return { class: kind, day, input, output: issuer.redeem(input) };
    });
  };

/** What the gateway asks delivery for when a send comes. */
export function putOf(send: Send): PutRequest {
  const order = orderOf(encodeSend(send));
  const context = createHash('sha256').update(order).digest().subarray(0, 16);
  return { ...send, tokens: [...send.tokens], envelopes: [...send.envelopes], context };
}

async function seedIn(data: string, keys: Kit['keys'], log: Kit['log']) {
  const migrations = join(import.meta.dirname, '../migrations');
  const file = join(data, 'delivery.sqlite');
  await using store = await openStore({ file, schema, migrations, log });
  await using vault = await openVault({ store, keys, log });
  return await openTokenSecrets(vault.secrets);
}

/**
 * @param bus of the service `gateway`
 * @param kit of delivery, which has been started
 */
export async function testPayer(
  bus: Bus,
  { data, keys: given, log }: Pick<Kit, 'data' | 'keys' | 'log'>,
  clock: Clock = systemClock,
): Promise<Payer> {
  const { seed } = await seedIn(data, given, log);
  const keys = new Map<AccountId, Promise<Uint8Array>>();

  async function giveKey(account: AccountId): Promise<Uint8Array> {
    const key = new Uint8Array(randomBytes(16));
    const hash = createHash('sha256').update(key).digest();
    await bus.call(delivery, 'setKey', { account, epoch: 1, hash, cut: false });
    return key;
  }

  const payer: Payer = {
    tokens: forger(seed, clock),
    keyOf(account) {
      const key = keys.get(account) ?? giveKey(account);
      keys.set(account, key);
      return key;
    },
    async send(account, envelopes, epoch = 1) {
      const tokens = payer.tokens(sendPrice(envelopes.length, true));
      return { tokens, key: await payer.keyOf(account), account, epoch, envelopes };
    },
    put: async (account, envelopes, epoch) => putOf(await payer.send(account, envelopes, epoch)),
    body: async (account, envelopes, epoch) =>
      encodeSend(await payer.send(account, envelopes, epoch)),
  };
  return payer;
}
