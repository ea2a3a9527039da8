/** The operators' socket, with what accounts really answers about joining, and an organisation's provider; for tests. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { openOrganisation } from '../../accounts/admission/organisation.ts';
import { answerAdmission } from '../../accounts/admission-calls.ts';
import * as schema from '../../accounts/schema.ts';
import { type TestProvider, testProvider } from '../../accounts/testing/oidc-provider.ts';
import { systemClock } from '../../kit/clock.ts';
import { openStore } from '../../kit/store.ts';
import { type TestIsland, testIsland } from '../../kit/testing/kit.ts';
import { testSealing } from '../../kit/testing/vault.ts';
import { openOperatorSocket } from '../operator-socket.ts';

export interface TestDoor extends AsyncDisposable {
  island: TestIsland;
  provider: TestProvider;
  /** Where the provider sends browsers back to. */
  callback: string;
  /** Somebody who waits for the operator's word. */
  applicant(name: string): Promise<void>;
  /** Somebody who has joined. */
  member(name: string, account: AccountId): Promise<void>;
}

const never = (): never => {
  throw new Error('no test asks for this');
};

/** @param socketOf where the socket is to be, of the island's temporary folder */
export async function testDoor(socketOf: (dir: string) => string): Promise<TestDoor> {
  await using held = new AsyncDisposableStack();
  const island = held.use(await testIsland(['accounts', 'control']));
  const kit = await island.kit('accounts');
  const file = join(kit.data, 'accounts.sqlite');
  const migrations = join(import.meta.dirname, '../../accounts/migrations');
  const store = held.use(await openStore({ file, schema, migrations, log: island.log }));
  const { address } = island.settings;
  const callback = `${address}/v1/oidc/callback`;
  const provider = held.use(await testProvider(callback));
  answerAdmission(kit.bus, {
    store,
    clock: systemClock,
    organisation: openOrganisation(island.log),
    secrets: { subjects: randomBytes(32), sealing: testSealing() },
    address,
  });
  await kit.bus.settled();
  const { bus } = await island.kit('control');
  held.use(
    await openOperatorSocket(socketOf(island.pki.dir), {
      bus,
      log: island.log,
      secrets: { get: never, put: never, delete: never, seed: never, adopt: never },
      store: { read: undefined as never, rows: never, write: never, [Symbol.asyncDispose]: never },
    }),
  );
  async function add(name: string, account: string, state: 'waiting' | 'active'): Promise<void> {
    const codes = { codeSalt: Buffer.alloc(16), codeMemory: 1, codePasses: 1, codeLanes: 1 };
    const password = { verifier: 'x', passwordKey: Buffer.alloc(1) };
    const standing = { state, role: 'member', since: 1_800_000_000 } as const;
    const row = { account, name, ...standing, ...password, ...codes };
    await store.write((db) => db.insert(schema.people).values(row));
  }
  const stack = held.move();
  return {
    island,
    provider,
    callback,
    applicant: (name) => add(name, hex(randomBytes(16)), 'waiting'),
    member: (name, account) => add(name, account, 'active'),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
