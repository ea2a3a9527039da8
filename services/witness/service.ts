/** Witness: this island signs for the logs of others that they only grew. docs/decisions/081-witnesses.md */
import { join } from 'node:path';
import { Fault } from '@island/protocol/wire/fault.ts';
import { defineService } from '../kit/service.ts';
import { openStore } from '../kit/store.ts';
import { openVault } from '../kit/vault.ts';
import { witness } from './contract.ts';
import { openKeys } from './keys.ts';
import { noHead, openRows } from './logs.ts';
import * as schema from './schema.ts';
import { openTrust } from './trust.ts';
import { openWitness } from './witness.ts';

const migrations = join(import.meta.dirname, 'migrations');

export const witnessService = defineService({
  contract: witness,
  async start({ bus, clock, data, keys, log }) {
    await using held = new AsyncDisposableStack();
    const file = join(data, 'witness.sqlite');
    const store = held.use(await openStore({ file, schema, migrations, log }));
    const vault = held.use(await openVault({ store, keys, log }));
    const rows = await openRows(vault);
    const known = await rows.all(store);
    const own = await openKeys(
      vault.secrets,
      known.every(({ head }) => head.signed === 0),
    );
    const logs = openWitness({ store, rows, clock, keys: own });
    const trusted = openTrust(store, rows);

    bus.handle(witness, 'addCheckpoint', ({ body }) => logs.add(body));
    bus.handle(witness, 'checkpoint', async ({ origin }) => {
      const { head } = (await rows.find(store, origin)) ?? { head: noHead };
      if (head.note === '') throw new Fault('not_found');
      return { note: head.note };
    });
    bus.handle(witness, 'keys', async () => ({ name: own.name, keys: own.keys }));
    bus.handle(witness, 'trust', ({ vkey }) => trusted.trust(vkey));
    bus.handle(witness, 'distrust', async ({ origin }) => {
      await trusted.distrust(origin);
      return {};
    });
    bus.handle(witness, 'logs', async () => ({
      logs: (await rows.all(store)).map(({ log: { origin, keys, trusted }, head }) => {
        return { origin, keys: [...keys], trusted, size: head.size, signed: head.signed };
      }),
    }));
    const stack = held.move();
    return { [Symbol.asyncDispose]: () => stack.disposeAsync() };
  },
});
