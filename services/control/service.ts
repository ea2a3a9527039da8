/** Control: what operators ask for, over a unix socket. docs/operations.md §8 */
import { join } from 'node:path';
import { defineService } from '../kit/service.ts';
import { openStore } from '../kit/store.ts';
import { control } from './contract.ts';
import { openOperatorSocket } from './operator-socket.ts';
import * as schema from './schema.ts';

const migrations = join(import.meta.dirname, 'migrations');

export const controlService = defineService({
  contract: control,
  async start({ bus, data, log, settings }) {
    const { controlSocket } = settings;
    if (controlSocket === undefined) throw new Error('control needs the path of its socket');
    await using held = new AsyncDisposableStack();
    const file = join(data, 'control.sqlite');
    const store = held.use(await openStore({ file, schema, migrations, log }));
    const files = {
      setupToken: join(data, 'setup-token'),
      firstInvite: join(data, 'first-invite'),
    };
    held.use(await openOperatorSocket(controlSocket, { bus, store, log, files }));
    const stack = held.move();
    return { [Symbol.asyncDispose]: () => stack.disposeAsync() };
  },
});
