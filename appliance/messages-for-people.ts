/** The texts of the `island` command for people. */
import type { LogStatus, StatusReport } from './status-report.ts';
import { columns, type Style } from './terminal.ts';
import type { Welcome } from './up.ts';
import { logProblems } from './witness-messages.ts';

export function formatPassphrase(passphrase: string, { bold }: Style): string {
  return `
  Root passphrase   ${bold(passphrase)}

  Write it down now: it is shown this once and kept nowhere. Whoever has it and the
  data folder can renew the certificate authority; without it nobody can.

`;
}

export function formatMasterKey(file: string, { bold }: Style): string {
  return `
  Master key        ${bold(file)}

  Everything that the island keeps is sealed under it. Copy it now to where no copy
  of the data folder lies: without it nobody can open what is in there.

`;
}

/** @param flags what later commands need to find this island, such as `--data DIR` */
export function formatWelcome(welcome: Welcome, flags: string, { bold, dim, good }: Style): string {
  const { address, caFingerprint, caFile, setupToken, invite } = welcome;
  const rows: [string, string][] = [
    ['Address', bold(address)],
    ['CA fingerprint', `${caFingerprint} ${dim('(SHA-256 of the root certificate)')}`],
    ['CA file', caFile],
  ];
  if (setupToken !== null)
    rows.push([
      'Setup token',
      `${setupToken} ${dim('(for the first operator; the web console is still to come)')}`,
    ]);
  if (invite !== null) rows.push(['Invite link', bold(invite)]);
  const next =
    invite === null
      ? `  Invite people with:  npx island invite${flags}`
      : `  The first person joins, in another terminal, with:\n\n    npx islander register '${invite}' alice`;
  return `
${good('The island is up.')}

${columns(rows)}

${next}

  ${dim(`npx island status${flags} shows how it is. Ctrl-C stops it.`)}

`;
}

/** @param hint what other commands need to find the island, such as ` --data DIR` */
export function formatStatus(
  report: StatusReport,
  style: Style,
  log?: LogStatus,
  hint = '',
): string {
  const { bold, dim, good, bad } = style;
  const units = report.units.map((unit): [string, string] => {
    const what =
      unit.kind === 'engine'
        ? `engine ${unit.version ?? ''}`
        : unit.services.join(', ') || 'issuing keys';
    const state = unit.state === 'ready' ? good(unit.state) : bad(unit.state);
    const pid = unit.pid === null ? '' : `pid ${unit.pid}, up ${period(unit.uptime)}`;
    const restarts =
      unit.restarts === 0
        ? ''
        : `, restarted ${unit.restarts === 1 ? 'once' : `${unit.restarts} times`}`;
    return [unit.name, `${state}  ${what}  ${dim(`${pid}${restarts}`)}`];
  });
  const certificates = report.certificates.map(({ name, notAfter }): [string, string] => [
    name,
    `until ${notAfter.slice(0, 16).replace('T', ' ')} UTC ${dim(`(${left(notAfter)})`)}`,
  ]);
  const everybody = [{ name: 'supervisor', listeners: report.listeners }, ...report.units];
  const listeners = everybody.flatMap(({ name, listeners }) => {
    const files = listeners.filter(({ protocol }) => protocol === 'unix').length;
    const open = listeners.filter(({ protocol }) => protocol !== 'unix');
    const texts = open.map(({ protocol, address }) => `${protocol} ${address}`);
    if (files > 0) texts.push(`${files} unix ${files === 1 ? 'socket' : 'sockets'}`);
    return texts.length === 0 ? [] : [[name, texts.join(', ')] as [string, string]];
  });
  return `
${bold(report.name)}  ${report.address}  ${report.ready ? good('up') : bad('not ready')} ${dim(`(supervisor ${report.pid}, ${period(report.uptime)})`)}

${columns(units)}

  ${bold('Certificates')}
${columns(certificates)}

  ${bold('Listeners')}
${columns(listeners)}

  ${bold('Log of keys')}
${columns(logRows(log, style, hint))}

`;
}

function logRows(
  log: LogStatus | undefined,
  { dim, good, bad }: Style,
  hint: string,
): [string, string][] {
  if (log === undefined) return [['state', bad('does not answer')]];
  const { size, epoch, witnessed, quorum, witnesses, waiting, problem } = log;
  const age = period(Math.max(0, Math.round((Date.now() - Date.parse(epoch)) / 1000)));
  const signers =
    quorum === null ? `${witnesses}, as the policy says` : `${quorum} of ${witnesses} have to sign`;
  const nobody = `nobody: people have the island's word alone ${dim(`(npx island witness${hint})`)}`;
  const rows: [string, string][] = [
    ['published', `${size} entries, the newest epoch ${age} old`],
    ['witnesses', witnessed ? good(signers) : nobody],
  ];
  if (waiting !== undefined) rows.push(['waiting', `${waiting} entries, for the witnesses`]);
  if (problem !== undefined) rows.push(['problem', bad(logProblems[problem])]);
  return rows;
}

function period(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}

function left(notAfter: string): string {
  const seconds = Math.round((Date.parse(notAfter) - Date.now()) / 1000);
  return seconds < 0 ? 'expired' : `${period(seconds)} left`;
}
