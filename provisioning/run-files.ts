/**
 * What the run folder holds besides sockets: configuration of each process and engine, made anew at
 * every start from island.json and the contracts. docs/operations.md §2
 */
import { mkdir, rm } from 'node:fs/promises';
import { relative } from 'node:path';
import { writePrivate } from '@island/pki/store.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { Credentials } from '@island/services/kit/certificate-request.ts';
import type { ProcessConfig } from '@island/services/kit/config.ts';
import { dnsName, type ServiceName } from '@island/services/kit/names.ts';
import { edgeConf } from './edge-conf.ts';
import { type Island, islandAddress, publicNames } from './island-file.ts';
import { type Layout, ownFolder, type Run } from './layout.ts';
import { contracts, natsConf } from './nats-conf.ts';
import { redisAcl, redisConf } from './redis-conf.ts';
import { redisPasswords } from './secrets.ts';

export interface RunFiles {
  layout: Layout;
  run: Run;
  island: Island;
  /** Services of each of our processes. */
  processes: readonly { name: ProcessConfig['process']; services: readonly ServiceName[] }[];
  /** Life of a certificate in seconds; shorter than the PKI's own in tests only. */
  leafSeconds?: number | undefined;
}

/** The user of the appliance itself at Redis' admin socket. */
export const applianceUser = 'appliance';

/** Names of configuration files in the run folder. */
export const confFiles = { nats: 'nats.conf', redis: 'redis.conf', caddy: 'Caddyfile' } as const;

/** Writes them all; returns the appliance's own Redis password. */
export async function writeRunFiles(files: RunFiles): Promise<{ redisPassword: string }> {
  const { layout, run } = files;
  for (const folder of [run.dir, run.pkid, run.config('redis'), run.config('caddy')]) {
    await ownFolder(folder);
  }
  const cached = contracts.filter((contract) => contract.cache).map(({ service }) => service);
  const passwords = redisPasswords([applianceUser, ...cached]);
  // Earlier versions kept them.
  await rm(layout.secrets, { recursive: true, force: true });
  await writeEngineFiles(files, passwords);
  await writePkidConfig(files);
  for (const { name, services } of files.processes) {
    for (const service of services)
      await mkdir(layout.service(service), { recursive: true, mode: 0o700 });
    await writePrivate(
      run.config(`${name}.json`),
      JSON.stringify(processConfig(files, name, services, passwords)),
    );
  }
  return { redisPassword: passwords[applianceUser] };
}

type Passwords = Readonly<Partial<Record<ServiceName, string>>> & {
  readonly [applianceUser]: string;
};

async function writeEngineFiles({ run, island }: RunFiles, passwords: Passwords): Promise<void> {
  const { nats, redis, gateway, media } = island.internal;
  const pem = (name: string) => ({
    cert: run.certificate(name),
    key: run.certificate(name),
    ca: run.trust,
  });
  await writePrivate(
    run.config(confFiles.nats),
    natsConf({ port: nats, ...pem('nats'), pidFile: run.config('nats.pid') }),
  );
  const aclFile = run.config('redis.acl');
  const { [applianceUser]: appliancePassword, ...users } = passwords;
  const services = contracts.flatMap(({ service }) => {
    const password = users[service];
    return password === undefined ? [] : [{ name: service, password }];
  });
  await writePrivate(aclFile, redisAcl({ services, appliancePassword }));
  await writePrivate(
    run.config(confFiles.redis),
    redisConf({
      port: redis,
      ...pem('redis'),
      adminSocket: run.redisSocket,
      aclFile,
      dir: run.config('redis'),
      pidFile: run.config('redis.pid'),
    }),
  );
  // Caddy works in the run folder: in a path a space, a brace or a quote would mean something to it.
  const inRun = (path: string): string => relative(run.dir, path);
  await writePrivate(
    run.config(confFiles.caddy),
    edgeConf({
      island,
      gateway: { port: gateway, name: dnsName('gateway') },
      media: { port: media, name: dnsName('media') },
      adminSocket: inRun(run.caddySocket),
      publicCertificate: inRun(run.certificate('public')),
      clientCertificate: inRun(run.certificate('edge')),
      trust: inRun(run.trust),
      bodyBytes: Math.max(limits.jsonBytes, limits.sendBytes),
      blobBytes: Math.max(limits.jsonBytes, limits.blobChunkBytes),
    }),
  );
}

async function writePkidConfig({ layout, run, island, leafSeconds }: RunFiles): Promise<void> {
  await writePrivate(
    run.config('pkid.json'),
    JSON.stringify({
      process: 'pkid',
      pki: layout.pki,
      sockets: run.pkid,
      hosts: publicNames(island),
      ...(leafSeconds === undefined ? {} : { leafSeconds }),
    }),
  );
}

function processConfig(
  { layout, run, island }: RunFiles,
  process: ProcessConfig['process'],
  services: readonly ServiceName[],
  passwords: Passwords,
): ProcessConfig {
  return {
    process,
    island: {
      name: island.name,
      address: islandAddress(island),
      caFingerprint: island.caFingerprint,
    },
    natsPort: island.internal.nats,
    redisPort: island.internal.redis,
    ...(services.includes('gateway') ? { gatewayPort: island.internal.gateway } : {}),
    ...(services.includes('media') ? { mediaPort: island.internal.media } : {}),
    ...(services.includes('control') ? { controlSocket: run.controlSocket } : {}),
    services: services.map((name) => {
      const password = passwords[name];
      return {
        name,
        data: layout.service(name),
        pkidSocket: run.pkidSocket(name),
        ...(password === undefined ? {} : { redisPassword: password }),
      };
    }),
  };
}

/** Chain and key in one file, replaced in one step: whoever reads it never sees a pair that does not fit. */
export async function writeCertificate(
  run: Run,
  name: string,
  { cert, key, ca }: Credentials,
): Promise<void> {
  // A client that pins the root finds it in the handshake: docs/decisions/033-edge.md.
  const chain = name === 'public' ? `${cert}${ca}` : cert;
  await writePrivate(run.certificate(name), `${chain}${key}`);
  await writePrivate(run.trust, ca);
}
