/**
 * What operators ask about servers, over their unix socket. docs/operations.md §8
 *
 *     GET  /servers[?after=ID]          → { servers: [{ id, title, owner, members, channels, posts, bytes, closed }] }
 *     GET  /servers/policy              → { beginners, listed }                  names
 *     POST /servers/policy { beginners?, allow?, remove? } → { beginners, listed }
 *     POST /servers/close { space }     → {}
 *
 * A page has nothing behind it when the next one is empty. Services know people by account; operators by name.
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { accounts } from '../accounts/contract.ts';
import type { Bus } from '../kit/bus.ts';
import { beginners, spaces } from '../spaces/contract.ts';

const names = v.optional(v.pipe(v.array(s.person), v.maxLength(100)), []);

/** As many as accounts names at once. */
const mostNamed = 500;

export const serverRequests = {
  page: v.strictObject({ after: v.optional(s.space) }),
  policy: v.strictObject({
    beginners: v.optional(v.picklist(beginners)),
    allow: names,
    remove: names,
  }),
  close: spaces.calls.shutDown.request,
};

export async function serverPage(
  bus: Bus,
  { after }: v.InferOutput<typeof serverRequests.page>,
): Promise<object> {
  const { spaces: page } = await bus.call(spaces, 'table', after === undefined ? {} : { after });
  const known = await namesOf(bus, [...new Set(page.map(({ owner }) => owner))]);
  const servers = page.map(({ space, owner, ...rest }) => {
    // Null where the owner's account has ended.
    return { id: space, ...rest, owner: known.get(owner) ?? null };
  });
  return { servers };
}

export async function shownPolicy(bus: Bus): Promise<object> {
  const { beginners, listed } = await bus.call(spaces, 'policy', {});
  return { beginners, listed: [...(await namesOf(bus, listed)).values()].sort() };
}

/** Throws `unknown_person` for a name that nobody has; nothing is changed then. */
export async function changePolicy(
  bus: Bus,
  { beginners, allow, remove }: v.InferOutput<typeof serverRequests.policy>,
): Promise<object> {
  const asked = [...new Set([...allow, ...remove])];
  const { people } = await bus.call(accounts, 'whoIs', { names: asked, accounts: [] });
  const accountOf = new Map(people.map(({ name, account }) => [name, account]));
  if (asked.some((name) => !accountOf.has(name))) throw new Fault('unknown_person');
  const before = await bus.call(spaces, 'policy', {});
  // Accounts that have ended leave the list with the next change of it.
  const listed = new Set((await namesOf(bus, before.listed)).keys());
  for (const name of allow) listed.add(accountOf.get(name) as AccountId);
  for (const name of remove) listed.delete(accountOf.get(name) as AccountId);
  const next = { beginners: beginners ?? before.beginners, listed: [...listed] };
  await bus.call(spaces, 'setPolicy', next);
  return shownPolicy(bus);
}

async function namesOf(bus: Bus, asked: readonly AccountId[]): Promise<Map<AccountId, string>> {
  const known = new Map<AccountId, string>();
  for (let at = 0; at < asked.length; at += mostNamed) {
    const part = asked.slice(at, at + mostNamed);
    const { people } = await bus.call(accounts, 'whoIs', { names: [], accounts: part });
    for (const { name, account } of people) known.set(account, name);
  }
  return known;
}
