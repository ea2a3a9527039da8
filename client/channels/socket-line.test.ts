/** Channels over the socket, and by requests where there is none: one line to whoever uses it. docs/protocol/socket.md §6 */
import t from 'tap';
import { realIsland } from '../testing/real-island.ts';
import { member, type Place, together } from './testing/members.ts';

t.setTimeout(180_000);

t.test('posts go and come as frames: what was pushed is not asked for', async (t) => {
  await using island = await realIsland();
  let place: Place;
  const here = () => place;
  await using ann = await member(island, 'ann', here);
  await using bob = await member(island, 'bob', here);
  place = await together(ann, bob);
  for (const each of [ann, bob]) each.works();
  await ann.says('one');
  await bob.untilShown((shown) => shown.at(-1) === 'ann: one');
  island.requests.length = 0;
  for (const text of ['two', 'three', 'four']) {
    await ann.says(text);
    await bob.untilShown((shown) => shown.at(-1) === `ann: ${text}`);
  }
  const asked = island.requests.map(({ path }) => path);
  t.notOk(asked.includes('/v1/channels/post'), 'posts went as frames');
  t.ok(asked.filter((path) => path === '/v1/channels/posts').length < 6, `${asked}`);
});

t.test('without a connection posts go by requests', async (t) => {
  await using island = await realIsland();
  let place: Place;
  const here = () => place;
  await using ann = await member(island, 'ann', here);
  await using bob = await member(island, 'bob', here);
  place = await together(ann, bob);
  ann.islander.startSending();
  bob.works();
  await ann.says('by request');
  await bob.untilShown((shown) => shown.at(-1) === 'ann: by request');
  t.ok(island.requests.some(({ path }) => path === '/v1/channels/post'));
});
