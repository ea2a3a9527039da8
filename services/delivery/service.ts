/** Delivery: a mailbox for every device, of envelopes that only it can open. docs/protocol/dm.md §7 */
import { join } from 'node:path';
import { Reader } from '@island/protocol/wire/bytes.ts';
import { readToken } from '@island/protocol/wire/token.ts';
import { unixDay } from '../kit/clock.ts';
import { startRounds } from '../kit/rounds.ts';
import { defineService } from '../kit/service.ts';
import { openStore } from '../kit/store.ts';
import { openVault } from '../kit/vault.ts';
import { openBodies, sealFormer } from './bodies.ts';
import { delivery } from './contract.ts';
import { setDeliveryKey } from './delivery-keys.ts';
import { endAccount } from './ended-accounts.ts';
import { openMailboxes } from './mailbox.ts';
import { takePayment } from './payment.ts';
import { openRecipients } from './recipients.ts';
import { closeAllRemoved, watchRemoved } from './removed-devices.ts';
import { expire } from './retention.ts';
import * as schema from './schema.ts';
import { openTokenSecrets } from './secrets.ts';
import { issue } from './tokens/issue.ts';
import { openRedemption } from './tokens/redeem.ts';
import { openTokenKeys } from './tokens/token-keys.ts';

const migrations = join(import.meta.dirname, 'migrations');
/** Milliseconds between two rounds of retention. */
const round = 3_600_000;

export const deliveryService = defineService({
  contract: delivery,
  async start({ bus, clock, data, keys: given, log }) {
    await using held = new AsyncDisposableStack();
    const file = join(data, 'delivery.sqlite');
    const store = held.use(await openStore({ file, schema, migrations, log }));
    const recipients = held.use(openRecipients({ bus, clock }));
    const vault = held.use(await openVault({ store, keys: given, log }));
    const bodies = openBodies(vault, log);
    const former = await sealFormer(store, vault, bodies);
    if (former > 0) log.info('envelopes_sealed', { count: former });
    const mailboxes = openMailboxes({ store, bodies, bus, recipients, clock });
    const secrets = await openTokenSecrets(vault.secrets);
    const keys = held.use(openTokenKeys({ seed: secrets.seed, clock, log }));
    const redemption = openRedemption(store, keys);

    const removed = { store, recipients, mailboxes };
    held.use(watchRemoved(bus, removed, log));

    const forget = async () => {
      const closed = await closeAllRemoved(removed);
      if (closed > 0) log.info('mailboxes_closed', { count: closed });
      const count = await expire(store, mailboxes, unixDay(clock));
      if (count > 0) log.info('mail_expired', { count });
    };
    held.use(startRounds(round, forget, log));

    bus.handle(delivery, 'put', async ({ tokens, key, context, ...put }) => {
      const { length } = put.envelopes;
      const paid = await takePayment(redemption, { tokens, key, context, envelopes: length });
      if (paid !== undefined) await mailboxes.put(put, paid);
      return {};
    });
    bus.handle(delivery, 'place', async (put) => {
      await mailboxes.put(put);
      return {};
    });
    bus.handle(delivery, 'since', ({ account, device, after, count }) =>
      mailboxes.since(account, device, after, count),
    );
    bus.handle(delivery, 'ack', async ({ account, device, seq }) => {
      await mailboxes.ack(account, device, seq);
      return {};
    });

    bus.handle(delivery, 'spend', async ({ tokens, class: kind, context }) => {
      const read = tokens.map((bytes) => readToken(new Reader(bytes)));
      const spendable = await redemption.check(read, kind, context);
      if (spendable !== undefined) await mailboxes.spend(spendable, context);
      return {};
    });
    bus.handle(delivery, 'tokenKeys', async () => ({ keys: keys.published() }));
    bus.handle(delivery, 'issueTokens', (request) =>
      issue({ store, keys, clock, secret: secrets.holders }, request),
    );
    bus.handle(delivery, 'end', async ({ account }) => {
      await endAccount({ ...removed, secret: secrets.holders }, account);
      return {};
    });
    bus.handle(delivery, 'setKey', async (next) => {
      await setDeliveryKey(store, next, unixDay(clock));
      return {};
    });

    // Events that were to tell of commits before this moment may never have been sent.
    const resumed = () => bus.publish(delivery, 'resumed', 'all', {});
    held.defer(bus.onReconnect(resumed));
    resumed();
    const stack = held.move();
    return { [Symbol.asyncDispose]: () => stack.disposeAsync() };
  },
});
