/**
 * The supervisor: raises an island's processes in the order they need each other, keeps them and their
 * certificates alive, and ends them in the reverse order. docs/decisions/031-supervisor.md
 */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { islandAddress } from '@island/provisioning/island-file.ts';
import type { MasterKey } from '@island/provisioning/master-key.ts';
import { Stated, statedFrom } from '@island/provisioning/stated.ts';
import type { Log } from '@island/services/kit/log.ts';
import type { Identity } from '@island/services/kit/mtls.ts';
import { isProcess, keyHoldersOf, units as rows, type UnitName, type UnitRow } from './compose.ts';
import { edgeAnswers } from './edge-probe.ts';
import { keepCertificate } from './engine-certificates.ts';
import { caddyReload, redisReload, untilDone } from './engine-control.ts';
import { type KeyRotation, openKeyRotation } from './key-rotation.ts';
import { listenersOf } from './listeners.ts';
import type { LogFolder } from './log-folder.ts';
import { type PlanInput, planOf } from './plans.ts';
import type { CertificateStatus, StatusReport } from './status-report.ts';
import { recordChildren } from './supervisor-lock.ts';
import { Unit } from './unit.ts';

export interface Supervision extends Omit<PlanInput, 'natsIdentity' | 'keys'> {
  master: MasterKey;
  logs: LogFolder;
  /** The supervisor's own. */
  log: Log;
  /** Told as each unit begins to answer. */
  report: (line: string) => void;
}

export interface Supervisor {
  /** Resolves once a client could be served; rejects with one sentence when that will not happen. */
  ready: Promise<void>;
  status(): Promise<StatusReport>;
  readonly keys: KeyRotation;
  /** Ends everything in order; resolves when all are gone. */
  stop(): Promise<void>;
  /** Ends everything at once. */
  kill(): void;
}

/** Milliseconds from the start of the first process until clients must be served. */
const deadline = 90_000;

export function superviseIsland(o: Supervision): Supervisor {
  const began = Date.now();
  const certificates = new Map<string, number>();
  const seen = (name: string, notAfter: number): void => {
    certificates.set(name, notAfter);
  };
  const held = new AsyncDisposableStack();
  const halt = new AbortController();
  let natsIdentity: Identity<'nats'> | undefined;
  let serving = false;

  const record = (): void => {
    try {
      if (units !== undefined) recordChildren(o.run.children, pids(units));
    } catch (error) {
      // A full disk must not keep a process from being restarted.
      o.log.warn('children_not_recorded', { reason: statedFrom(error)?.message });
    }
  };
  const keys = openKeyRotation({
    master: o.master,
    services: rows.flatMap(keyHoldersOf),
    log: o.log,
    tell() {
      for (const one of units?.values() ?? []) one.renewKeys();
    },
  });
  const input: PlanInput = {
    ...o,
    natsIdentity: () => natsIdentity,
    keys: (services) => keys.wire(services),
  };
  let units: ReadonlyMap<UnitName, Unit> | undefined;
  units = new Map(
    rows.map((row) => [
      row.name,
      new Unit(planOf(row, input), o.logs, {
        changed: record,
        certificate: seen,
        settled: keys.settled,
      }),
    ]),
  );
  const unit = (name: UnitName): Unit => {
    const found = units?.get(name);
    if (found === undefined) throw new Error(`no unit ${name}`);
    return found;
  };

  const keep = async <Name extends 'nats' | 'redis' | 'edge' | 'public'>(
    name: Name,
    reload: () => Promise<void>,
  ): Promise<Identity<Name>> =>
    held.use(
      await keepCertificate({ run: o.run, name, log: o.log, reload, seen, signal: halt.signal }),
    );
  /** pkid first, then what the engines show: before that none of them can start. */
  const certified = unit('pkid').up.then(async () => {
    const reloadCaddy = (): Promise<void> => caddyReload(o.run);
    const [nats] = await Promise.all([
      keep('nats', async () => void unit('nats').child?.kill('SIGHUP')),
      keep('redis', () => redisReload(o.run, o.redisPassword)),
      keep('edge', reloadCaddy),
      keep('public', reloadCaddy),
    ]);
    natsIdentity = nats;
  });
  certified.catch(() => undefined);

  for (const row of rows) {
    const needs = Promise.all([
      ...row.needs.map((name) => unit(name).up),
      ...(isProcess(row.name) ? [] : [certified]),
    ]);
    needs.catch(() => undefined);
    unit(row.name).run(needs);
    unit(row.name).up.then(
      () => o.report(unit(row.name).plan.label),
      () => undefined,
    );
  }

  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(tooLate([...(units?.values() ?? [])])), deadline);
  const up = Promise.all([...units.values()].map((u) => u.up));
  const ready = Promise.race([Promise.all([up, certified]), late.promise])
    .then(() =>
      Promise.race([untilDone(() => edgeAnswers(o.layout, o.island), halt.signal), late.promise]),
    )
    .then(() => {
      serving = true;
    })
    .finally(() => clearTimeout(timer));
  ready.catch(() => undefined);

  return {
    ready,
    keys,
    async status() {
      return {
        name: o.island.name,
        address: islandAddress(o.island),
        caFingerprint: o.island.caFingerprint,
        data: o.layout.data,
        ready: serving && rows.every((row) => unit(row.name).state === 'ready'),
        pid: process.pid,
        uptime: seconds(began),
        listeners: await listenersOf(process.pid),
        units: await Promise.all(rows.map((row) => unitStatus(row, unit(row.name), o))),
        certificates: [...leaves(certificates), ...(await authorities(o.layout.pki))],
      };
    },
    async stop() {
      halt.abort();
      clearTimeout(timer);
      const left = [...rows];
      while (left.length > 0) {
        const last = left.filter((row) => !left.some((other) => other.needs.includes(row.name)));
        await Promise.all(last.map((row) => unit(row.name).stop()));
        for (const row of last) left.splice(left.indexOf(row), 1);
        // The last to go is pkid, whom these ask.
        if (left.length === 1) await held.disposeAsync();
      }
    },
    kill() {
      halt.abort();
      for (const row of rows) unit(row.name).kill();
    },
  };
}

const pids = (units: ReadonlyMap<UnitName, Unit>): number[] =>
  [...units.values()].flatMap(({ pid }) => (pid === undefined ? [] : [pid]));

const seconds = (since: number): number => Math.round((Date.now() - since) / 1000);

function tooLate(units: readonly Unit[]): Stated {
  const slow = units.filter((u) => u.state !== 'ready').map((u) => u.plan.label);
  const who = slow.length === 0 ? 'the edge does not answer' : `still starting: ${slow.join(', ')}`;
  return new Stated(
    `The island was not ready within ${deadline / 1000} seconds (${who}). Look into its log folder, then start it again.`,
  );
}

async function unitStatus(
  row: UnitRow,
  unit: Unit,
  { engines }: Supervision,
): Promise<StatusReport['units'][number]> {
  const { pid, state, restarts } = unit;
  return {
    name: row.name,
    kind: isProcess(row.name) ? 'process' : 'engine',
    ...(isProcess(row.name) ? {} : { version: engines[row.name].version }),
    services: row.services,
    state,
    pid: pid ?? null,
    uptime: pid === undefined ? 0 : seconds(unit.since),
    restarts,
    listeners: pid === undefined ? [] : await listenersOf(pid),
  };
}

const leaves = (certificates: ReadonlyMap<string, number>): CertificateStatus[] =>
  [...certificates]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, notAfter]) => ({
      name,
      kind: 'leaf',
      notAfter: new Date(notAfter).toISOString(),
    }));

async function authorities(pki: string): Promise<CertificateStatus[]> {
  const found: CertificateStatus[] = [];
  for (const name of ['root', 'issuing', 'edge']) {
    const pem = await readFile(join(pki, `${name}.crt`), 'utf8').catch(() => undefined);
    if (pem === undefined) continue;
    const { validToDate } = new X509Certificate(pem);
    found.push({ name: `${name} CA`, kind: 'ca', notAfter: validToDate.toISOString() });
  }
  return found;
}
