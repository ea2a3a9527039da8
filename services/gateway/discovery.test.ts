/** What an island says of itself, and where it has it from. */
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { routes } from '@island/protocol/wire/routes.ts';
import { decode } from '@island/protocol/wire/schema.ts';
import t from 'tap';
import { accounts } from '../accounts/contract.ts';
import { testLogPins } from '../delivery/testing/lists.ts';
import { directory } from '../directory/contract.ts';
import { retentionDays } from '../kit/retention.ts';
import { testIsland } from '../kit/testing/kit.ts';
import { faultCode } from '../kit/testing/outcome.ts';
import { openDiscovery } from './discovery.ts';

const island = await testIsland(['gateway', 'accounts', 'directory']);
t.teardown(() => island[Symbol.asyncDispose]());
const { bus, settings } = await island.kit('gateway');
const kit = await island.kit('accounts');
let asked = 0;
let policy: { registration: 'invite' | 'approval' | 'open'; oidc?: string } | undefined;
kit.bus.handle(accounts, 'policy', async () => {
  asked += 1;
  if (policy === undefined) throw new Fault('unavailable');
  return policy;
});
await kit.bus.settled();
const keys = await island.kit('directory');
const root = new Uint8Array(32).fill(7);
let asking = 0;
keys.bus.handle(directory, 'senderRoot', async () => {
  asking += 1;
  return { root };
});
keys.bus.handle(directory, 'log', async () => ({ ...testLogPins, policyNumber: asking + 4 }));
await keys.bus.settled();

t.test(
  'who may join is asked of accounts, once for many, and stands for some seconds',
  async (t) => {
    let at = 0;
    const discovery = openDiscovery(bus, settings, () => at);
    t.equal(await faultCode(discovery()), 'unavailable', 'accounts has not said anything yet');
    policy = { registration: 'approval', oidc: 'Example' };
    asked = 0;
    const [first] = await Promise.all([discovery(), discovery(), discovery()]);
    t.equal(asked, 1);
    const document = decode(routes.discovery.answer, first);
    t.match(document, {
      name: 'Test Island',
      versions: [1],
      registration: 'approval',
      oidc: 'Example',
    });
    t.same(document.senderRoot, root);
    t.match(document.log, { policyNumber: 5, witnessed: false });
    t.same(document.log.vrf, testLogPins.vrf);
    t.strictSame(document.limits, { ...limits });
    t.strictSame(document.retention, { ...retentionDays });
    policy = { registration: 'open' };
    at += 2999;
    t.equal((await discovery()).registration, 'approval');
    at += 1;
    const changed = await discovery();
    t.equal(changed.registration, 'open');
    t.notOk('oidc' in changed, 'there is none any more');
    policy = undefined;
    at += 3000;
    t.equal((await discovery()).registration, 'open', 'what it said last, while it is away');
    t.equal(asking, 1, 'the root of an island is asked for once');
  },
);
