/** One history of checkpoints, whatever comes in which order. docs/protocol/transparency.md §8.4 */
import { parseCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { formatVkey, makeVkey, parseNote, parseVkey } from '@island/protocol/transparency/note.ts';
import { parseTilePath } from '@island/protocol/transparency/tiles.ts';
import {
  type DirectoryLog,
  directoryLog,
  label,
  testVkey,
} from '@island/protocol/vectors/directory-log.ts';
import t from 'tap';
import { memoryStorage } from '../storage/memory.ts';
import { followHead, type Head, headPlace, readHead } from './head.ts';
import type { LogFiles } from './log-files.ts';
import { replacePins } from './pins.ts';

const filesOf = (log: DirectoryLog): LogFiles => ({
  async read(path) {
    const bytes = log.tile(parseTilePath(path));
    if (!bytes) throw new Error(`no ${path}`);
    return bytes;
  },
});

async function headOf(log: DirectoryLog, epoch: number): Promise<Head> {
  const note = await log.checkpoint();
  const { size, root } = parseCheckpoint(parseNote(note).text);
  return { size, root, epoch, note };
}

/** Heads after each of some epochs, and one more history that begins alike. */
async function scene(epochs = 5) {
  const log = directoryLog();
  const heads: Head[] = [];
  for (let i = 0; i < epochs; i++) {
    log.event(label(`person ${i}`));
    log.epoch();
    heads.push(await headOf(log, i));
  }
  const other = directoryLog();
  const others: Head[] = [];
  for (let i = 0; i < epochs; i++) {
    other.event(label(i === 2 ? 'mallory' : `person ${i}`));
    other.epoch();
    others.push(await headOf(other, i));
  }
  const head = (i: number): Head => heads[i] as Head;
  const forged = (i: number): Head => others[i] as Head;
  const storage = memoryStorage();
  const files = filesOf(log);
  const follow = (shown: Head, before?: Head, from = files) =>
    followHead(storage, from, shown, before);
  const size = async () => (await readHead(storage))?.size;
  return { head, forged, other, files, storage, follow, size };
}

const conflict = (code: string) => ({ name: 'HeadConflict', fault: { code } });

t.test('K2: what is newer is followed, over any number of epochs', async (t) => {
  const { head, follow, size } = await scene();
  await follow(head(0));
  t.equal(await size(), head(0).size);
  await follow(head(4), head(0));
  await follow(head(4), head(4));
  t.equal(await size(), head(4).size);
});

t.test('K2: answers that cross are no rollback, and an older one is never the head', async (t) => {
  const { head, follow, size } = await scene();
  await follow(head(1));
  await follow(head(4), head(1));
  await follow(head(2), head(1));
  await follow(head(1), head(1));
  t.equal(await size(), head(4).size);
  await t.rejects(follow(head(2), head(4)), conflict('rolled_back'), 'it was known when asked');
  await t.rejects(follow(head(0), head(1)), conflict('rolled_back'));
});

t.test('K2: questions at once end with the newest head', async (t) => {
  const { head, follow, size } = await scene();
  await Promise.all([3, 0, 4, 1, 2].map((i) => follow(head(i))));
  t.equal(await size(), head(4).size);
});

t.test('K2: two histories are told apart, whichever comes first', async (t) => {
  const { head, forged, other, follow, size } = await scene();
  await follow(forged(1), undefined, filesOf(other));
  await follow(head(2), head(1));
  await t.rejects(follow(forged(2), head(1)), conflict('forked'));
  await t.rejects(
    follow(forged(4), head(2), filesOf(other)),
    conflict('consistency_invalid'),
    'a longer one',
  );
  await follow(head(4), head(2));
  await t.rejects(follow(forged(3), head(2)), conflict('consistency_invalid'), 'a crossed one');
  t.equal(await size(), head(4).size);
});

t.test(
  'K2: tiles that are not those of the checkpoint prove nothing, and convict nobody',
  async (t) => {
    const { head, other, follow, size } = await scene();
    await follow(head(0));
    await t.rejects(follow(head(4), head(0), filesOf(other)), { code: 'log_unproved' });
    const short: LogFiles = { read: async () => new Uint8Array(31) };
    await t.rejects(follow(head(4), head(0), short), { code: 'log_unproved' });
    const gone: LogFiles = {
      async read() {
        throw new Error('gone');
      },
    };
    await t.rejects(follow(head(4), head(0), gone), { message: 'gone' });
    t.equal(await size(), head(0).size, 'the known head stays');
    await follow(head(4), head(0));
  },
);

t.test('K2: time does not run backwards from one checkpoint to the next', async (t) => {
  const { head, follow } = await scene();
  await follow(head(3));
  await t.rejects(follow({ ...head(4), epoch: 1 }, head(3)), conflict('epoch_invalid'));
});

t.test(
  'M2: which tiles are read is the same for whoever was last here within 2,048 entries',
  async (t) => {
    const { head, files, follow } = await scene(2200);
    const read: string[] = [];
    const noting: LogFiles = {
      read(path) {
        read.push(path);
        return files.read(path);
      },
    };
    const asked = new Set<string>();
    for (const epoch of [10, 300, 500, 900]) {
      const at = memoryStorage();
      await followHead(at, files, head(epoch), undefined);
      await followHead(at, noting, head(2199), head(epoch));
      asked.add(read.splice(0).toSorted().join(' '));
    }
    t.equal(asked.size, 1);
    const [paths = ''] = asked;
    t.equal(paths.split(' ').filter((path) => /^tile\/0\/\d+$/.test(path)).length, 8);
    await follow(head(1500));
    await follow(head(2199), head(1500), noting);
    t.notSame(read.toSorted().join(' '), paths, 'behind them it is another group');
  },
);

t.test('K2: a log of many tiles is followed by a few of them', async (t) => {
  const { head, files, follow, size } = await scene(400);
  let read = 0;
  const counted: LogFiles = {
    read(path) {
      read += 1;
      return files.read(path);
    },
  };
  await follow(head(10));
  await follow(head(399), head(10), counted);
  t.equal(await size(), head(399).size);
  t.ok(read <= 6, `${read} tiles`);
});

t.test(
  'K2: an answer of the log before is no head of the one that a person has gone on with',
  async (t) => {
    const { head, storage, follow, size } = await scene();
    const pins = { vkey: testVkey, vrf: new Uint8Array(32), policy: '', policyNumber: 1 };
    await replacePins(storage, pins);
    await follow(head(1));
    await replacePins(storage, {
      ...pins,
      vkey: formatVkey(makeVkey('another', 1, parseVkey(testVkey).key)),
    });
    await storage.commit({ remove: [headPlace] });
    await t.rejects(follow(head(2)), { code: 'log_unproved' });
    t.equal(await size(), undefined);
  },
);
