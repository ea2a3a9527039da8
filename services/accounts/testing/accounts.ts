/** Accounts and a directory at work, each with a bus of its own, for tests. Their clock stands still until put ahead. */
import type { DeviceKeys } from '@island/protocol/crypto/device.ts';
import { fromBase64url } from '@island/protocol/wire/text.ts';
import { decodeJwt } from 'jose';
import { Secret, TOTP } from 'otpauth';
import { directory } from '../../directory/contract.ts';
import { directoryService } from '../../directory/service.ts';
import type { Bus } from '../../kit/bus.ts';
import type { CallAnswer } from '../../kit/contract.ts';
import { runService, type ServiceDefinition } from '../../kit/service.ts';
import { type TestIsland, testIsland } from '../../kit/testing/kit.ts';
import { accessToken, accounts } from '../contract.ts';
import { accountsService } from '../service.ts';
import type { Asker } from '../sessions/session-ends.ts';
import type { Tokens } from '../sessions/sessions.ts';
import {
  type Applicant,
  applicant,
  joiningRequest,
  loginRequest,
  type RegisterRequest,
  random,
  refreshRequest,
  registration,
  type SignInChange,
} from './applicant.ts';

type LoginAnswer = CallAnswer<typeof accounts, 'login'>;
type JoiningAnswer = CallAnswer<typeof accounts, 'beginJoining'>;

export interface TestAccounts extends AsyncDisposable {
  island: TestIsland;
  gateway: Bus;
  control: Bus;
  clock: { ahead: number; now(): number };
  start(service: ServiceDefinition): Promise<AsyncDisposable>;
  invite(uses?: number, seconds?: number): Promise<string>;
  nonce(): Promise<Uint8Array>;
  /** A registration, complete, with a fresh nonce; the directory must be at work. */
  application(applicant: Applicant, invite?: string, grant?: Uint8Array): Promise<RegisterRequest>;
  /** Registers with an invite of their own. */
  joined(name: string): Promise<Applicant>;
  /** Each has a fresh nonce unless one is given. */
  login(person: Applicant, change?: SignInChange): Promise<LoginAnswer>;
  beginJoining(person: Applicant, change?: SignInChange): Promise<JoiningAnswer>;
  refresh(
    keys: DeviceKeys,
    refresh: string,
    change?: { attempt?: Uint8Array | undefined; nonce?: Uint8Array },
  ): Promise<Tokens>;
  /** Turns six-digit sign-in on. Answers what makes the digits. */
  withTotp(asker: Asker): Promise<Authenticator>;
}

/** A person's authenticator, by the clock of the island. */
export interface Authenticator {
  /** `steps` from the present one. */
  digits(steps?: number): string;
}

const somewhere = random(16);

/** Who asks with an access token, as the gateway would say. */
export function askerOf({ access }: { access: string }): Asker {
  const { sub, dev, sid, aud } = decodeJwt(access);
  if (aud !== accessToken.audience) throw new TypeError('no access token');
  return { account: sub, device: dev, session: sid } as Asker;
}

export function authenticator(secret: string, clock: { now(): number }): Authenticator {
  const totp = new TOTP({ secret: Secret.fromBase32(secret), algorithm: 'SHA1', digits: 6 });
  return {
    digits: (steps = 0) => totp.generate({ timestamp: clock.now() + steps * 30_000 }),
  };
}

/** @param started the services that run from the beginning; accounts and the directory unless given */
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
    (await control.call(accounts, 'invite', { uses, seconds, role: 'member' })).invite;
  const nonce = async () => (await gateway.call(accounts, 'nonce', {})).nonce;
  const application: TestAccounts['application'] = async (person, code, grant) => {
    person.island = fromBase64url(island.settings.caFingerprint);
    const { challenge } = await gateway.call(directory, 'challenge', {});
    const at = {
      challenge,
      nonce: await nonce(),
      ...(code === undefined ? {} : { invite: code }),
      ...(grant === undefined ? {} : { grant }),
    };
    return { ...registration(person, at), origin: random(16) };
  };
  const at = async (change: SignInChange) => ({
    ...change,
    nonce: change.nonce ?? (await nonce()),
    origin: change.origin ?? somewhere,
  });

  const stack = held.move();
  owner = stack;
  return {
    island,
    gateway,
    control,
    clock,
    start,
    invite,
    nonce,
    application,
    async joined(name) {
      const person = applicant(name);
      await gateway.call(accounts, 'register', await application(person, await invite()));
      return person;
    },
    login: async (person, change = {}) =>
      gateway.call(accounts, 'login', loginRequest(person, await at(change))),
    beginJoining: async (person, change = {}) =>
      gateway.call(accounts, 'beginJoining', joiningRequest(person, await at(change))),
    async refresh(keys, token, { attempt, nonce: given } = {}) {
      const request = refreshRequest(keys, token, { attempt, nonce: given ?? (await nonce()) });
      return gateway.call(accounts, 'refresh', request);
    },
    async withTotp(asker) {
      const { secret } = await gateway.call(accounts, 'totpBegin', asker);
      const made = authenticator(secret, clock);
      const totp = made.digits();
      await gateway.call(accounts, 'totpConfirm', { ...asker, totp, origin: random(16) });
      return made;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
