/** The running island that is looked at: its files, its processes, and certificates to knock with. */
import { type Island, readIsland } from '@island/provisioning/island-file.ts';
import { type Layout, layoutOf, type Run } from '@island/provisioning/layout.ts';
import {
  type Credentials,
  type ProbeKind,
  requestCertificate,
} from '@island/services/kit/certificate-request.ts';
import { loadProcessConfig } from '@island/services/kit/config.ts';
import type { PeerName } from '@island/services/kit/names.ts';
import { units } from '../compose.ts';
import { askInvite, askStatus, notRunning, runningIsland } from '../operator.ts';
import type { StatusReport } from '../status-report.ts';

export interface Scene {
  layout: Layout;
  run: Run;
  island: Island;
  status: StatusReport;
  /** A certificate of a peer, over its own socket at pkid; the same one for the whole visit. */
  certificateOf(name: PeerName | 'public'): Promise<Credentials>;
  /** One that every listener has to refuse. */
  probe(kind: ProbeKind, peer?: PeerName): Promise<Credentials>;
  /** Passwords of the Redis users. */
  redisPasswords(): Promise<Readonly<Record<string, string>>>;
  /** A fresh invite code for `uses` people. */
  invite(uses: number): Promise<string>;
}

/** Throws `Stated` when no island runs in `data`. */
export async function openScene(data: string): Promise<Scene> {
  const layout = layoutOf(data);
  const status = await askStatus(data);
  const run = await runningIsland(data);
  const island = await readIsland(layout);
  if (island === undefined) throw notRunning(data);
  const certificates = new Map<string, Promise<Credentials>>();
  return {
    layout,
    run,
    island,
    status,
    certificateOf(name) {
      const known =
        certificates.get(name) ?? requestCertificate({ name, socket: run.pkidSocket(name) });
      certificates.set(name, known);
      return known;
    },
    probe: (kind, peer) =>
      requestCertificate({
        name: 'probe',
        socket: run.pkidSocket('probe'),
        kind,
        ...(peer === undefined ? {} : { peer }),
      }),
    async redisPasswords() {
      const configs = units
        .filter(({ services }) => services.length > 0)
        .map(({ name }) => loadProcessConfig(run.config(`${name}.json`)));
      const services = (await Promise.all(configs)).flatMap((config) => config.services);
      return Object.fromEntries(
        services.map(({ name, redisPassword = '' }) => [name, redisPassword]),
      );
    },
    invite: async (uses) => (await askInvite(data, uses, 600)).invite,
  };
}
