/** M3: entries of the log of a space that no proved device of a member made, at the island and shown to a client. docs/protocol/channel.md §3.2 */
import { openIslander } from '@island/client/islander.ts';
import type { Platform } from '@island/client/platform.ts';
import { ed25519, type SigningPair } from '@island/protocol/crypto/primitives.ts';
import { proveInvited, signEntry } from '@island/protocol/space/entry.ts';
import type { SpaceOp } from '@island/protocol/space/space-op.ts';
import type { SpaceId } from '@island/protocol/wire/ids.ts';
import { parseIslandLink } from '@island/protocol/wire/island-link.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { type Finding, found } from './finding.ts';
import type { Member } from './member.ts';
import { outcomeOf } from './onlooker.ts';
import type { Person } from './people.ts';

export interface Forging {
  owner: Member;
  member: Member;
  /** On the island, and never let in. */
  ghost: Member;
  space: SpaceId;
  /** A link by which people may come. */
  link: string;
}

/** What `by` says in a log that has `seq` entries, signed with a key that may be somebody else's. */
async function entryOf(
  { owner, space }: Forging,
  by: Member,
  op: SpaceOp,
  dsk: SigningPair = by.islander.account.dsk,
): Promise<Uint8Array> {
  const { seq, hash: prev, time } = await owner.islander.spaces.follow(space);
  const { account: actor, device, name } = by.islander.account;
  const { list } = await by.islander.people.refresh(name);
  const place = { space, seq: seq + 1, prev, time };
  return signEntry({ ...place, actor, device, listEpoch: list.epoch, op }, dsk);
}

/** The entry by which somebody comes, with the proof of an invite. */
async function joining({ ghost, space }: Forging, invite: SigningPair): Promise<SpaceOp> {
  const { account, name } = ghost.islander.account;
  const { list } = await ghost.islander.people.refresh(name);
  const { aik, resetCounter: resets } = list;
  const proof = proveInvited(invite, { space, account, aik });
  return { op: 'join', name, aik, resets, bot: false, invite: invite.public, proof };
}

function inviteOf({ link }: Forging): SigningPair {
  const parsed = parseIslandLink(link);
  if (parsed.kind !== 'space') throw new TypeError('not an invite to a server');
  return ed25519.fromSeed(parsed.key);
}

/** What the island takes of it. */
export async function checkService(forging: Forging): Promise<Finding[]> {
  const { owner, member, ghost } = forging;
  const stranger = ed25519.generate();
  const change: SpaceOp = { op: 'settings', title: 'Another', joinLocked: false };
  const invited = await joining(forging, inviteOf(forging));
  const tries: [what: string, by: Member, entry: Uint8Array, wanted: string][] = [
    [
      'a change by the owner that another key signed',
      owner,
      await entryOf(forging, owner, change, stranger),
      'bad_signature',
    ],
    [
      'the same by a member in the name of the owner',
      member,
      await entryOf(forging, owner, change, member.islander.account.dsk),
      'forbidden',
    ],
    [
      'somebody who comes, signed and sent by the owner',
      owner,
      await entryOf(forging, ghost, invited, owner.islander.account.dsk),
      'forbidden',
    ],
    [
      'somebody who comes by an invite of nobody',
      ghost,
      await entryOf(forging, ghost, await joining(forging, stranger)),
      'space_invite_refused',
    ],
    [
      'a change by somebody who is no member',
      ghost,
      await entryOf(forging, ghost, change),
      'not_found',
    ],
  ];
  const findings: Finding[] = [];
  for (const [what, { islander }, entry, wanted] of tries) {
    const outcome = await outcomeOf(() =>
      islander.session.call('appendEntry', { entry: base64url(entry) }),
    );
    findings.push(found(outcome === wanted, `the island, of ${what}: ${outcome}`));
  }
  return findings;
}

type Body = Record<string, unknown>;

/** What a client takes of it whom the island shows it, in the home of a member. */
export async function checkClient(forging: Forging, person: Person): Promise<Finding[]> {
  const { owner, ghost, space } = forging;
  const stranger = ed25519.generate();
  const change: SpaceOp = { op: 'settings', title: 'Another', joinLocked: false };
  const by = { change: await entryOf(forging, owner, change, stranger) };
  const invited = await joining(forging, inviteOf(forging));
  const more = (entry: Uint8Array) => (answer: Body) => ({
    ...answer,
    seq: Number(answer['seq']) + 1,
    entries: [...(answer['entries'] as string[]), base64url(entry)],
  });
  const lies: [what: string, change: (answer: Body) => Body, wanted: string][] = [
    ['a change by the owner that another key signed', more(by.change), 'space_forged'],
    [
      'a ghost: somebody of the island, let in by an invite that leaked, without their device',
      more(await entryOf(forging, ghost, invited, stranger)),
      'space_forged',
    ],
    [
      'the same signed by their device, by an invite of nobody',
      more(await entryOf(forging, ghost, await joining(forging, stranger))),
      'space_forged',
    ],
    ['a log that is shorter than before', (answer) => ({ ...answer, seq: 1 }), 'space_forked'],
  ];
  const line: Line = {};
  const { storage } = person.joining;
  const platform = changing(person.platform, line);
  await using islander = await openIslander({ storage, platform, on: () => undefined });
  const before = (await islander.spaces.follow(space)).seq;
  const findings: Finding[] = [];
  for (const [what, lie, wanted] of lies) {
    line.log = lie;
    const outcome = await outcomeOf(() => islander.spaces.follow(space));
    const { seq, members } = await islander.spaces.known(space);
    const same = seq === before && !members.has(ghost.islander.account.account);
    const took = same ? 'nothing' : 'SOMETHING';
    findings.push(
      found(outcome === wanted && same, `a client, shown ${what}: ${outcome}, and took ${took}`),
    );
  }
  delete line.log;
  const then = await outcomeOf(() => islander.spaces.follow(space));
  findings.push(found(then === 'space_forked', `the same client from then on: ${then}`));
  return findings;
}

interface Line {
  /** What the island says of a log is put in another's place. */
  log?: (answer: Body) => Body;
}

const changing = (base: Platform, line: Line): Platform => ({
  ...base,
  transport: (pinned) => {
    const way = base.transport(pinned);
    return {
      ...way,
      async request(request) {
        const answer = await way.request(request);
        if (line.log === undefined || request.path !== '/v1/spaces/log' || answer.status !== 200)
          return answer;
        const told = JSON.parse(Buffer.from(answer.body).toString('utf8')) as Body;
        return { ...answer, body: Buffer.from(JSON.stringify(line.log(told))) };
      },
    };
  },
});
