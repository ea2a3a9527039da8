/** A witness that is killed while it signs: what it answered it has kept. Real SQLite, real SIGKILL. docs/protocol/transparency.md §7 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { testLogOf } from './testing/log.ts';
import { testWitness } from './testing/witness.ts';

const log = testLogOf('example.com/killed');
const program = join(import.meta.dirname, 'testing/doomed.ts');

t.test(
  'pitfall: kill -9 at any moment: no size that was answered is ever signed again with another root',
  async (t) => {
    const dir = t.testdir();
    const master = randomBytes(32);
    let answered = 0;
    for (let round = 0; round < 4; round++) {
      const stdio = ['ignore', 'pipe', 'inherit'] as const;
      const child = spawn(process.execPath, [program, dir, master.toString('hex'), log.origin], {
        stdio: [...stdio],
      });
      const ended = once(child, 'exit');
      const before = answered;
      for await (const line of createInterface({ input: child.stdout })) {
        answered = Number(line);
        if (answered >= before + 5 + round * 3) child.kill('SIGKILL');
      }
      await ended;
      t.ok(answered > before, `${answered} answered`);
      await using witness = await testWitness({ left: { dir, master } });
      const { status, body } = await witness.add(await log.request(0, 1));
      t.equal(status, 409);
      const kept = Number(body);
      t.ok(kept >= answered, `${kept} kept`);
      const fork = log.fork(answered - 1);
      t.equal((await witness.add(await fork.request(kept, kept))).status, 422);
      t.equal(
        (await witness.add(await log.request(kept, kept))).status,
        200,
        'and can be had again',
      );
    }
  },
);
