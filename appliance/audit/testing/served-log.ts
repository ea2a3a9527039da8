/** For tests: a log served over HTTPS as an island serves its own, and whoever audits it. */
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseTilePath, type Tile } from '@island/protocol/transparency/tiles.ts';
import {
  type DirectoryLog,
  directoryLog,
  label,
  testPolicy,
  testVkey,
} from '@island/protocol/vectors/directory-log.ts';
import { type Edge, makeChain, serveEdge } from '../../../client/testing/edge.ts';
import { type Audited, type AuditOptions, audit } from '../audit.ts';

const chain = await makeChain(['localhost']);

/** What is served now; a test changes it. */
export interface Shown {
  log: DirectoryLog;
  /** Bytes of the note. */
  checkpoint: string;
  /** In place of a tile or bundle; `null` is 404. */
  tile?: (tile: Tile) => Uint8Array | null | undefined;
  /** Note of the witness at the same address. */
  ownWitness?: string;
  /** Of the island's public document. */
  discovery?: object;
  /** Asked for, so far. */
  paths: string[];
  /** Answered once before anything else: a status. */
  once?: number;
}

export interface ServedLog extends AsyncDisposable {
  address: string;
  root: string;
  fingerprint: Uint8Array;
  shown: Shown;
  state: string;
  /** Shows the log as it is now. */
  show(log: DirectoryLog, said?: Parameters<DirectoryLog['checkpoint']>[0]): Promise<void>;
  audit(options?: Partial<AuditOptions>): Promise<Audited>;
}

/** `people` register in one epoch, and each changes in the next. */
export function grown(people: number, log = directoryLog()): DirectoryLog {
  for (let i = 0; i < people; i++) log.event(label(`person ${i}`));
  log.epoch();
  for (let i = 0; i < people; i++) log.event(label(`person ${i}`));
  log.epoch();
  return log;
}

export const causesOf = ({ report }: Audited): string[] =>
  report.findings.map(({ cause }) => cause);

const silent = { step() {}, detail() {}, done() {}, cut() {} };

export async function serveLog(log: DirectoryLog): Promise<ServedLog> {
  const state = await mkdtemp(join(tmpdir(), 'island-audit-'));
  const shown: Shown = { log, checkpoint: await log.checkpoint(), paths: [] };
  const edge: Edge = await serveEdge(chain, (request, response) =>
    answer(shown, request, response),
  );
  return {
    address: edge.address,
    root: chain.root,
    fingerprint: chain.fingerprint,
    shown,
    state,
    async show(next, said) {
      shown.log = next;
      shown.checkpoint = await next.checkpoint(said);
    },
    audit: (options) =>
      audit({
        ...{ address: edge.address, root: chain.root, state, progress: silent },
        ...{ vkey: testVkey, policy: testPolicy, allowUnwitnessed: false, cosign: false },
        ...options,
      }),
    async [Symbol.asyncDispose]() {
      await edge[Symbol.asyncDispose]();
      await rm(state, { recursive: true, force: true });
    },
  };
}

function answer(shown: Shown, { url = '' }: IncomingMessage, response: ServerResponse): void {
  shown.paths.push(url);
  const { once } = shown;
  delete shown.once;
  if (once !== undefined) {
    response.writeHead(once, { 'retry-after': '0' }).end();
    return;
  }
  const body = bodyOf(shown, url);
  if (body === null || body === undefined) response.writeHead(404).end();
  else response.writeHead(200).end(body);
}

function bodyOf(shown: Shown, url: string): Uint8Array | string | null | undefined {
  if (url === '/log/checkpoint') return shown.checkpoint;
  if (url === '/.well-known/island') return shown.discovery && JSON.stringify(shown.discovery);
  if (url.startsWith('/witness/')) return shown.ownWitness;
  const tile = parseTilePath(url.replace('/log/', ''));
  const instead = shown.tile?.(tile);
  return instead === undefined ? shown.log.tile(tile) : instead;
}
