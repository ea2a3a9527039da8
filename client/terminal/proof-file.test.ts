/** A proof that a person hands on is checked by another program, from the key of the log. docs/protocol/transparency.md §2.7 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fromTlogProof } from '@island/protocol/transparency/answer.ts';
import { readEvent } from '@island/protocol/transparency/leaves.ts';
import { testVkey } from '@island/protocol/vectors/directory-log.ts';
import { base64url, hex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { runIsland } from '../../tests/island.ts';
import { fileStorage } from '../storage/file.ts';
import { attacked } from '../testing/attacked.ts';
import { person } from '../testing/person.ts';
import { readPins } from '../transparency/pins.ts';
import { islanderCommand } from './cli.ts';
import type { Streams } from './terminal.ts';

t.setTimeout(120_000);

async function islander(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const made = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  const code = await islanderCommand(args, made as unknown as Streams);
  const read = (stream: PassThrough) => String(stream.read() ?? '');
  return { code, out: read(made.stdout), err: read(made.stderr) };
}

t.test(
  'K1: islander directory proof prints a .tlog-proof that island proof verify takes',
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'islander-proof-'));
    t.teardown(() => rm(folder, { recursive: true, force: true }));
    const home = join(folder, 'home');
    await using here = await attacked();
    here.island.log.silent = false;
    const storage = fileStorage(home);
    const dave = await person(here.island, 'dave', storage);
    await dave.islander.people.find('bob');
    const { policy = '', vrf = new Uint8Array(0) } = (await readPins(storage)) ?? {};
    await dave.islander[Symbol.asyncDispose]();
    await storage[Symbol.asyncDispose]();

    const file = join(folder, 'bob.tlog-proof');
    const policyFile = join(folder, 'policy');
    await writeFile(policyFile, policy);
    const proof = await islander('directory', 'proof', 'bob', '--home', home);
    t.equal(proof.code, 0, proof.err);
    await writeFile(file, proof.out);
    const pins = ['--vkey', testVkey, '--policy', policyFile, '--allow-unwitnessed'];
    const about = (name: string) => [...pins, '--vrf', base64url(vrf), '--name', name];
    const good = await runIsland(['proof', 'verify', file, ...about('bob')]);
    t.equal(good.code, 0, good.stderr);
    t.match(good.stdout, /The name bob is at version 1, .*\nThe account is at version 1,/);
    const other = await runIsland(['proof', 'verify', file, ...about('carol')]);
    t.match(other, { code: 1, stderr: /vrf_invalid/ });

    const own = await islander('directory', 'proof', '--home', home, '--json');
    t.equal(own.code, 0, own.err);
    const said = JSON.parse(own.out);
    t.match(said, { type: 'proof', name: 'dave', version: 1 });
    const [, shown] = fromTlogProof(said.proof).labels;
    t.equal(hex(readEvent(shown?.shown?.event ?? new Uint8Array(0)).index), said.place);
    const nobody = await islander('directory', 'proof', 'nobody', '--home', home);
    t.match(nobody, { code: 1, out: '' });
  },
);
