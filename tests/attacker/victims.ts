/**
 * Two people who do everything that there is to do with an account, while every request of theirs is
 * recorded: alice with a second factor, bob without one and with a password that everybody would guess.
 */

import { askInvite } from '@island/appliance/operator.ts';
import { type Authenticator, openAuthenticator } from '@island/appliance/verify/authenticator.ts';
import { type Device, freshHome, openDevice, tokensOf } from '@island/appliance/verify/device.ts';
import { newPerson, type Person } from '@island/appliance/verify/people.ts';
import type { Sent } from '@island/appliance/verify/recording.ts';
import { refusal } from '@island/appliance/verify/storm.ts';
import { renewAfterCode, revokeDevice } from '@island/client/account/own-devices.ts';
import { giveByLink, joinByLink, offerLink } from '@island/client/joining/linking.ts';
import { recover } from '@island/client/joining/recovery.ts';
import { departures } from '@island/client/messages/departures.ts';
import { changePassword } from '@island/client/sign-in/password-change.ts';
import { beginTwoFactor, confirmTwoFactor } from '@island/client/sign-in/two-factor.ts';
import { parseIslandLink } from '@island/protocol/wire/island-link.ts';
import type { TestIsland } from '../island.ts';
import { type Posted, postOnServer } from './server.ts';

export const weakPassword = 'sunshine';

export interface Victims extends AsyncDisposable {
  alice: Person;
  bob: Person;
  /** Of alice's authenticator, base32. */
  secret: string;
  /** A device of alice that joined by a code. */
  recovered: Device;
  /** One that joined by a link, and was removed. */
  removed: Device;
  /** Alice's password of now. */
  password: string;
  /** Which alice has begun, with bob in it. */
  server: Posted;
  /** Everything that both have sent, in the order of each. */
  sent(): Sent[];
}

const patience = 30_000;

export async function victims({ data, welcome }: TestIsland): Promise<Victims> {
  await using held = new AsyncDisposableStack();
  const { address, caFingerprint } = welcome;
  const { invite } = await askInvite(data, 2, 600);
  const joins = { address, caFingerprint, invite };
  const alice = held.use(await newPerson({ ...joins, name: 'alice' }));
  const bob = held.use(await newPerson({ ...joins, name: 'bob', password: weakPassword }));
  await say(bob, 'alice', 'hello alice');
  await say(alice, 'bob', 'hello bob');
  const server = await postOnServer(alice, bob);

  const { secret } = await beginTwoFactor(alice.keeping, { island: 'test', name: 'alice' });
  const authenticator = openAuthenticator(secret);
  await confirmTwoFactor(alice.keeping, await authenticator.digits());
  const { refresh } = await alice.login({ second: { totp: await authenticator.digits() } });
  await alice.refresh((await alice.refresh(refresh)).refresh);
  // A typing mistake in the password: the code beside it was sent, and is still good.
  const [first = '', second = '', mistaken = ''] = alice.codes;
  await refusal(() => alice.login({ password: 'not it', second: { code: mistaken } }));
  await alice.login({ second: { code: first } });
  await renewAfterCode(alice.keeping);

  const password = 'another password of alice';
  const authority = { password: alice.password };
  await changePassword(alice.joining, alice.keeping, alice.transport, {
    authority,
    next: password,
  });
  const linked = held.use(await link(alice, password, authenticator));
  await revokeDevice(alice.keeping, linked.account.device);
  await say(alice, 'bob', 'nobody else reads this');

  const home = freshHome(alice.platform);
  await recover(home, alice.recoverLink, { credentials: { password }, code: second });
  const recovered = held.use(await openDevice(home, password));
  await recovered.refresh((await tokensOf(home.storage)).refresh);
  await bob.refresh((await bob.login()).refresh);

  const stack = held.move();
  return {
    ...{ alice, bob, recovered, removed: linked, secret, password, server },
    sent: () => [...alice.sent, ...bob.sent],
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function link(
  { keeping, platform }: Person,
  password: string,
  authenticator: Authenticator,
): Promise<Device> {
  const { link: text, offer } = await offerLink(keeping);
  const parsed = parseIslandLink(text);
  if (parsed.kind !== 'link') throw new TypeError('not the link of a device');
  const home = freshHome(platform);
  const credentials = { password };
  const second = { totp: await authenticator.digits() };
  const digits = Promise.withResolvers<string>();
  const shown = { credentials, second, askDigits: () => digits.promise };
  const yes = async (seen: string) => {
    digits.resolve(seen);
    return true;
  };
  await Promise.all([giveByLink(keeping, offer, yes), joinByLink(home, parsed, shown)]);
  return openDevice(home, password);
}

/** Sends, and waits until it is in the archive. */
export async function say(from: Device, to: string, text: string): Promise<void> {
  await using islander = await from.open();
  const keys = await islander.send(to, [text]);
  islander.startSending();
  const signal = AbortSignal.timeout(patience);
  for await (const { state } of departures(from.joining.storage, keys, signal))
    if (state !== 'accepted') throw new Error(`a message was not sent: ${state}`);
  await islander.archive.flush(signal);
}
