/** Segments of archive keys that no record gives any more. docs/protocol/archive.md §4 */
import t from 'tap';
import { oddArchive, stranger } from '../testing/odd-archive.ts';

t.test(
  'A3: what was archived under a key that is gone is passed over, the rest is read',
  async (t) => {
    const bob = stranger('bob');
    const island = oddArchive();
    const one = await island.home(island.add());
    await one.hears(bob.list, 'before');
    await one.archive.flush();
    island.rotate();
    await one.renew();
    await one.hears(bob.list, 'after');
    await one.archive.flush();
    island.keys = { ...island.keys, firstEpoch: 2, former: [] };
    const two = await island.home(island.add());
    await two.archive.sync();
    t.same(await two.told(), ['bob: after']);

    const [first, ...rest] = island.segments;
    if (!first) throw new Error('no segments');
    const forged = Uint8Array.from(first);
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    island.segments = [forged, ...rest];
    const three = await island.home(island.add());
    await t.rejects(three.archive.sync(), { code: 'archive_forged' });
    t.same(await three.told(), []);
  },
);
