/** Accounts and a directory at work, each with a bus of its own, for tests. Their clock stands still until put ahead. */
import { randomBytes } from 'node:crypto';
import { kdfFloor } from '@island/protocol/crypto/password.ts';
import { directory } from '../../directory/contract.ts';
import { directoryService } from '../../directory/service.ts';
import { type Newcomer, newcomer } from '../../directory/testing/newcomer.ts';
import type { Bus } from '../../kit/bus.ts';
import { runService, type ServiceDefinition } from '../../kit/service.ts';
import { type TestIsland, testIsland } from '../../kit/testing/kit.ts';
import { accounts } from '../contract.ts';
import type { RegisterRequest } from '../registration.ts';
import { accountsService } from '../service.ts';

/** A newcomer with a password. */
export interface Applicant extends Newcomer {
  auth: Uint8Array<ArrayBuffer>;
  salt: Uint8Array<ArrayBuffer>;
}

export interface TestAccounts extends AsyncDisposable {
  island: TestIsland;
  gateway: Bus;
  control: Bus;
  clock: { ahead: number; now(): number };
  start(service: ServiceDefinition): Promise<AsyncDisposable>;
  invite(uses?: number, seconds?: number): Promise<string>;
  /** A registration, complete; the directory must be at work. */
  application(applicant: Applicant, invite: string): Promise<RegisterRequest>;
  /** Registers with an invite of their own. */
  joined(name: string): Promise<Applicant>;
  login(person: Applicant, change?: object): ReturnType<typeof signIn>;
}

export const random = (length: number) => new Uint8Array(randomBytes(length));

export const applicant = (name: string): Applicant => ({
  ...newcomer(name, { oneTime: 1 }),
  auth: random(32),
  salt: random(16),
});

const somewhere = random(16);

const signIn = (gateway: Bus, { name, auth, keys }: Applicant, change: object) =>
  gateway.call(accounts, 'login', {
    name,
    auth,
    device: keys.device,
    origin: somewhere,
    ...change,
  });

/** @param started the services that run from the beginning; both unless given */
export async function testAccounts(
  started: readonly ServiceDefinition[] = [directoryService, accountsService],
): Promise<TestAccounts> {
  const begun = Date.now();
  const clock = { ahead: 0, now: () => begun + clock.ahead };
  await using held = new AsyncDisposableStack();
  const island = held.use(await testIsland(['gateway', 'control']));
  let owner = held;
  const start = async (service: ServiceDefinition) => {
    const config = island.config('core', [service.contract.service]);
    return owner.use(await runService(service, config, { log: island.log, clock }));
  };
  for (const service of started) await start(service);
  const gateway = (await island.kit('gateway')).bus;
  const control = (await island.kit('control')).bus;
  const invite = async (uses = 1, seconds = 3600) =>
    (await control.call(accounts, 'invite', { uses, seconds })).invite;
  const application = async (person: Applicant, code: string) => {
    const { challenge } = await gateway.call(directory, 'challenge', {});
    return register(person, code, challenge);
  };
  const stack = held.move();
  owner = stack;
  return {
    island,
    gateway,
    control,
    clock,
    start,
    invite,
    application,
    async joined(name) {
      const person = applicant(name);
      await gateway.call(accounts, 'register', await application(person, await invite()));
      return person;
    },
    login: (person, change = {}) => signIn(gateway, person, change),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** @param challenge an X25519 key; the directory accepts its own only */
export const register = (
  person: Applicant,
  invite: string,
  challenge: Uint8Array,
): RegisterRequest => ({
  ...person.enrol(challenge),
  invite,
  salt: person.salt,
  kdf: { ...kdfFloor },
  auth: person.auth,
});
