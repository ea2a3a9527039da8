/** Channels as the devices of their members use them: real services. docs/protocol/channel.md §5 to §9 */
import t from 'tap';
import { realIsland } from '../testing/real-island.ts';
import { linked, member, type Place, together } from './testing/members.ts';

t.setTimeout(180_000);

t.test('M3: one post, read by every device of every member', async (t) => {
  await using island = await realIsland();
  let place: Place;
  const here = () => place;
  await using ann = await member(island, 'ann', here);
  await using bob = await member(island, 'bob', here);
  await using cleo = await member(island, 'cleo', here);
  place = await together(ann, bob, cleo);
  await using second = await linked(island, bob, here);
  for (const each of [ann, bob, cleo, second]) each.works();
  await ann.says('Hello, everybody');
  const all = ['ann: Hello, everybody'];
  for (const each of [ann, bob, cleo, second])
    t.same(await each.untilShown((shown) => shown.at(-1) === all[0]), all, each.name);
  await second.says('From my second');
  await cleo.says('Me too');
  for (const each of [ann, bob, cleo, second]) {
    const shown = await each.untilShown(
      (said) => said.length === 3 && !said.some((x) => /[<(]/.test(x)),
    );
    t.same([...shown].sort(), [...all, 'bob: From my second', 'cleo: Me too'], each.name);
  }
  const { channel } = place;
  const kept = await ann.islander.session.call('posts', { channel, after: 0, count: 100 });
  t.equal(kept.items.length, 3, 'one ciphertext a post, however many devices there are');
});
