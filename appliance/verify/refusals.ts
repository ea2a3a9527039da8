/** T2: every way to be refused, row by row, tried at one listener with real certificates. docs/decisions/024-pkid.md */

import type { ConnectionOptions } from 'node:tls';
import { createIssuing, createRoot } from '@island/pki/ca.ts';
import { issueLeaf } from '@island/pki/issue.ts';
import { generateKey, spkiOf } from '@island/pki/key.ts';
import { pem } from '@island/pki/pem.ts';
import type { Credentials } from '@island/services/kit/certificate-request.ts';
import { secureContext } from '@island/services/kit/mtls.ts';
import { dnsName, type PeerName } from '@island/services/kit/names.ts';
import { type Finding, found } from './finding.ts';
import type { Scene } from './scene.ts';
import { type Attempt, attempt, type Protocol } from './tls-probe.ts';

export interface Door {
  name: PeerName;
  port: number;
  protocol: Protocol;
  /** Who has business there, and who of the island has none. */
  guest: PeerName;
  stranger: PeerName;
  /** What the guest says so as to be let in, beyond its certificate. */
  script?: Attempt['script'];
}

/** What there is to knock with. */
export type Knocks = Pick<Scene, 'certificateOf' | 'probe'>;

/** Every row: the guest gets in, all others are refused. */
export async function tryDoor(scene: Knocks, door: Door): Promise<Finding[]> {
  const guest = await scene.certificateOf(door.guest);
  const rows = await Promise.all(
    (await rowsOf(scene, door, guest)).map(async ({ row, tls }) => {
      const { accepted, how } = await attempt({
        port: door.port,
        protocol: door.protocol,
        ...(tls === undefined ? {} : { tls }),
      });
      return found(
        !accepted,
        `${door.name}: ${row}: ${accepted ? 'ACCEPTED' : 'refused'} (${how})`,
      );
    }),
  );
  return [await welcome(door, guest), ...rows, await otherName(door, guest)];
}

interface Row {
  row: string;
  tls: ConnectionOptions | undefined;
}

async function rowsOf(scene: Knocks, door: Door, guest: Credentials): Promise<Row[]> {
  const as = (credentials: Pick<Credentials, 'key' | 'cert'>): ConnectionOptions => ({
    ...secureContext(guest),
    servername: dnsName(door.name),
    key: credentials.key,
    cert: credentials.cert,
  });
  const { key: _key, cert: _cert, ...anonymous } = as(guest);
  return [
    { row: 'no certificate', tls: anonymous },
    { row: 'foreign CA, right name', tls: as(await foreign(dnsName(door.guest))) },
    { row: 'expired', tls: as(await scene.probe('expired', door.guest)) },
    { row: 'revoked', tls: as(await scene.probe('revoked')) },
    { row: 'name in nobody’s list', tls: as(await scene.probe('valid')) },
    { row: `wrong service (${door.stranger})`, tls: as(await scene.certificateOf(door.stranger)) },
    { row: 'public certificate of the edge', tls: as(await scene.certificateOf('public')) },
    { row: 'plaintext', tls: undefined },
    { row: 'TLS 1.2', tls: { ...as(guest), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } },
  ];
}

/** Without this, refusals would say nothing: a dead listener refuses everybody. */
async function welcome(door: Door, guest: Credentials): Promise<Finding> {
  const { port, protocol, script } = door;
  const tls = { ...secureContext(guest), servername: dnsName(door.name) };
  const { accepted, how } = await attempt({
    port,
    protocol,
    tls,
    ...(script === undefined ? {} : { script }),
  });
  return found(
    accepted,
    `${door.name}: its guest ${door.guest}: ${accepted ? 'let in' : `REFUSED (${how})`}`,
  );
}

/** The listener's own certificate is good for its own name only. */
async function otherName(door: Door, guest: Credentials): Promise<Finding> {
  const tls = { ...secureContext(guest), servername: dnsName(door.stranger) };
  const { accepted, how } = await attempt({ port: door.port, protocol: door.protocol, tls });
  const good = !accepted && how.startsWith('ERR_TLS_CERT_ALTNAME_INVALID');
  return found(
    good,
    `${door.name}: taken for ${door.stranger}: ${good ? 'refused by the client' : 'NOT NOTICED'} (${how})`,
  );
}

/** A certificate of the same name from a CA of nobody's, made for this visit. */
async function foreign(name: string): Promise<{ key: string; cert: string }> {
  const now = Date.now();
  const issuing = await createIssuing(await createRoot(now), 'issuing', now);
  const pair = await generateKey();
  const leaf = issueLeaf(issuing, {
    kind: 'internal',
    names: [name],
    spki: spkiOf(pair.publicKey),
    now,
  });
  return {
    key: pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    cert: pem('CERTIFICATE', leaf.certificate.raw) + pem('CERTIFICATE', issuing.certificate.raw),
  };
}
