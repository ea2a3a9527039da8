/** An island that has somebody who joins begin anew, and then shows an older state of the account. */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type DeviceLink, parseIslandLink } from '@island/protocol/wire/island-link.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { publishKeys } from '../account/key-changes.ts';
import { syncOwn } from '../account/own-devices.ts';
import { ownOf } from '../testing/lies.ts';
import { credentials, type DeviceHome, home, opened, registered } from '../testing/member-home.ts';
import { type RealIsland, realIsland } from '../testing/real-island.ts';
import { giveByLink, joinByLink, offerLink } from './linking.ts';
import { recover } from './recovery.ts';

t.setTimeout(240_000);

type Own = Awaited<ReturnType<typeof ownOf>>;
type Fresh = ReturnType<typeof home>;

async function linked(one: DeviceHome, fresh: Fresh): Promise<void> {
  const { link, offer } = await offerLink(one.keeping);
  const shown = Promise.withResolvers<string>();
  const giving = giveByLink(one.keeping, offer, async (digits) => {
    shown.resolve(digits);
    return true;
  });
  const read = parseIslandLink(link) as DeviceLink;
  await joinByLink(fresh.joining, read, { credentials, askDigits: () => shown.promise });
  await giving;
}

/** The first `join` is refused as if another device had been first; then this is the account. Answers the lists that are sent. */
function refusing(island: RealIsland, shown: Partial<Pick<Own, 'list' | 'record'>>) {
  const sent: { epoch: number; prevHash: string }[] = [];
  const { list, record } = shown;
  island.line.before = ({ path, body }) => {
    if (path !== '/v1/join') return undefined;
    const { epoch, prevHash } = openDeviceList(fromBase64url(String(body['list'])));
    sent.push({ epoch, prevHash: base64url(prevHash) });
    if (sent.length > 1) return undefined;
    island.line.answer = ({ path, method }, answer) => {
      if (list && path === '/v1/people/alice') return { ...answer, list: base64url(list.bytes) };
      if (record && path === '/v1/record' && method === 'GET')
        return { record: base64url(record.bytes), used: [] };
      return answer;
    };
    throw new Fault('stale_list');
  };
  return sent;
}

function honest({ line }: RealIsland): void {
  delete line.before;
  delete line.answer;
}

t.test(
  'A4, K2: who joins signs nothing that follows from an older list than the device of the link has shown',
  async (t) => {
    await using island = await realIsland({ lies: true });
    const one = await registered(island, 'alice');
    const first = await ownOf(one);
    const two = home(island);
    await linked(one, two);
    await syncOwn(one.keeping);
    const second = await ownOf(one);
    const sent = refusing(island, first);
    const three = home(island);
    await t.rejects(linked(one, three), { code: 'list_rolled_back' });
    t.same(sent, [{ epoch: 3, prevHash: base64url(second.list.hash) }]);
    honest(island);

    await t.test('nor does it with an older record, once a device has made another', async (t) => {
      await publishKeys(one.keeping, () => ({ rotate: false }));
      const sent = refusing(island, { record: second.record });
      await t.rejects(linked(one, home(island)), { code: 'record_rolled_back' });
      t.equal(sent.length, 1);
      honest(island);
    });

    await t.test('it goes on where it was when the island shows the true state', async (t) => {
      const { link } = await offerLink(one.keeping);
      const read = parseIslandLink(link) as DeviceLink;
      await publishKeys(one.keeping, () => ({ rotate: false }));
      const askDigits = async () => {
        t.fail('nothing is typed again');
        return '';
      };
      await joinByLink(three.joining, read, { credentials, askDigits });
      t.equal((await opened(island, three)).device, 3);
      t.equal((await syncOwn(one.keeping)).list.devices.length, 3);
    });
  },
);

t.test('A3, K2: nor who joins by a code, than it has seen before', async (t) => {
  await using island = await realIsland({ lies: true });
  const one = await registered(island, 'alice');
  const first = await ownOf(one);
  await linked(one, home(island));
  const sent = refusing(island, first);
  const three = home(island);
  const again = { credentials, code: one.codes[0] ?? '' };
  const to = island.recoverLink('alice');
  await t.rejects(recover(three.joining, to, again), { code: 'list_rolled_back' });
  t.equal(sent.length, 1);
  honest(island);
  t.match(await recover(three.joining, to, again), { account: { device: 3 } });
});
