/**
 * One audit of a log: what it signed, against everything that it signed before and everything that is in it.
 * docs/protocol/transparency.md §9.2
 *
 * What the signature of the log stands behind and contradicts itself is found for good: later runs say it again and
 * look no further. All else, such as a checkpoint below quorum, is looked at anew in every run.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { equal, sha256 } from '@island/protocol/crypto/primitives.ts';
import {
  type Checkpoint,
  openCheckpoint,
  parseCheckpoint,
} from '@island/protocol/transparency/checkpoint.ts';
import { verifierOf } from '@island/protocol/transparency/cosignature.ts';
import {
  addSignatures,
  noteFromBytes,
  parseNote,
  parseVkey,
} from '@island/protocol/transparency/note.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { base64, hex } from '@island/protocol/wire/text.ts';
import type { Progress } from '../terminal.ts';
import { type Cause, type Finding, finding, isLasting } from './findings.ts';
import { grow } from './growth.ts';
import type { LabelTable } from './label-table.ts';
import { type LogSource, Missing, openLogSource } from './log-source.ts';
import { damaged, findKept, nothingKept, type OwnLog, openOwnLog, readKept } from './own-log.ts';
import { Passing } from './passing.ts';
import { askIsland, checkSame, firstPins, type PinOptions, placeOf } from './pins.ts';
import { tellSuccessor } from './predecessor.ts';
import { file, prosecute } from './prosecution.ts';
import { openReplay, type Tally } from './replay.ts';
import { type AuditorKeys, auditorKeys, auditorVkey, type Report, signReport } from './report.ts';
import { lockState } from './state-lock.ts';
import { checkTrust, type Trusted } from './trust.ts';

export interface AuditOptions extends PinOptions {
  /** Folder of this auditor. */
  state: string;
  /** A policy that asks for no witness is not a failure. */
  allowUnwitnessed: boolean;
  /** Adds a cosignature of this auditor to what it found in order. */
  cosign: boolean;
  progress: Progress;
  /** Unix milliseconds. */
  now?: number;
  signal?: AbortSignal;
}

export interface Audited {
  report: Report;
  /** Where this log is kept (own-log.ts). */
  folder: string;
  /** Path of the signed text; that of the JSON ends with `.json`. */
  text: string;
  /** Path of the checkpoint with our cosignature. */
  cosigned?: string;
  /** The key of the report as one line. */
  auditor: string;
}

/** Everything that one run knows. */
interface Run {
  options: AuditOptions;
  now: number;
  log: OwnLog;
  source: LogSource;
  findings: Finding[];
  notices: string[];
}

/** Throws `Stated` where it could not be done at all. */
export async function audit(options: AuditOptions): Promise<Audited> {
  const { state, progress, now = Date.now() } = options;
  await mkdir(state, { recursive: true, mode: 0o700 });
  using _ = lockState(state);
  const keys = await auditorKeys(state);
  const notices: string[] = [];
  progress.step('Looking for the log');
  const named = await findKept(state, options);
  const pins = named?.pins ?? (await firstPins(options, (text) => notices.push(text)));
  const folder = join(state, hex(sha256(utf8Bytes(pins.vkey)).subarray(0, 8)));
  // Known by its key, where it is asked under another address for the first time.
  const known = named ?? (await readKept(folder));
  const kept = known ?? nothingKept(pins);
  if (known !== undefined) checkSame(known.pins, options, folder);
  await using log = await openOwnLog(folder, kept);
  const { address, root = kept.pins.root } = await placeOf(options);
  const { ownWitness = kept.pins.ownWitness } = options;
  await log.keep({ pins: { ...kept.pins, address, root, ownWitness } });
  using source = openLogSource(root === null ? { address } : { address, root });
  const run: Run = { options, now, log, source, findings: [], notices };
  const looked = await look(run);
  progress.done();
  return tell(run, looked, keys);
}

/** What the run came to, beside its findings. */
interface Looked {
  checkpoint: { note: string; size: number; root: Uint8Array } | undefined;
  labels: LabelTable;
  tally: Tally;
  newEntries: number;
  findingCount: number;
  trusted: Trusted;
}

async function look(run: Run): Promise<Looked> {
  const { log, options, findings, notices } = run;
  const { progress } = options;
  const { labels, tally } = await log.labels();
  const before = tally.entries;
  if (tally.entries > log.kept.size || tally.bytes > log.kept.bytes) throw damaged(log.folder);
  if (log.kept.lasting.length > 0) {
    findings.push(...log.kept.lasting);
    notices.push('This was found in an earlier run and stays so: nothing was looked at anew.');
    const checkpoint = lastOf(log);
    const trusted = { witnessed: false, cosigners: [] };
    return { checkpoint, labels, tally, newEntries: 0, findingCount: findings.length, trusted };
  }
  progress.step('Asking for the checkpoint');
  const checkpoint = await takeCheckpoint(run);
  if (checkpoint !== undefined) await compare(run, checkpoint);
  const count = await replay(run, labels, tally);
  progress.step('Looking at keys and witnesses');
  const trusted = await checkTrust(run, tally, checkpoint?.note);
  const lasting = findings.filter(({ cause }) => isLasting(cause));
  if (lasting.length > 0) await log.keep({ lasting });
  const newEntries = tally.entries - before;
  const findingCount = findings.length + count;
  return {
    checkpoint: checkpoint ?? lastOf(log),
    labels,
    tally,
    newEntries,
    findingCount,
    trusted,
  };
}

function lastOf({ kept }: OwnLog): Looked['checkpoint'] {
  if (kept.note === '') return undefined;
  return { note: kept.note, ...parseCheckpoint(parseNote(kept.note).text) };
}

const served: readonly string[] = ['note_malformed', 'unknown_origin', 'signature_invalid'];
const isServed = (code: string): code is Cause => served.includes(code);

/** What is served, if the log signed it. */
async function takeCheckpoint(run: Run): Promise<(Checkpoint & { note: string }) | undefined> {
  const { source, log, options } = run;
  try {
    const note = noteFromBytes(await source.checkpoint(options.signal));
    return { ...openCheckpoint(note, verifierOf(parseVkey(log.kept.pins.vkey))), note };
  } catch (error) {
    if (error instanceof Missing) {
      throw new Passing(`${options.address} serves no log: it has no /log/checkpoint.`);
    }
    if (!(error instanceof TransparencyFault) || !isServed(error.code)) throw error;
    run.findings.push(finding(error.code));
    const said = error.code === 'unknown_origin' ? await askIsland(source) : undefined;
    if (said !== undefined) await tellSuccessor(log, said, run.notices);
    return undefined;
  }
}

/** Against the checkpoint that we have; fetches what is new. */
async function compare(run: Run, checkpoint: Checkpoint & { note: string }): Promise<void> {
  const { log, source, findings, options } = run;
  const { kept } = log;
  const { size, root, note } = checkpoint;
  const notes = [kept.note, note];
  const add = async (cause: Cause, more: string, evidence: Promise<string | undefined>) => {
    const path = await evidence;
    findings.push({
      ...finding(cause, { more }),
      ...(path === undefined ? {} : { evidence: path }),
    });
  };
  if (size < kept.size) {
    const path = await log.write(`rolled-back-${size}.note`, note);
    const more = `It had ${kept.size} entries, and shows ${size}. What it shows is kept in ${path}: the log did sign it once, so that alone convicts nobody.`;
    return add(
      'rolled_back',
      more,
      file(log, `rolled-back-${size}`, { kind: 'rollback', notes, leaves: [] }),
    );
  }
  if (size === kept.size) {
    const last = lastOf(log);
    if (last === undefined || equal(last.root, root)) return;
    const fork = file(log, `forked-${size}`, { kind: 'fork', notes, leaves: [] });
    return add('forked', `${size} entries.`, fork);
  }
  options.progress.step('Fetching entries');
  const growth = await grow({
    ...{ log, source, checkpoint, note },
    tell: (done, all) => options.progress.detail(`of the log (${done} of ${all})`),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  if (growth === undefined) return;
  const { cause, more } = growth;
  if (!('prefix' in growth)) return add(cause, more, Promise.resolve(undefined));
  const { prefix } = growth;
  return add(
    cause,
    more,
    file(log, `rewritten-${size}`, { kind: 'rewrite', notes, leaves: [], prefix }),
  );
}

/** How often a long replay is kept, and how often it lets anything else run, in entries. */
const keptEvery = 2_000_000;
const toldEvery = 4096;

/** The entries that we have and did not look at yet. The number of findings that were not kept. */
async function replay(run: Run, labels: LabelTable, tally: Tally): Promise<number> {
  const { log, findings, options, now } = run;
  const { size, bytes } = log.kept;
  if (tally.entries === size) return 0;
  options.progress.step('Replaying');
  const replayed = openReplay(labels, tally, now);
  for await (const entry of log.entries(tally.bytes, bytes)) {
    replayed.take(entry);
    if (tally.entries % toldEvery !== 0) continue;
    options.signal?.throwIfAborted();
    options.progress.detail(`entries (${tally.entries} of ${size})`);
    if (tally.entries % keptEvery === 0 && replayed.count === 0)
      await log.keepLabels(labels, tally);
  }
  if (tally.epoch.entry !== size - 1) {
    findings.push(await prosecute(log, finding('end_without_epoch', { entry: size - 1 })));
  }
  for (const found of replayed.found) findings.push(await prosecute(log, found));
  await log.keepLabels(labels, tally);
  return replayed.count - replayed.found.length;
}

async function tell(run: Run, looked: Looked, keys: AuditorKeys): Promise<Audited> {
  const { log, findings, notices, now, options } = run;
  const { checkpoint, labels, tally, trusted } = looked;
  const { pins } = log.kept;
  const began = tally.epoch.entry >= 0;
  const fine = trusted.witnessed || options.allowUnwitnessed ? 'consistent' : 'unwitnessed';
  const verdict = findings.length === 0 ? fine : 'misbehaving';
  const report: Report = {
    format: 'pi-kt/audit/v1',
    verdict,
    ...{ address: pins.address, origin: parseVkey(pins.vkey).name, vkey: pins.vkey },
    checkpoint:
      checkpoint === undefined
        ? null
        : { size: checkpoint.size, root: base64(checkpoint.root), note: checkpoint.note },
    ...{ entries: tally.entries, newEntries: looked.newEntries, labels: labels.count },
    ...{
      events: tally.events,
      epochs: tally.epochs,
      resets: tally.resets,
      erasures: tally.erasures,
    },
    mapRoot: began ? base64(tally.epoch.mapRoot) : null,
    epochTime: began ? instant(tally.epoch.timestamp) : null,
    ...trusted,
    ...{ findings, findingCount: looked.findingCount, notices },
    at: new Date(now).toISOString(),
  };
  const auditor = auditorVkey(keys);
  const { json, text } = signReport(report, keys);
  await log.write('report.json', json);
  const path = await log.write('report.txt', text);
  if (!options.cosign || verdict !== 'consistent' || checkpoint === undefined) {
    return { report, folder: log.folder, text: path, auditor };
  }
  const line = keys.checkpoints.cosign(parseNote(checkpoint.note).text, Math.floor(now / 1000));
  const note = addSignatures(checkpoint.note, [line]);
  return {
    report,
    folder: log.folder,
    text: path,
    auditor,
    cosigned: await log.write(`checkpoint-${checkpoint.size}.note`, note),
  };
}

const instant = (ms: number): string =>
  ms <= 8.64e15 ? new Date(ms).toISOString() : `the millisecond ${ms}`;
