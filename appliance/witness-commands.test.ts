/** `island witness …` on the operators' socket, with directory and witness behind it. docs/operations.md §8 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatCard, parseCard } from '@island/protocol/transparency/island-card.ts';
import { openOperatorSocket } from '@island/services/control/operator-socket.ts';
import { directory } from '@island/services/directory/contract.ts';
import { directoryService } from '@island/services/directory/service.ts';
import {
  policyOf,
  type WitnessServer,
  witnessServer,
} from '@island/services/directory/testing/witness-server.ts';
import { testIsland } from '@island/services/kit/testing/kit.ts';
import { eventually } from '@island/services/kit/testing/outcome.ts';
import { witnessService } from '@island/services/witness/service.ts';
import { testLogOf } from '@island/services/witness/testing/log.ts';
import t from 'tap';
import { islandCommand } from './island.ts';
import type { Streams } from './up-command.ts';

// Short: paths of unix sockets are limited to 107 bytes.
const data = await mkdtemp(join(tmpdir(), 'pi-cli-'));
await mkdir(join(data, 'run'), { mode: 0o700 });
const island = await testIsland(['directory', 'control', 'witness']);
await island.start(directoryService);
await island.start(witnessService);
const { bus } = await island.kit('control');
const never = (): never => {
  throw new Error('no test asks for this');
};
const socket = await openOperatorSocket(join(data, 'run', 'control.sock'), {
  bus,
  log: island.log,
  secrets: { get: never, put: never, delete: never, seed: never, adopt: never },
  store: { read: undefined as never, rows: never, write: never, [Symbol.asyncDispose]: never },
});
const { name, address, caFingerprint } = island.settings;
const supervisor = createServer((_request, response) =>
  response.end(JSON.stringify({ name, address, caFingerprint })),
).listen(join(data, 'run', 'supervisor.sock'));
const servers: WitnessServer[] = [await witnessServer(), await witnessServer()];
const [one, two] = servers as [WitnessServer, WitnessServer];
t.teardown(async () => {
  supervisor.close();
  await socket[Symbol.asyncDispose]();
  for (const server of servers) await server[Symbol.asyncDispose]();
  await island[Symbol.asyncDispose]();
  await rm(data, { recursive: true });
});

async function run(...args: string[]) {
  const written: Record<'stdout' | 'stderr', string[]> = { stdout: [], stderr: [] };
  const stream = (name: 'stdout' | 'stderr') =>
    ({ write: (text: string) => written[name].push(text) > 0 }) as NodeJS.WriteStream;
  const streams: Streams = { stdout: stream('stdout'), stderr: stream('stderr') };
  const where = args.includes('--help') ? [] : ['--data', data];
  const code = await islandCommand(['witness', ...args, ...where], streams);
  return { code, stdout: written.stdout.join(''), stderr: written.stderr.join('') };
}
const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).stdout);
const inForce = (number: number) =>
  eventually(async () => (await bus.call(directory, 'policy', {})).number === number);
const { vkey } = await bus.call(directory, 'log', {});
const peer = testLogOf('pi-kt/peer');
const file = join(data, 'card.json');

t.test('an island without witnesses says so, and how to get one', async (t) => {
  const { code, stdout } = await run();
  t.equal(code, 0);
  t.match(stdout, /^Nobody witnesses the log of this island/);
  t.match(stdout, 'This island is a witness of no other.');
  t.match(await json(), { policy: { number: 1, quorum: 0 }, witnesses: [], trusted: [] });
});

t.test('the card: a file, a line, a picture', async (t) => {
  t.match(await run('card', '--out', file), { code: 0, stdout: /Hand it to the operator/ });
  const card = parseCard(await readFile(file, 'utf8'));
  t.match(card, { name, url: `${address}/witness`, log: vkey });
  t.equal(card.witness.length, 2);
  t.same(parseCard((await run('card')).stdout), card);
  const line = (await run('card', '--link')).stdout;
  t.match(parseCard(line), { url: card.url, witness: [card.witness[0]] });
  const picture = (await run('card', '--qr')).stdout.split('\n');
  t.match(picture[0], /^island:/);
  t.ok(picture.length > 20 && picture.slice(2, -1).every((row) => /^[█▀▄ ]+$/u.test(row)));
  t.match(await json('card'), { format: 'pi-card/v1', link: /^island:/ });
});

t.test('a witness is added once it signs, and not before', async (t) => {
  const add = (server: WitnessServer, ...more: string[]) =>
    run('add', server.vkey, `${server.url}/`, ...more);
  t.match(await add(one, '--name', 'one'), {
    code: 1,
    stderr: /one has not signed the present checkpoint.*nothing was changed/,
  });
  for (const { witness } of servers) await witness.trust(vkey);
  t.match(await add(one, '--name', 'one'), { code: 0, stdout: /^Policy 2: 1 of 1 witness have/ });
  await inForce(2);
  t.match(await add(one, '--name', 'two'), { code: 1, stderr: 'that name or that key already' });
  t.match(await add(two, '--quorum', '3'), {
    code: 1,
    stderr: 'check its key, address and quorum',
  });
  t.match(await json('add', two.vkey, two.url), { policy: 3, quorum: 2, of: 2 }, 'more than half');
  await inForce(3);
  const { stdout } = await run('list');
  t.match(stdout, /^2 of 2 witnesses have to sign each checkpoint of this island \(policy 3\):/);
  t.match(stdout, / one {2,}signed \d+ of \d+, 20\d\d-/);
  t.match(stdout, / 127\.0\.0\.1 {2,}signed/, 'called by its host');
});

t.test('K1: an island is no witness of itself, whatever a policy calls it', async (t) => {
  const itself = { code: 1, stderr: 'That is the witness of this island itself' };
  t.match(await run('add', file), itself);
  t.match(await run('add', file, '--by-hand', '--name', 'other', '--key', 'ml-dsa-44'), itself);
  const { witness } = parseCard(await readFile(file, 'utf8'));
  for (const key of witness) {
    const text = policyOf(vkey, 1, [one]).replace(
      'group all-of-them 1 w0',
      `witness own ${key}\ngroup any-of-them any w0 own\ngroup all-of-them 1 any-of-them`,
    );
    await writeFile(join(data, 'policy'), text);
    t.match(await run('policy', join(data, 'policy')), itself);
  }
  t.equal((await bus.call(directory, 'policy', {})).pending, undefined, 'nothing was changed');
});

t.test('K1: two keys of one operator are no two witnesses', async (t) => {
  const [, lattice = ''] = one.witness.keys.keys;
  const again = (quorum: string) =>
    run('add', lattice, one.url, '--name', 'one-again', '--quorum', quorum);
  t.match(await again('2'), {
    code: 1,
    stderr: /operator of one-again is in the policy already, by another key, and would count twice/,
  });
  const text = (k: string) =>
    policyOf(vkey, 2, [one, two]).replace(
      'group all-of-them 2 w0 w1',
      `witness more ${lattice} ${one.url}\ngroup keys ${k} w0 more\ngroup all-of-them 2 keys w1`,
    );
  await writeFile(join(data, 'policy'), text('2'));
  t.match(await run('policy', join(data, 'policy')), { code: 1, stderr: 'would count twice' });
  t.equal((await bus.call(directory, 'policy', {})).pending, undefined, 'nothing was changed');
});

t.test('quorum and removal, within what there is', async (t) => {
  t.match(await run('quorum', '3'), { code: 1, stderr: 'There are fewer witnesses than 3' });
  t.match(await run('remove', 'one'), { code: 1, stderr: 'island witness quorum' });
  t.match(await run('remove', 'nobody'), { code: 1, stderr: 'No witness is called nobody' });
  const half = /^Policy 4: 1 of 2 witnesses .* More than half is advised: .*quorum --data \S+ 2\n/;
  t.match(await run('quorum', '1'), { code: 0, stdout: half });
  await inForce(4);
  t.match(await run('quorum', '2'), { code: 0, stdout: /^Policy 5: 2 of 2 .* shows it\.\n/ });
  await inForce(5);
  t.match(await run('quorum', '1'), { code: 0 });
  await inForce(6);
  t.match(await run('remove', 'one'), { code: 0, stdout: /^Policy 7: 1 of 1 witness / });
  await inForce(7);
  t.match(await run('remove', '127.0.0.1'), { code: 1, stderr: 'keeps at least one' });
});

t.test(
  'a policy of another kind is set as a text, and kept from what would break it',
  async (t) => {
    const text = policyOf(vkey, 1, [two]).replaceAll('all-of-them', 'outsiders');
    await writeFile(join(data, 'policy'), text);
    t.match(await run('policy', join(data, 'policy')), {
      code: 0,
      stdout: /^Policy 8 is in force/,
    });
    await inForce(8);
    t.equal((await run('policy')).stdout, text);
    t.match(await run('quorum', '1'), { code: 1, stderr: 'was written by hand' });
    t.match(await run(), { code: 0, stdout: /^1 witness, as the policy says, sign each/ });
    await writeFile(join(data, 'policy'), `log ${vkey}\nquorum none\n`);
    t.match(await run('policy', join(data, 'policy')), { code: 1, stderr: 'keeps at least one' });
    await writeFile(join(data, 'policy'), 'quorum none\n');
    t.match(await run('policy', join(data, 'policy')), {
      code: 1,
      stderr: 'no policy of this log',
    });
  },
);

t.test('this island is a witness of another log, also by hand', async (t) => {
  const request = join(data, 'request');
  await writeFile(request, await peer.request(0, 4));
  t.match(await run('cosign', request), { code: 1, stderr: 'does not know that log. (404)' });
  const card = { ...parseCard(await readFile(file, 'utf8')), log: peer.vkey };
  await writeFile(join(data, 'peer.json'), formatCard(card));
  t.match(await run('trust', join(data, 'peer.json')), {
    code: 0,
    stdout: /signs for pi-kt\/peer/,
  });
  t.match(await run('trust', peer.vkey), { code: 0 }, 'or by its key');
  t.match(await run('cosign', request), {
    code: 0,
    stdout: /^— pi-witness\/\S+ \S+\n— pi-witness/,
  });
  t.match(await run('cosign', request), { code: 1, stderr: 'begin there (old 4)' });
  t.match(await run(), { stdout: / pi-kt\/peer {2,}4 entries, signed 20\d\d-/ });
  t.match(await run('distrust', peer.origin), { code: 0 });
  t.match(await run(), { stdout: 'not trusted any more' });
  t.match(await run('distrust', 'pi-kt/nobody'), { code: 1, stderr: 'never signed for' });
});

t.test(
  'K1: a witness without a line signs by hand, and what it signed is verified first',
  async (t) => {
    const three = await witnessServer(vkey);
    servers.push(three);
    const [request, signatures] = [join(data, 'request'), join(data, 'signatures')];
    const carried = async (named: string, ...more: string[]) => {
      const made = await run('request', named, ...more);
      t.equal(made.code, 0, made.stderr);
      await writeFile(request, made.stdout);
      const { status, body } = await three.witness.add(await readFile(request));
      await writeFile(signatures, body);
      return { status, body, request: made.stdout };
    };
    t.match(await run('add', three.vkey, '--by-hand'), { code: 1, stderr: 'needs a --name' });
    const text = policyOf(vkey, 2, [two, three]).replace(` ${three.url}`, '');
    await writeFile(join(data, 'policy'), text);
    t.match(await run('policy', join(data, 'policy')), { code: 1 }, 'it has signed nothing');

    t.match(await carried(three.vkey), { status: 200, request: /^old 0\n\npi-kt\// });
    t.match(await run('take', signatures), { code: 1, stderr: 'so nothing was taken' });
    t.match(await run('take', signatures, '--witness', three.vkey), {
      code: 0,
      stdout: /has signed the published checkpoint of \d+ entries/,
    });
    t.match(await run('policy', join(data, 'policy')), { code: 0, stdout: /^Policy 9 is in/ });
    await eventually(async () => (await json()).waiting !== undefined);
    t.match(await run(), { stdout: /waits until enough of them have signed/ });
    t.equal((await bus.call(directory, 'policy', {})).number, 8, 'it waits for the one by hand');

    t.match(await carried('w1'), { status: 200, request: /^old [1-9]/ });
    const good = await readFile(signatures, 'utf8');
    const foreign = (await two.witness.add(await peer.request(0, 1))).body;
    for (const wrong of [good.replace(/.{8}\n/, 'AAAAAAA=\n'), foreign]) {
      await writeFile(signatures, wrong);
      t.match(await run('take', signatures), { code: 1 }, 'not by a wrong one');
    }
    await writeFile(signatures, 'x');
    t.match(await run('take', signatures), { code: 1, stderr: 'no signature lines' });
    t.equal((await bus.call(directory, 'policy', {})).number, 8);
    await writeFile(signatures, good);
    t.match(await run('take', signatures), { code: 0, stdout: /^w1 has signed the checkpoint of/ });
    await inForce(9);

    t.match(await carried('w1', '--old', '1'), { status: 409 }, 'the operator may say the size');
    t.match(await carried('w1'), { status: 200 });
    t.match(await run('take', signatures), { stdout: /^w1 has signed the published checkpoint/ });
    t.match(await run(), { stdout: /w1 +signed \d+ of \d+, .*; asked by hand/ });
    const note = (await run('request', 'w1')).stdout;
    const name = three.vkey.slice(0, three.vkey.indexOf('+'));
    t.equal(note.split(`— ${name} `).length, 2, 'its newest signature, once');
    t.match(await run('request', 'nobody'), { code: 1, stderr: 'No witness is called nobody' });
    t.match(await run('request', 'w1', '--old', 'x'), { code: 2, stderr: 'number of entries' });
  },
);

t.test('what is no card, key or file is said to be none', async (t) => {
  await writeFile(join(data, 'x'), 'x');
  for (const card of [join(data, 'x'), 'island://x/join?ca=x'])
    t.match(await run('trust', card), { code: 1, stderr: 'no card of an island' });
  t.match(await run('trust', 'garbage'), {
    code: 1,
    stderr:
      /garbage is neither a file that can be read, nor the line of a card .*, nor a verifier key/,
  });
  t.match(await run('cosign', join(data, 'absent')), { code: 1, stderr: 'cannot be read' });
  t.match(await run('trust', one.vkey), { code: 1, stderr: 'no verifier key of a log' });
  t.match(await run('add', one.vkey), { code: 1, stderr: 'needs the address' });
  t.match(await run('quorum', '0'), { code: 2, stderr: 'from 1 to 64' });
  t.match(await run('remove', 'a b'), { code: 2, stderr: 'letters, digits' });
  t.match(await run('--help'), { code: 0, stdout: /card .*\n.*add .*\n.*remove /s });
});
