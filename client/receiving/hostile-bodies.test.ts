/** What a person with a program of their own can say: nothing in another's name, nothing to another's devices. docs/protocol/dm.md §2.2 */
import type { Body } from '@island/protocol/crypto/body.ts';
import { encodePlaintext } from '@island/protocol/crypto/plaintext.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { actsAfter } from '../messages/acts.ts';
import { history } from '../messages/history.ts';
import { readContact } from '../people/contacts.ts';
import { passing } from '../sending/outbox.ts';
import { oddIsland } from '../testing/odd-island.ts';
import { person } from '../testing/person.ts';

t.setTimeout(120_000);

t.test(
  'M6 pitfall: forwarded keys from strangers: what is for one’s own devices counts from nobody else',
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    await using bob = await person(island, 'bob');
    await using mallory = await person(island, 'mallory');
    await alice.sends('bob', 'mine');
    t.same(await bob.hears(1), ['alice: mine']);
    const ours = alice.islander.account.account;
    const said = (await history(bob.storage)).find((each) => each.type === 'message');
    const id = fromHex(said?.id ?? '');
    const peer = ours;
    const inner = (body: Body) =>
      encodePlaintext({ id: randomBytes(16), sentAt: Date.now(), body });
    const sync = (body: Body): Body => ({
      kind: 'sync',
      peer,
      peerName: 'alice',
      plaintext: inner(body),
    });
    const bodies: Body[] = [
      sync({ kind: 'text', text: 'bob never said this' }),
      sync({ kind: 'delete', id }),
      sync({ kind: 'contact', state: 'blocked' }),
      { kind: 'marks', marks: [{ peer, readUpTo: Date.now() + 1000 }] },
      { kind: 'contact', state: 'blocked' },
      { kind: 'delete', id },
      { kind: 'edit', id, revision: 9, text: 'mallory was here' },
    ];
    const before = await readContact(bob.storage, ours);
    for (const body of bodies) {
      const plaintext = { id: randomBytes(16), sentAt: Date.now(), body };
      await mallory.storage.commit({ append: [passing('bob', plaintext)] });
    }
    t.same(await mallory.sends('bob', 'the end'), ['accepted']);
    await eventually(
      async () =>
        (await history(bob.storage)).some(
          (each) => each.type === 'message' && each.text === 'the end',
        ),
      30_000,
    );
    const told = (await history(bob.storage)).filter((each) => each.type !== 'unreadable');
    t.same(
      told.map((each) => `${each.type === 'message' ? each.from : 'bob'}: ${each.text}`),
      ['alice: mine', 'mallory: the end'],
    );
    t.same(await readContact(bob.storage, ours), before, 'alice is who she was');
    const acts = await actsAfter(bob.storage);
    t.ok(
      acts.every((act) => act.name === 'mallory'),
      'what mallory did is about mallory',
    );
    const [shown] = await bob.islander.conversations.view('alice');
    t.match(shown, { text: 'mine', deleted: false, revision: 0 });
  },
);
