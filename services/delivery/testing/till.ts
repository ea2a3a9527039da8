/** For tests: mailboxes of their own with their tokens and keys, under a clock that the test turns. The directory is on the bus. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Send } from '@island/protocol/wire/send.ts';
import type { Kit } from '../../kit/service.ts';
import { openStore } from '../../kit/store.ts';
import { openVault } from '../../kit/vault.ts';
import { openBodies } from '../bodies.ts';
import { openMailboxes } from '../mailbox.ts';
import { takePayment } from '../payment.ts';
import { openRecipients } from '../recipients.ts';
import * as schema from '../schema.ts';
import { openTokenSecrets } from '../secrets.ts';
import { openRedemption } from '../tokens/redeem.ts';
import { openTokenKeys } from '../tokens/token-keys.ts';
import { putOf } from './payer.ts';

const migrations = join(import.meta.dirname, '../migrations');

export async function testTill({ bus, log, keys: given }: Kit) {
  await using held = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'delivery-'));
  held.defer(() => rm(dir, { recursive: true, force: true }));
  const clock = { at: Date.now(), now: () => clock.at };
  const store = held.use(
    await openStore({ file: join(dir, 'delivery.sqlite'), schema, migrations, log }),
  );
  const recipients = held.use(openRecipients({ bus, clock }));
  const vault = held.use(await openVault({ store, keys: given, log }));
  const bodies = openBodies(vault, log);
  const mailboxes = openMailboxes({ store, bodies, bus, recipients, clock });
  const secrets = await openTokenSecrets(vault.secrets);
  const keys = held.use(openTokenKeys({ seed: secrets.seed, clock, log }));
  const redemption = openRedemption(store, keys);
  const stack = held.move();
  return {
    clock,
    dir,
    store,
    keys,
    mailboxes,
    redemption,
    secrets,
    /** What the service does with a send. */
    async put(send: Send): Promise<void> {
      const { tokens, key, context, ...put } = putOf(send);
      const { length } = put.envelopes;
      const offer = { tokens, key, context, envelopes: length };
      const paid = await takePayment(redemption, offer);
      if (paid !== undefined) await mailboxes.put(put, paid);
    },
    spent: () => store.rows<{ day: number; token: Buffer; context: Buffer }>('SELECT * FROM spent'),
    /** Every byte that is on the disk. */
    async bytes(): Promise<Buffer> {
      const names = (await readdir(dir)).filter((name) => name.includes('sqlite'));
      return Buffer.concat(await Promise.all(names.map((name) => readFile(join(dir, name)))));
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

export type TestTill = Awaited<ReturnType<typeof testTill>>;
