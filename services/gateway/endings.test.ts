/** A5: sessions whose end the gateway did not hear of. Real NATS, killed where it matters. */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { freePorts } from '@island/provisioning/ports.ts';
import t from 'tap';
import { accounts, endingsPerAnswer } from '../accounts/contract.ts';
import { gatewayService } from './service.ts';
import { type Edge, testEdge } from './testing/edge.ts';
import { gatewayIsland } from './testing/island.ts';

const test = await gatewayIsland();
t.teardown(() => test[Symbol.asyncDispose]());
const { edge, island, lists, tokens } = test;

let count = 0;
/** A device with a session of its own, on line. */
async function online(at: Edge = edge) {
  const account = lists.person(1);
  const session = `session-to-end-${++count}`;
  const access = await tokens.sign(account, 1, { session });
  return { account, session, access, socket: await at.hello(access) };
}
const silently = (account: AccountId, session: string) => tokens.end(account, session, true);

t.test('A5: what ended while NATS was away is closed when it is back', async (t) => {
  const { account, session, socket, access } = await online();
  const other = await online();
  await island.nats.end();
  silently(account, session);
  await island.nats.start();
  t.equal(await socket.end(), 4401);
  t.strictSame(socket.faults(), ['session_revoked']);
  t.equal(other.socket.closed, undefined);
  using again = await edge.socket();
  again.send({ type: 'hello', access });
  t.equal(await again.end(), 4401);
  t.strictSame(again.faults(), ['session_revoked']);
  other.socket[Symbol.dispose]();
});

t.test(
  'A5: what accounts committed and could not tell is closed when it says that it is back',
  async (t) => {
    const { account, session, socket } = await online();
    silently(account, session);
    const { bus } = await island.kit('accounts');
    bus.publish(accounts, 'resumed', 'all', {});
    t.equal(await socket.end(), 4401);
  },
);

t.test('A5: more ends than fit into one answer hide none', async (t) => {
  const { account, session, socket } = await online();
  for (let i = 0; i < endingsPerAnswer; i++) silently(account, `before-${i}`);
  silently(account, session);
  const { bus } = await island.kit('accounts');
  bus.publish(accounts, 'resumed', 'all', {});
  t.equal(await socket.end(), 4401);
  tokens.ended.splice(0);
});

t.test('A5: a gateway that starts asks what ended before, until accounts answers', async (t) => {
  const { account, session, socket, access } = await online();
  silently(account, session);
  tokens.down = true;
  const [port = 0] = await freePorts(1);
  const kit = await island.kit('gateway');
  await using _second = await gatewayService.start({
    ...kit,
    settings: { ...kit.settings, gatewayPort: port },
  });
  await using identity = await island.pki.identity('edge');
  const second = testEdge(identity, port);
  const code = async () => {
    const headers = { Authorization: `Bearer ${access}` };
    return (await second.ask('/v1/sessions', { headers })).json().code;
  };
  t.equal(await code(), 'unavailable', 'nobody can know yet');
  tokens.down = false;
  while ((await code()) !== 'session_revoked');
  t.equal(socket.closed, undefined, 'the first one heard of nothing');

  const later = await online(second);
  tokens.down = true;
  silently(later.account, later.session);
  (await island.kit('accounts')).bus.publish(accounts, 'resumed', 'all', {});
  using other = await edge.socket();
  t.equal(later.socket.closed, undefined, 'it is asked again until there is an answer');
  tokens.down = false;
  t.equal(await later.socket.end(), 4401);
  t.equal(await socket.end(), 4401, 'the first one as well');
  t.equal(other.closed, undefined);
});
