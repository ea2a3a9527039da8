/** `island audit`, `island monitor`, `island proof verify | compare`, `island evidence verify`: what anybody checks about a log. docs/operations.md §13 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { Fault } from '@island/protocol/wire/fault.ts';
import { Stated } from '@island/provisioning/stated.ts';
import { fromEnvironment } from '@island/services/kit/config.ts';
import { type Command, Option } from 'commander';
import { toFolder, toSeconds } from '../option-values.ts';
import { openProgress, styleFor } from '../terminal.ts';
import type { Streams } from '../up-command.ts';
import type { AuditOptions } from './audit.ts';
import { type AuditFlags, pinOptions } from './audit-flags.ts';
import { Misbehaviour } from './findings.ts';
import type { MonitorFlags } from './monitor-command.ts';
import type { Place } from './place.ts';

interface Program {
  island: Command;
  streams: Streams;
}

/** Where an auditor keeps what it saw. */
const defaultState = (): string =>
  join(
    fromEnvironment('XDG_STATE_HOME')?.value ?? join(homedir(), '.local/state'),
    'private-island/audit',
  );

export function addAuditCommands(program: Program): void {
  addAudit(program);
  addMonitor(program);
  addProof(program);
  addEvidence(program);
}

const json = (command: Command): Command =>
  command.option('--json', 'one line of JSON on standard output, for programs');

const pinned = (command: Command): Command =>
  command
    .option('--vkey <vkey>', "the log's key as one line, as somebody else has it")
    .option('--policy <file>', 'file of the witness policy (c2sp.org/tlog-policy)');

function addAudit({ island, streams }: Program): void {
  const command = island
    .command('audit')
    .description('replays the whole log of an island, and compares it with every earlier audit')
    .argument('<island>', 'its address, a link to it, or the file or line of its card')
    .addHelpText(
      'after',
      `
Exit codes: 0 everything is in order, 1 it could not be done, 3 the log misbehaves.
What concerns single people, such as a device that somebody did not add, their own clients watch: only they can
tell which entries are theirs.`,
    );
  auditing(command)
    .option('--cosign', 'adds a cosignature of this auditor to the checkpoint, in a file')
    .action(async (place: string, flags: AuditFlags) => {
      const { readPlace } = await import('./place.ts');
      const named = orUsage(command, () => readPlace(place));
      await runAudit(named, flags, streams);
    });
}

/** What whoever audits has to know beforehand, and keeps. */
const auditing = (command: Command): Command =>
  json(pinned(command))
    .option('--vrf <key>', 'the public key of the VRF, as the island says it')
    .option('--ca <file>', 'file of the certificate authority of the island (pki/root.crt)')
    .option('--ca-fingerprint <fingerprint>', 'its SHA-256, as island up prints it')
    .addOption(
      new Option('--state <dir>', 'folder of this auditor: its key, and what it saw')
        .argParser(toFolder)
        .default(defaultState(), 'private-island/audit below ~/.local/state'),
    )
    .option('--allow-unwitnessed', 'goes on where the policy asks for no witness');

function addMonitor({ island, streams }: Program): void {
  const command = island
    .command('monitor')
    .description('audits an island again and again, and tells what is new of whom it watches')
    .argument('<island>', 'its address, a link to it, or the file or line of its card')
    .addHelpText(
      'after',
      `
Exit codes: 0 it was ended, or with --once everything is in order and nothing is new; 1 it could not be done;
3 the log misbehaves; 4 with --once: there is news of what is watched or of the operator, or the log stands still.
With --json each line is an object with a type: audit, watching, event, operator, finding, recovered, still, waiting.
Everything is told at least once: after a crash it may be told again. A network that fails is tried again.`,
    );
  auditing(command)
    .addOption(
      new Option(
        '--watch <proof>',
        'a .tlog-proof file (islander directory proof), or a place: 64 hexadecimal digits or base64url; may be repeated',
      )
        .argParser((value: string, before: string[]) => [...before, value])
        .default([], 'nobody'),
    )
    .addOption(
      new Option('--every <time>', 'between two audits, such as 10m')
        .argParser(toSeconds)
        .default(600, '10m'),
    )
    .option('--once', 'audits and tells once, and ends')
    .action(async (place: string, flags: MonitorFlags) => {
      const { readPlace } = await import('./place.ts');
      const named = orUsage(command, () => readPlace(place));
      const { runMonitor } = await import('./monitor-command.ts');
      await runMonitor(named, flags, streams);
    });
}

/** Ends with exit code 2 where it is no name of an island. */
function orUsage<T>(command: Command, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return command.error(
      'error: This names no island. It is an address such as https://chat.example.org:8443, an island:// link, or the file of a card.',
    );
  }
}

async function runAudit(place: Place, flags: AuditFlags, streams: Streams): Promise<void> {
  // Loads the whole of the log's cryptography, which no other command needs.
  const { audit } = await import('./audit.ts');
  const { formatAudit } = await import('./audit-messages.ts');
  const people = flags.json ? streams.stderr : streams.stdout;
  const progress = openProgress(people);
  const stop = new AbortController();
  const end = (): void => stop.abort();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
  const options: AuditOptions = {
    ...(await pinOptions(place, flags)),
    state: resolve(flags.state),
    allowUnwitnessed: flags.allowUnwitnessed === true,
    cosign: flags.cosign === true,
    progress,
    signal: stop.signal,
  };
  const audited = await audit(options).catch((error) => {
    progress.cut();
    throw error;
  });
  const { report, text, cosigned, auditor } = audited;
  const files = { report: text, ...(cosigned === undefined ? {} : { cosigned }) };
  if (flags.json) streams.stdout.write(`${JSON.stringify({ ...report, auditor, files })}\n`);
  else people.write(formatAudit(audited, styleFor(people)));
  if (report.verdict === 'misbehaving')
    throw new Misbehaviour(`The log of ${report.address} misbehaves. The report is ${text}.`);
  if (report.verdict === 'unwitnessed')
    throw new Stated(
      'Nothing is wrong with this log, but its policy asks for no witness: it could show everybody another history. --allow-unwitnessed accepts that.',
    );
}

function addProof({ island, streams }: Program): void {
  const proof = island
    .command('proof')
    .description('checks proofs of a log that somebody kept in a file');
  const verify = proof
    .command('verify')
    .description('checks a .tlog-proof: that a log and its witnesses signed what is in it')
    .argument('<file>')
    .option('--vrf <key>', 'the public key of the VRF; needed with --name and --account')
    .option('--name <name>', 'the person whom the proof is about')
    .option('--account <id>', 'the account that the proof is about, 32 hexadecimal digits')
    .option('--allow-unwitnessed', 'accepts a policy that asks for no witness');
  json(pinned(verify)).action(async (file: string, flags: ProofFlags) => {
    const { verifyProof } = await import('./proof-command.ts');
    await verifyProof(file, flags, streams);
  });
  const compare = proof
    .command('compare')
    .description('compares two checkpoints of one log: exit code 3 where they can not both be true')
    .argument('<first>', 'file of a signed checkpoint, or a .tlog-proof')
    .argument('<second>', 'file of another')
    .requiredOption('--vkey <vkey>', "the log's key as one line")
    .option('--out <file>', 'where evidence is written', `fork.kt-evidence`);
  json(compare).action(async (first: string, second: string, flags: CompareFlags) => {
    const { compareCheckpoints } = await import('./compare-command.ts');
    await compareCheckpoints([first, second], flags, streams);
  });
}

export interface ProofFlags {
  vkey?: string;
  policy?: string;
  vrf?: string;
  name?: string;
  account?: string;
  allowUnwitnessed?: true;
  json?: true;
}

export interface CompareFlags {
  vkey: string;
  out: string;
  json?: true;
}

export interface EvidenceFlags {
  vkey: string;
  policy?: string;
  json?: true;
}

function addEvidence({ island, streams }: Program): void {
  const evidence = island
    .command('evidence')
    .description('checks evidence against a log or a witness');
  const verify = evidence
    .command('verify')
    .description('checks a .kt-evidence file: exit code 0 where it convicts, 1 where it does not')
    .argument('<file>')
    .requiredOption('--vkey <vkey>', "the log's key as one line")
    .option('--policy <file>', 'file of the witness policy: needed to convict a witness');
  json(verify).action(async (file: string, flags: EvidenceFlags) => {
    const { verifyFile } = await import('./evidence-command.ts');
    await verifyFile(file, flags, streams);
  });
}
