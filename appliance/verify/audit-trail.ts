/**
 * K3: an auditor without an account reads the whole log at the public address and makes every root again; then the
 * same log is served with one byte changed, by a server of this visit. docs/protocol/transparency.md §9
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIssuing, createRoot } from '@island/pki/ca.ts';
import { issueLeaf } from '@island/pki/issue.ts';
import { generateKey, spkiOf } from '@island/pki/key.ts';
import { pem } from '@island/pki/pem.ts';
import type { SaidLog } from '@island/protocol/wire/routes.ts';
import { type Audited, type AuditOptions, audit } from '../audit/audit.ts';
import { type Finding, type Findings, found } from './finding.ts';
import { openPublicDoor, type PublicDoor } from './public-door.ts';
import type { Scene } from './scene.ts';

const silent = { step() {}, detail() {}, done() {}, cut() {} };

export async function checkAuditTrail(scene: Scene): Promise<Findings> {
  const folder = await mkdtemp(join(tmpdir(), 'island-verify-'));
  try {
    using door = await openPublicDoor(scene);
    return await checkIn(folder, scene, door);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function checkIn(folder: string, { status }: Scene, door: PublicDoor): Promise<Findings> {
  const log = await door.log();
  const { address, caFingerprint } = status;
  const own = { address, fingerprint: caFingerprint };
  const { report } = await audited(log, { ...own, state: join(folder, 'own') });
  const again = await audited(log, { ...own, state: join(folder, 'own') });
  const { entries, epochs, events, labels, checkpoint, mapRoot, witnessed } = report;
  const size = checkpoint?.size ?? 0;
  const said = report.findings.map(({ text }) => text);
  return {
    summary: `${entries} entries replayed from the first one: the root of the log and ${epochs} roots of its map came out the same; one byte changed is refused`,
    findings: [
      found(
        report.verdict === 'consistent' && said.length === 0 && size > 0,
        said.join('; ') ||
          `the verdict of an auditor who has the key of the log: ${report.verdict}`,
      ),
      found(
        entries === size && mapRoot !== null && epochs > 0,
        `${entries} entries (${events} events, ${epochs} epochs) of ${labels} labels replayed: the signed root, and the root and count of every map`,
      ),
      found(
        report.witnessed === log.witnessed,
        `the auditor finds the log ${witnessed ? 'witnessed' : 'not witnessed'}, as the island says`,
      ),
      found(
        again.report.verdict === 'consistent' && again.report.entries >= entries,
        `a second run goes on from the first: ${again.report.newEntries} new entries, ${again.report.verdict}`,
      ),
      ...(await checkChanged(folder, log, door)),
    ],
  };
}

const audited = (
  log: SaidLog,
  options: Pick<AuditOptions, 'address' | 'state' | 'root' | 'fingerprint'>,
): Promise<Audited> =>
  audit({
    ...{ vkey: log.vkey, policy: log.policy, allowUnwitnessed: true, cosign: false },
    progress: silent,
    ...options,
  });

/** To an auditor who comes for the first time: as it is, and with one byte changed. */
async function checkChanged(folder: string, log: SaidLog, door: PublicDoor): Promise<Finding[]> {
  await using copy = await serveCopy(door);
  const verdicts: string[] = [];
  for (const changed of [false, true]) {
    copy.changed = changed;
    const state = join(folder, changed ? 'changed' : 'copy');
    const { report } = await audited(log, { address: copy.address, root: copy.root, state });
    const causes = report.findings.map(({ cause }) => cause).join(', ');
    verdicts.push(causes === '' ? report.verdict : causes);
  }
  const [same, other] = verdicts;
  return [
    found(same === 'consistent', `a copy of the log, served by this check: ${same}`),
    found(other === 'root_mismatch', `the same copy with one byte of an entry changed: ${other}`),
  ];
}

interface Copy extends AsyncDisposable {
  address: string;
  /** PEM. */
  root: string;
  /** Whether a byte is another one. */
  changed: boolean;
}

/** The log of the island at an address of this check, with a certificate of its own. */
async function serveCopy(door: PublicDoor): Promise<Copy> {
  const now = Date.now();
  const root = await createRoot(now);
  const edge = await createIssuing(root, 'edge', now);
  const { privateKey, publicKey } = await generateKey();
  const leaf = issueLeaf(edge, {
    ...{ kind: 'public', names: ['localhost'], spki: spkiOf(publicKey), now },
  });
  const chain = [leaf.certificate, edge.certificate].map(({ raw }) => pem('CERTIFICATE', raw));
  const key = privateKey.export({ format: 'pem', type: 'pkcs8' });
  const server = createServer({ key, cert: chain.join('') }, (request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.listen(0, 'localhost');
  await once(server, 'listening');

  async function answer({ url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, body } = await door.get(url);
    const middle = Math.floor(body.length / 2);
    if (copy.changed && url.startsWith('/log/tile/entries/000')) {
      body[middle] = (body[middle] ?? 0) ^ 1;
    }
    response.writeHead(status).end(body);
  }

  const copy: Copy = {
    address: `https://localhost:${(server.address() as AddressInfo).port}`,
    root: pem('CERTIFICATE', root.certificate.raw),
    changed: false,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return copy;
}
