/** `islander report`, `reports`: posts shown to those who moderate. docs/protocol/channel.md §9.2 */
import { type ReportReason, reportReasons } from '@island/protocol/crypto/report.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import { openReports, type ReportOpened, reportPosts } from '../../channels/reports.ts';
import { Problem } from '../../problem.ts';
import { atPlace, readPlace } from '../channels/at-place.ts';
import { postCalled } from '../channels/posts.ts';
import type { AddCommand } from '../command.ts';
import { given } from '../credentials.ts';
import { day } from '../dates.ts';
import { type AtServer, atServer } from '../servers/act.ts';
import { nameIn, titleOf } from '../servers/shown.ts';
import { harmless } from '../terminal.ts';
import { usage } from '../usage.ts';

export function reportCommands(add: AddCommand): void {
  reportCommand(add);
  reportsCommand(add);
}

function reportCommand(add: AddCommand): void {
  add(
    'report <channel> <posts...>',
    'shows posts to the moderators of a server; nobody else can open the report, the island neither',
    [
      "islander report '#general' 12 --reason spam",
      "islander report '#general' 12 13 --reason harassment --comment 'Again, after the pause'",
    ],
    (command) =>
      command
        .requiredOption('--reason <reason>', reportReasons.join(', '))
        .option('--comment <text>', 'what you say about it, to moderators alone'),
    async (context, [name = '', ...called], options) => {
      const reason = reportReasons.find((each) => each === options['reason']);
      if (!reason) throw usage(context.terminal, `--reason is one of ${reportReasons.join(', ')}.`);
      const why: { reason: ReportReason; comment: string } = {
        reason,
        comment: given(options['comment']) ?? '',
      };
      await atPlace(context, name, async (at) => {
        await readPlace(at);
        const { islander, storage, place, terminal, signal } = at;
        const posts = await Promise.all(called.map((each) => postCalled(islander, place, each)));
        const seqs = posts.flatMap(({ seq }) => (seq === undefined ? [] : [seq]));
        const { account, session, spaces } = islander;
        const of = { space: place.state.space, channel: place.channel.channel, seqs };
        const report = await reportPosts({ account, storage, session, spaces }, of, why, signal);
        terminal.say('The moderators of the server can read it now. They see that you sent it.', {
          ...{ type: 'reported', report, server: place.state.space, seqs, reason },
        });
      });
    },
  );
}

function reportsCommand(add: AddCommand): void {
  add(
    'reports <server> [action] [report]',
    'what was reported on a server, for its moderators; "close" REPORT closes one, acted on, or with --dismiss not',
    [
      "islander reports 'Book club'",
      "islander reports 'Book club' close 5f0c2a91",
      "islander reports 'Book club' close 5f0c2a91 --dismiss",
    ],
    (command) => command.option('--dismiss', 'there was nothing to do'),
    async (context, [server = '', action = 'list', which = ''], { dismiss }) => {
      if (action !== 'list' && (action !== 'close' || which === ''))
        throw usage(context.terminal, 'It is: reports SERVER, or reports SERVER close REPORT.');
      await atServer(context, server, async (at) => {
        const { state, islander, act, terminal, signal, storage } = at;
        const { account, session, spaces } = islander;
        const all = await openReports({ account, storage, session, spaces }, state.space, signal);
        if (action === 'close') {
          const found = all.filter(({ id }) => id.startsWith(which));
          const [only] = found;
          if (!only || found.length > 1) throw new Problem('report_unknown', { report: which });
          const acted = dismiss !== true;
          await act({ op: 'reportClosed', report: fromHex(only.id), acted });
          terminal.say(acted ? 'It is closed: something was done.' : 'It is dismissed.', {
            ...{ type: 'report-closed', report: only.id, server: state.space, acted },
          });
          return;
        }
        for (const each of all) terminal.say(linesOf(at, each), objectOf(at, each));
        if (all.length === 0 && !terminal.json)
          terminal.say(`Nothing is reported on ${titleOf(state)}.`, {});
      });
    },
  );
}

function linesOf({ state }: AtServer, { id, by, day: days, report, posts }: ReportOpened): string {
  const head = `${id.slice(0, 8)}  ${day(days)}  by ${nameIn(state, by)}`;
  if (!report) return `${head}  (not sealed to this device)`;
  const channel = state.channels.get(report.channel);
  const comment = report.comment === '' ? '' : `: ${harmless(report.comment)}`;
  const lines = posts.map(({ seq, author, text, proved }) => {
    if (text === undefined) return `    ${seq} (can't be read any more)`;
    const whose = author === undefined ? '?' : nameIn(state, author);
    return `    ${seq} ${whose}: ${harmless(text).replaceAll('\n', '\n      ')}${proved ? '' : ' (not proved)'}`;
  });
  return [`${head}  #${harmless(channel?.name ?? '?')}  ${report.reason}${comment}`, ...lines].join(
    '\n',
  );
}

const objectOf = ({ state }: AtServer, { id, by, day: days, report, posts }: ReportOpened) => ({
  ...{ type: 'report', report: id, server: state.space, by: nameIn(state, by), day: day(days) },
  ...(report && { channel: report.channel, reason: report.reason, comment: report.comment }),
  posts: posts.map(({ author, ...post }) => ({
    ...post,
    from: author === undefined ? undefined : nameIn(state, author),
  })),
});
