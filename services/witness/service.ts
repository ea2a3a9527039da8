/** Witness: this island signs for the logs of others that they only grew. docs/decisions/081-witnesses.md */
import { join } from 'node:path';
import { defineService } from '../kit/service.ts';
import { openStore } from '../kit/store.ts';
import { openVault } from '../kit/vault.ts';
import { witness } from './contract.ts';
import * as schema from './schema.ts';

const migrations = join(import.meta.dirname, 'migrations');

export const witnessService = defineService({
  contract: witness,
  async start({ data, keys, log }) {
    await using held = new AsyncDisposableStack();
    const file = join(data, 'witness.sqlite');
    const store = held.use(await openStore({ file, schema, migrations, log }));
    held.use(await openVault({ store, keys, log }));
    const stack = held.move();
    return { [Symbol.asyncDispose]: () => stack.disposeAsync() };
  },
});
