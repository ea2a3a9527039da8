/** What `island` says about who may join, in sentences. docs/operations.md §8 */
import type { RegistrationMode, Role } from '@island/protocol/wire/account-routes.ts';
import type { Claim } from './option-values.ts';
import { columns } from './terminal.ts';

export interface InviteRow {
  hint: string;
  uses: number;
  used: number;
  /** Unix seconds. */
  expires: number;
  role: Role;
}
export interface Applicant {
  name: string;
  /** Unix seconds. */
  since: number;
}
export interface Registration {
  registration: RegistrationMode;
  /** What the organisation's sign-in is called, where there is one. */
  oidc?: string;
}
export interface ProviderShown {
  callback: string;
  provider: { title: string; issuer: string; client: string; require?: Claim } | null;
}

/** @param seconds Unix */
export const instant = (seconds: number): string => new Date(seconds * 1000).toISOString();
const minute = (seconds: number): string =>
  `${instant(seconds).slice(0, 16).replace('T', ' ')} UTC`;

/** @param hint what other commands need to find the island, such as ` --data DIR` */
export function formatInvites(invites: readonly InviteRow[], hint: string): string {
  if (invites.length === 0) return `No invite is good. Make one with: npx island invite${hint}`;
  const rows = invites.map(({ hint: id, uses, used, expires, role }): [string, string] => [
    id,
    `${used} of ${uses} used, until ${minute(expires)}, ${role}`,
  ]);
  return `${columns(rows)}\n\nWithdraw one with: npx island invites withdraw${hint} ${invites[0]?.hint}`;
}

export function formatRegistration(
  { registration, oidc }: Registration,
  link: string,
  hint: string,
): string {
  const known = oidc === undefined ? '' : ` So does whom ${oidc} lets in.`;
  const about = {
    closed: 'Nobody can join, not even with an invite.',
    invite: `Who has an invite can join: npx island invite${hint} makes one.${known}`,
    approval: `Who has an invite can join at once.${known} Everybody else waits for your word: npx island people waiting${hint}`,
    open: 'Everybody who reaches the island can join.',
  };
  const without =
    registration === 'open' || registration === 'approval' || (oidc && registration === 'invite');
  const first = `Registration: ${registration}\n${about[registration]}`;
  return without ? `${first}\n\nThe link without an invite:\n${link}` : first;
}

export function formatWaiting(applicants: readonly Applicant[], hint: string): string {
  if (applicants.length === 0) return 'Nobody waits to be let in.';
  const rows = applicants.map(({ name, since }): [string, string] => [
    name,
    `since ${minute(since)}`,
  ]);
  return `${columns(rows)}\n\nYour word: npx island people admit${hint} NAME, or refuse in place of admit.`;
}

export function formatProvider({ callback, provider }: ProviderShown, hint: string): string {
  if (provider === null) {
    return `No sign-in of an organisation is set up.

At the provider, register a confidential web client that may come back to
${callback}
Then: npx island oidc set${hint} --title NAME --issuer URL --client ID --secret-file FILE`;
  }
  const { title, issuer, client, require } = provider;
  return columns([
    ['Organisation', title],
    ['Issuer', issuer],
    ['Client', client],
    [
      'Lets in',
      require === undefined ? 'everybody it knows' : `who has ${require.claim}=${require.value}`,
    ],
    ['Comes back to', callback],
  ]);
}
