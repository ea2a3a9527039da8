/**
 * What an auditor says, signed with its own key: the report as JSON, and a signed note that names its hash, so that
 * any tool for notes verifies it. docs/protocol/transparency.md §9.3
 *
 *     note = "pi-kt/audit/v1\n" ‖ origin ‖ "\n" ‖ decimal size ‖ "\n" ‖ base64( root 32 ) ‖ "\n"
 *            ‖ verdict ‖ "\n" ‖ base64( SHA-256( report.json ) ) ‖ "\n" ‖ sentences
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ed25519, sha256 } from '@island/protocol/crypto/primitives.ts';
import { type Cosigner, ed25519Cosigner } from '@island/protocol/transparency/cosignature.ts';
import {
  formatVkey,
  type NoteSigner,
  noteSigner,
  signNote,
} from '@island/protocol/transparency/note.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { base64, fromBase64url, hex } from '@island/protocol/wire/text.ts';
import { Stated } from '@island/provisioning/stated.ts';
import type { Finding } from './findings.ts';

/** `unwitnessed`: nothing is wrong, and nobody vouches that others see the same. */
export type Verdict = 'consistent' | 'unwitnessed' | 'misbehaving';

export interface Report {
  format: 'pi-kt/audit/v1';
  verdict: Verdict;
  address: string;
  origin: string;
  vkey: string;
  /** The checkpoint that was looked at; absent where none could be read. */
  checkpoint: { size: number; root: string; note: string } | null;
  /** Entries that were replayed, in all runs, and in this one. */
  entries: number;
  newEntries: number;
  labels: number;
  events: number;
  epochs: number;
  resets: number;
  erasures: number;
  /** Base64, and ISO time, of the newest epoch; `null` before the first. */
  mapRoot: string | null;
  epochTime: string | null;
  /** By the policy, with Unix seconds. */
  witnessed: boolean;
  cosigners: { name: string; timestamp: number }[];
  findings: Finding[];
  /** How many there are, where `findings` has only the first of them. */
  findingCount: number;
  /** What was taken on trust, and what else a reader should know. */
  notices: string[];
  /** ISO time of the audit. */
  at: string;
}

export interface AuditorKeys {
  reports: NoteSigner;
  checkpoints: Cosigner;
}

/** Made at the first run: one key for reports, another for checkpoints. A note of each is of its own kind. */
export async function auditorKeys(state: string): Promise<AuditorKeys> {
  await mkdir(state, { recursive: true, mode: 0o700 });
  const file = join(state, 'auditor.json');
  const made = { reports: randomSeed(), checkpoints: randomSeed() };
  await writeFile(file, `${JSON.stringify(made)}\n`, { flag: 'wx', mode: 0o600 }).catch((error) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  });
  try {
    const seeds = JSON.parse(await readFile(file, 'utf8')) as Record<string, string>;
    const pairOf = (name: string) => ed25519.fromSeed(fromBase64url(seeds[name] ?? ''));
    const [reports, checkpoints] = [pairOf('reports'), pairOf('checkpoints')];
    const name = `pi-kt-auditor/${hex(sha256(reports.public).subarray(0, 16))}`;
    return { reports: noteSigner(name, reports), checkpoints: ed25519Cosigner(name, checkpoints) };
  } catch (cause) {
    throw new Stated(`${file} is damaged: put back a copy of it, or move it away for a new key.`, {
      cause,
    });
  }
}

const randomSeed = (): string => randomBytes(32).toString('base64url');

/** The two files. */
export function signReport(
  report: Report,
  { reports }: AuditorKeys,
): { json: string; text: string } {
  const json = `${JSON.stringify(report, undefined, 2)}\n`;
  const { origin, checkpoint, verdict } = report;
  const text = [
    'pi-kt/audit/v1',
    origin,
    checkpoint?.size ?? 0,
    checkpoint?.root ?? base64(new Uint8Array(32)),
    verdict,
    base64(sha256(utf8Bytes(json))),
    ...sentences(report),
    '',
  ].join('\n');
  return { json, text: signNote(text, reports) };
}

export const auditorVkey = ({ reports }: AuditorKeys): string => formatVkey(reports.vkey);

/** For people: what was looked at, and what came of it. */
export function sentences(report: Report): string[] {
  const { entries, newEntries, labels, epochs, resets, epochTime, witnessed, cosigners } = report;
  const { findings, findingCount, notices } = report;
  const counted = (n: number, one: string, more = `${one}s`): string =>
    `${n} ${n === 1 ? one : more}`;
  const by = cosigners.map(({ name }) => name).join(', ');
  const lines = [
    `${counted(entries, 'entry', 'entries')} replayed, ${newEntries} of them new: ${counted(epochs, 'epoch')}, ${counted(labels, 'label')}, ${counted(resets, 'reset')}.`,
    epochTime === null ? 'There is no epoch.' : `The newest epoch is of ${epochTime}.`,
    witnessed
      ? `Cosigned by ${by === '' ? 'nobody whom the policy names' : by}.`
      : 'Nobody witnesses this log.',
    ...notices,
    ...findings.map(({ text, evidence }) =>
      evidence === undefined ? `FOUND: ${text}` : `FOUND: ${text} Evidence: ${evidence}`,
    ),
    ...(findingCount > findings.length ? [`${findingCount - findings.length} more findings.`] : []),
  ];
  // A note has no control characters but its line feeds.
  return lines.map((line) => line.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim());
}
