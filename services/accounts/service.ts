/** Accounts: names, passwords, invites, sessions. docs/protocol/accounts.md */
import { join } from 'node:path';
import { unixSeconds } from '../kit/clock.ts';
import { startRounds } from '../kit/rounds.ts';
import { defineService } from '../kit/service.ts';
import { openStore } from '../kit/store.ts';
import { createAttempts } from './attempts.ts';
import { accounts } from './contract.ts';
import { createInvite, inviteHash, isInviteGood } from './invites.ts';
import { createPasswords } from './passwords.ts';
import { countPeople } from './people.ts';
import { register } from './registration.ts';
import { forget } from './retention.ts';
import * as schema from './schema.ts';
import { openSecrets } from './secrets.ts';
import { createSessions } from './sessions.ts';
import { login, prelogin } from './sign-in.ts';
import { openSigningKeys } from './signing-keys.ts';

const migrations = join(import.meta.dirname, 'migrations');
/** Milliseconds between two rounds of retention and key rotation. */
const round = 600_000;

export const accountsService = defineService({
  contract: accounts,
  async start({ bus, cache, clock, data, log }) {
    if (cache === undefined) throw new Error('accounts needs its cache');
    await using held = new AsyncDisposableStack();
    const file = join(data, 'accounts.sqlite');
    const store = held.use(await openStore({ file, schema, migrations, log }));
    const { pepper, invention, refresh, attempts: counters } = await openSecrets(data, store);
    const keys = await openSigningKeys(store, clock);
    const sessions = createSessions({ store, bus, clock, keys, secret: refresh });
    const passwords = await createPasswords(pepper);
    const attempts = createAttempts(cache, clock, counters);
    const now = () => unixSeconds(clock);
    const registration = { store, bus, clock, passwords, sessions };
    const signIn = { store, bus, passwords, attempts, sessions, invention };

    bus.handle(accounts, 'register', (request) => register(registration, request));
    bus.handle(accounts, 'prelogin', ({ name }) => prelogin(signIn, name));
    bus.handle(accounts, 'login', (request) => login(signIn, request));
    bus.handle(accounts, 'refresh', ({ refresh, attempt }) => sessions.refresh(refresh, attempt));
    bus.handle(accounts, 'logout', async ({ account, session }) => {
      await sessions.end(account, session);
      return {};
    });
    bus.handle(accounts, 'keys', async () => ({ keys: await keys.published() }));
    bus.handle(accounts, 'invite', async ({ uses, seconds }) => {
      const expires = now() + seconds;
      return { invite: await store.write((db) => createInvite(db, { uses, expires })), expires };
    });
    bus.handle(accounts, 'standing', async ({ invite }) => ({
      people: await countPeople(store.read),
      inviteGood:
        invite !== undefined && (await isInviteGood(store.read, inviteHash(invite), now())),
    }));

    held.use(
      startRounds(round, () => Promise.all([keys.rotate(), forget(store, bus, now())]), log),
    );
    const stack = held.move();
    return { [Symbol.asyncDispose]: () => stack.disposeAsync() };
  },
});
