/** Accounts: names, passwords, second factors, sessions, and the record of people's keys. docs/protocol/accounts.md */
import { join as joinPath } from 'node:path';
import { fromBase64url } from '@island/protocol/wire/text.ts';
import { unixSeconds } from '../kit/clock.ts';
import { startRounds } from '../kit/rounds.ts';
import { defineService } from '../kit/service.ts';
import { openStore } from '../kit/store.ts';
import { openVault } from '../kit/vault.ts';
import { openOrganisation } from './admission/organisation.ts';
import { answerAdmission } from './admission-calls.ts';
import { accounts } from './contract.ts';
import { answerDevices } from './device-calls.ts';
import { watchLists } from './devices/device-changes.ts';
import { createLinks } from './devices/links.ts';
import { createStaging } from './devices/staging.ts';
import { goOnEnding } from './ending.ts';
import { answerPeople } from './people-calls.ts';
import { forget } from './retention.ts';
import * as schema from './schema.ts';
import { openSecrets } from './secrets.ts';
import { createSessions } from './sessions/sessions.ts';
import { openSigningKeys } from './sessions/signing-keys.ts';
import { createAttempts } from './sign-in/attempts.ts';
import { createNonces } from './sign-in/nonces.ts';
import { createPasswords } from './sign-in/passwords.ts';

const migrations = joinPath(import.meta.dirname, 'migrations');
/** Milliseconds between two rounds of retention and key rotation. */
const round = 600_000;

export const accountsService = defineService({
  contract: accounts,
  async start({ bus, cache, clock, data, keys: given, log, settings }) {
    if (cache === undefined) throw new Error('accounts needs its cache');
    await using held = new AsyncDisposableStack();
    const file = joinPath(data, 'accounts.sqlite');
    const store = held.use(await openStore({ file, schema, migrations, log }));
    const vault = held.use(await openVault({ store, keys: given, log }));
    const secrets = await openSecrets({ data, store, vault });
    const { sealing, invention } = secrets;

    const keys = await openSigningKeys(store, clock, sealing);
    const nonces = createNonces(secrets.nonces, clock);
    const base = { store, bus, clock, nonces, keys };
    const sessions = createSessions({ ...base, secret: secrets.refresh });
    const passwords = await createPasswords(
      secrets.pepper,
      sealing,
      fromBase64url(settings.caFingerprint),
    );
    const attempts = createAttempts(cache, clock, secrets.attempts);
    const staging = createStaging({ store, bus, clock, shares: sealing, sessions });
    const links = createLinks(clock);
    const organisation = openOrganisation(log);

    answerPeople(bus, { ...base, log, sessions, passwords, attempts, invention, sealing });
    answerDevices(bus, { ...base, sessions, staging, shares: sealing, links, attempts });
    answerAdmission(bus, { store, clock, organisation, secrets, address: settings.address });

    held.use(watchLists(bus, { staging }, log));
    const work = async () => {
      await Promise.all([keys.rotate(), staging.settleAll(), goOnEnding({ store, bus, log })]);
      await forget(store, bus, unixSeconds(clock));
    };
    held.use(startRounds(round, work, log));
    // Whoever listens may have missed the end of a session while this service or its bus was away.
    const resumed = () => bus.publish(accounts, 'resumed', 'all', {});
    held.defer(bus.onReconnect(resumed));
    const stack = held.move();
    return {
      ready: bus.settled().then(resumed),
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  },
});
