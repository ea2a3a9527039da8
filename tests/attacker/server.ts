/** A server of two people, who post in it and report: what a thief of its island looks for. docs/protocol/channel.md */
import { memberOf, type Place } from '@island/appliance/verify/member.ts';
import type { Person } from '@island/appliance/verify/people.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { sealReport } from '@island/protocol/crypto/sealed-report.ts';
import { base64url } from '@island/protocol/wire/text.ts';

export interface Posted extends Place {
  /** Of the server, the channel and its topic, a role: in the clear, what the island itself knows. */
  names: string[];
  /** Of posts, and of the report. */
  texts: string[];
  /** As they were sent. */
  posts: Uint8Array[];
  entries: Uint8Array[];
  /** For moderators. */
  report: Uint8Array;
}

const title = 'The Winter Garden';
const channelName = 'potting-shed';
const topic = 'what grows there in January';
const role = 'keeper of the keys';
const comment = 'this is about seeds only';
const texts = ['the seeds came today', 'sown this afternoon', 'watered, too'];

export async function postOnServer(owner: Person, other: Person): Promise<Posted> {
  await using one = await owner.open();
  await using two = await other.open();
  const { space, channels } = await one.spaces.create(title);
  const [channel] = channels.keys();
  const first = channels.values().next().value;
  if (channel === undefined || first === undefined) throw new Error('there is no channel');
  const { kind, parent, position, slowSeconds, history, overrides } = first;
  const rest = { kind, parent, position, slowSeconds, history, overrides };
  await one.spaces.act(space, { op: 'channel', channel, ...rest, name: channelName, topic });
  await one.spaces.act(space, { op: 'role', role: 1, name: role, position: 1, permissions: 0 });
  await two.spaces.join(await one.spaces.invite(space, { expires: 0, uses: 1, role: 0 }));
  const [author, reader] = [memberOf(one), memberOf(two)];
  await author.begin({ space, channel }, [reader]);
  const posts: Uint8Array[] = [];
  for (const text of texts) {
    const sealed = await author.seal(text);
    await author.post(sealed);
    posts.push(sealed);
  }
  const { list } = await two.people.refresh(owner.name);
  const { account, devices } = list;
  const readers = devices.map(({ device, dik }) => ({ account, device, dik }));
  const about = { space, channel, posts: [{ seq: 1, messageKey: randomBytes(32) }] };
  const report = sealReport({ ...about, reason: 'spam', comment }, readers);
  const filed = { report: base64url(randomBytes(16)), sealed: base64url(report) };
  await two.session.call('report', { space, ...filed });
  const { entries } = await one.session.call('spaceLog', { space, after: 0 });
  return {
    space,
    channel,
    names: [title, channelName, topic, role],
    texts: [...texts, comment],
    posts,
    entries,
    report,
  };
}
