/** What `island monitor` says to people: what happened, and what to do. */
import type { Style } from '../terminal.ts';
import type { Telling } from './monitor.ts';
import type { News } from './watching.ts';

const doings = {
  register: 'it is there for the first time',
  update: 'its devices were changed',
  rotate: 'the identity key was replaced, with the consent of the one before',
  reset: 'the identity key was replaced WITHOUT the consent of the one before',
  revoke: 'a device was removed',
  erase: 'it was ended',
} as const;

/** Those that a name knows. */
const doingsOfNames: Partial<Record<keyof typeof doings, string>> = {
  update: 'it leads to somebody',
  erase: 'it was given back',
};

const announcements = {
  policy: 'another witness policy',
  vrf: 'a VRF key',
  successor: 'another log that goes on where this one ends',
  audit: 'a note of an auditor',
  predecessor: 'the log that this one was begun in place of',
} as const;

const time = (at: string | null): string => at ?? 'no epoch yet';

/** Lines, or nothing where there is nothing to say. `vkey`: of the log. */
export function sayTelling(
  telling: Telling,
  { bold, dim, good, bad }: Style,
  vkey: string,
): string | undefined {
  switch (telling.type) {
    case 'audit': {
      const { verdict, newEntries, size, origin, notices } = telling;
      if (verdict !== 'consistent' || newEntries === 0) return undefined;
      const word = good('in order');
      return [
        `${bold(origin)}  ${size} entries, ${newEntries} of them new  ${word}`,
        ...notices.map((notice) => `  ${notice}`),
      ].join('\n');
    }
    case 'watching':
      return `${watching(telling)}${telling.rebound ? `\n${bad(rebound)}` : ''}`;
    case 'event':
      return event(telling, bad, dim);
    case 'operator': {
      const { what, number, entry, at } = telling;
      const ask = {
        policy: 'Look at who witnesses the log from now on: island audit tells.',
        vrf: 'A log has one for ever.',
        successor:
          'Ask the operator why, by another way than the island, and audit the next log with a --state of its own.',
        audit: '',
        predecessor: 'Ask the operator why, by another way than the island.',
      }[what];
      return `The operator announces ${announcements[what]} (number ${number}, entry ${entry}, ${time(at)}). ${ask}`.trimEnd();
    }
    case 'finding': {
      const { text, evidence } = telling;
      if (evidence === undefined) return bad(`FOUND: ${text}`);
      return [
        bad(`FOUND: ${text}`),
        `  Evidence: ${evidence}`,
        `  What to do: give that file to others, who check it without asking anybody: npx island evidence verify ${evidence} --vkey ${vkey}`,
        '  People of this island should take over no new keys meanwhile, and compare safety numbers: tell them by another way than the island.',
      ].join('\n');
    }
    case 'recovered':
      return good('What was found is no longer so.');
    case 'still':
      return bad(
        `The log stands still: its newest epoch is of ${telling.since}, and one follows within 20 minutes. Either the island has a problem, or it shows you an old log: ask somebody there what islander directory says.`,
      );
    case 'waiting':
      return `${telling.text} Trying again in ${telling.retrySeconds} s.`;
  }
}

const rebound =
  '  The name leads to somebody else than before, without having been given back: that breaks the rules of the log. Ask the person by another way than the island.';

function watching({ title, place, version, entry, at }: News & { type: 'watching' }): string {
  return version === 0
    ? `Watching ${title} (${place}): there is nothing yet.`
    : `Watching ${title} (${place}): version ${version}, entry ${entry}, ${time(at)}.`;
}

function event(
  { title, kind, version, entry, at, what, ...news }: News & { type: 'event' },
  bad: Style['bad'],
  dim: Style['dim'],
): string {
  const said = what
    .map((flag) => (kind === 'name' ? doingsOfNames[flag] : undefined) ?? doings[flag])
    .join('; ');
  const line = `${title}: ${said}. ${dim(`Version ${version}, entry ${entry}, ${time(at)}.`)}`;
  if (news.rebound) return `${bad(line)}\n${bad(rebound)}`;
  const grave = what.includes('reset') || what.includes('erase');
  const advice =
    '  If the person did not do this, somebody else did: compare with islander devices on a device of theirs, tell those who write to them, and have the account begun anew.';
  return `${grave ? bad(line) : line}\n${advice}`;
}
