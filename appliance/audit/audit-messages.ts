/** What `island audit` says to people. */
import type { Style } from '../terminal.ts';
import type { Audited } from './audit.ts';
import { sentences } from './report.ts';

export function formatAudit(
  { report, text, cosigned, auditor }: Audited,
  { bold, dim, good, bad }: Style,
): string {
  const { verdict, origin, checkpoint } = report;
  const word = verdict === 'consistent' ? good('in order') : bad('NOT in order');
  const lines = sentences(report).map((line) =>
    line.startsWith('FOUND: ') ? `  ${bad(line)}` : `  ${line}`,
  );
  return `
${bold(origin)}  ${checkpoint === null ? '' : `${checkpoint.size} entries  `}${word}

${lines.join('\n')}

  Report    ${text} ${dim(`(signed by ${auditor})`)}
${cosigned === undefined ? '' : `  Cosigned  ${cosigned}\n`}
`;
}
