/**
 * Two islands that witness each other, as their operators do it: cards, trust, signatures over the edge of the other
 * island, whose root is known by the card alone. docs/operations.md §8
 */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { verifierOf } from '@island/protocol/transparency/cosignature.ts';
import { parseCard } from '@island/protocol/transparency/island-card.ts';
import { parseVkey, verifyNote } from '@island/protocol/transparency/note.ts';
import { checkCheckpoint, parsePolicy } from '@island/protocol/transparency/policy.ts';
import { eventually } from '@island/services/kit/testing/outcome.ts';
import t from 'tap';
import { bootIsland, type TestIsland } from './island.ts';

t.setTimeout(240_000);

/** What anybody gets there over the island's own TLS. */
async function fetched(island: TestIsland, path: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const ca = await readFile(island.welcome.caFile);
  request(new URL(path, island.welcome.address), { ca }, (response) => {
    text(response).then(
      (body) => (response.statusCode === 200 ? resolve(body) : reject(new Error(body))),
      reject,
    );
  })
    .once('error', reject)
    .end();
  return promise;
}

/** Whether a checkpoint waits for its witnesses, as `island status` says. */
async function waits(island: TestIsland): Promise<boolean> {
  const { stdout } = await island.run('status', '--json');
  return JSON.parse(stdout).log?.waiting !== undefined;
}

async function told(island: TestIsland, ...args: string[]) {
  const ran = await island.run('witness', ...args, '--json');
  if (ran.code !== 0) throw new Error(ran.stderr);
  return JSON.parse(ran.stdout);
}

t.test(
  'K1: islands witness each other, and who pins a policy needs neither of their words',
  async (t) => {
    await using here = await bootIsland(['--name', 'Here']);
    await using there = await bootIsland(['--name', 'There']);
    const [ours, theirs] = [join(here.data, 'here.json'), join(there.data, 'there.json')];
    await told(here, 'card', '--out', ours);
    await told(there, 'card', '--out', theirs);
    const card = parseCard(await readFile(theirs, 'utf8'));
    t.match(card, { name: 'There', url: `${there.welcome.address}/witness` });

    const early = await here.run('witness', 'add', theirs, '--name', 'there');
    t.match(early, { code: 1, stderr: /there has not signed the present checkpoint/ });
    const { origin } = await told(there, 'trust', ours);
    t.match(await told(here, 'add', theirs, '--name', 'there'), { policy: 2, quorum: 1, of: 1 });

    const shown = async () => JSON.parse(await fetched(here, '/.well-known/island'));
    await eventually(async () => (await shown()).log.policyNumber === 2, 30_000);
    const { log } = await shown();
    t.match(log, { witnessed: true });
    const note = await fetched(here, '/log/checkpoint');
    const checked = checkCheckpoint(parsePolicy(log.policy), note, { allowUnwitnessed: false });
    t.same(
      checked.cosigners.map(({ name }) => name),
      ['there'],
    );
    t.equal(checked.checkpoint.origin, origin);

    // Whoever doubts what is shown here asks there.
    const id = createHash('sha256').update(origin).digest('hex');
    const seen = await fetched(there, `/witness/${id}/checkpoint`);
    const known = [log.vkey, ...card.witness].map((key: string) => verifierOf(parseVkey(key)));
    const { text: body, verified } = verifyNote(seen, known);
    t.equal(verified.length, 3);
    t.equal(body, note.slice(0, note.indexOf('\n\n') + 1), 'the same tree');

    // By hand, a third one signs as well: its island is asked for nothing over a line.
    await using far = await bootIsland(['--name', 'Far']);
    const [its, carried] = [join(far.data, 'far.json'), join(far.data, 'carried')];
    await told(far, 'card', '--out', its);
    await told(far, 'trust', ours);
    const carry = async (witness: string, ...more: string[]) => {
      await writeFile(carried, (await told(here, 'request', witness)).request);
      await writeFile(carried, (await told(far, 'cosign', carried)).signatures);
      return told(here, 'take', carried, ...more);
    };
    t.match(await carry(its, '--witness', its), { taken: [{ published: true }] });
    const byHand = ['--by-hand', '--name', 'far', '--quorum', '2'];
    t.match(await told(here, 'add', its, ...byHand), { policy: 3, quorum: 2, of: 2 });
    await eventually(() => waits(here), 30_000);
    t.match(await carry('far'), { taken: [{ name: 'far', published: false }] });
    await eventually(async () => (await shown()).log.policyNumber === 3, 30_000);
    const both = checkCheckpoint(
      parsePolicy((await shown()).log.policy),
      await fetched(here, '/log/checkpoint'),
      { allowUnwitnessed: false },
    );
    t.same(both.cosigners.map(({ name }) => name).sort(), ['far', 'there']);

    const stranger = await there.run('witness', 'add', ours, '--name', 'here');
    t.match(stranger, { code: 1 }, 'it was not asked to be a witness of that one');
    await told(here, 'trust', theirs);
    await told(there, 'add', ours, '--name', 'here', '--key', 'ml-dsa-44');
    await eventually(async () => (await told(there)).witnesses[0]?.signed > 0, 30_000);
    t.match(await told(there), { trusted: [{ origin, trusted: true }], policy: { quorum: 1 } });
  },
);
