/** What `island servers` says, in sentences. docs/operations.md §8 */
import { columns } from './terminal.ts';

/** Who may begin servers. */
export const beginnerModes = ['everybody', 'listed', 'nobody'] as const;
export type BeginnerMode = (typeof beginnerModes)[number];

export interface ServerRow {
  id: string;
  /** Empty where what is kept of the server does not open. */
  title: string;
  /** Null where the owner's account has ended. */
  owner: string | null;
  members: number;
  channels: number;
  posts: number;
  /** Of entries and posts. */
  bytes: number;
  closed: boolean;
}

export interface ServerPolicy {
  beginners: BeginnerMode;
  /** Names, whether or not they count at present. */
  listed: string[];
}

const many = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

const amount = (bytes: number): string => {
  if (bytes < 1000) return many(bytes, 'byte');
  const [unit, name] = bytes < 1e6 ? [1e3, 'kB'] : bytes < 1e9 ? [1e6, 'MB'] : [1e9, 'GB'];
  return `${(bytes / unit).toFixed(1)} ${name}`;
};

const titleOf = ({ title }: ServerRow): string => (title === '' ? '(does not open)' : title);

export function formatServers(servers: readonly ServerRow[], hint: string): string {
  if (servers.length === 0)
    return `Nobody has begun a server. Who may: npx island servers policy${hint}`;
  const rows = servers.map((row): [string, string] => {
    const { id, owner, members, channels, posts, bytes, closed } = row;
    const only = servers.filter((other) => titleOf(other) === titleOf(row)).length === 1;
    const parts = [
      `of ${owner ?? 'an account that has ended'}`,
      many(members, 'member'),
      many(channels, 'channel'),
      many(posts, 'post'),
      amount(bytes),
      ...(closed ? ['closed'] : []),
      ...(only && row.title !== '' ? [] : [id]),
    ];
    return [titleOf(row), parts.join(', ')];
  });
  return columns(rows);
}

export function formatServerPolicy({ beginners, listed }: ServerPolicy, hint: string): string {
  const about = {
    everybody: 'Everybody on the island may begin servers.',
    listed: 'Who is on the list may begin servers, and nobody else.',
    nobody: 'Nobody may begin servers. Those that there are go on.',
  };
  const list =
    listed.length === 0
      ? 'Nobody is on the list.'
      : `On the list${beginners === 'listed' ? '' : ', which does not count now'}: ${listed.join(', ')}`;
  const how = `npx island servers policy listed${hint} --allow NAME`;
  const next = beginners === 'listed' && listed.length === 0 ? `\nPut somebody on it: ${how}` : '';
  return `Servers: ${beginners}\n${about[beginners]}\n${list}${next}`;
}
