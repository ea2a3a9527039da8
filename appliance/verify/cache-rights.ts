/** T4: who is let in to Redis, and what each user may read and do there. */
import { contracts } from '@island/provisioning/nats-conf.ts';
import { secureContext } from '@island/services/kit/mtls.ts';
import { dnsName, type PeerName } from '@island/services/kit/names.ts';
import { doorsOf } from './doors.ts';
import { count, type Finding, type Findings, found } from './finding.ts';
import { tryDoor } from './refusals.ts';
import type { Scene } from './scene.ts';
import { attempt } from './tls-probe.ts';

/** Reads, never writes: were one of them allowed, it would do no harm. */
const forbiddenCommands = [
  'CONFIG GET *',
  'KEYS *',
  'SCAN 0',
  'ACL LIST',
  'CLIENT LIST',
  'INFO',
  'DBSIZE',
  'EVAL return(1) 0',
  'RANDOMKEY',
];

export async function checkCache(scene: Scene): Promise<Findings> {
  const { redis } = await doorsOf(scene);
  const door = await tryDoor(scene, redis);
  const passwords = await scene.redisPasswords();
  const cached = contracts.filter((contract) => contract.cache).map(({ service }) => service);
  const rights: Finding[] = [];
  for (const service of cached) {
    const other = cached.find((name) => name !== service) ?? 'control';
    const password = passwords[service] ?? '';
    const ask = (command: string, user: string = service, secret = password): Promise<string> =>
      askRedis(scene, service, `AUTH ${user} ${secret}\r\n${command}\r\n`);
    const own = await ask(`GET ${service}:verify`);
    rights.push(found(/^\+OK\r\n\$-1/.test(own), `${service}: its own keys: ${firstLine(own, 1)}`));
    for (const command of [`GET ${other}:verify`, 'GET verify', ...forbiddenCommands]) {
      const said = await ask(command);
      const good = /^\+OK\r\n-NOPERM/.test(said);
      rights.push(
        found(
          good,
          `${service}: ${command}: ${good ? 'refused (NOPERM)' : `NOT REFUSED: ${firstLine(said, 1)}`}`,
        ),
      );
    }
    for (const [what, user, secret] of [
      ['a wrong password', service, 'wrong'],
      ['its password as another user', other, password],
      ['the user "default"', 'default', 'wrong'],
    ] as const) {
      const said = await ask('GET verify', user, secret);
      const good = /^-WRONGPASS/.test(said);
      rights.push(
        found(
          good,
          `${service}: ${what}: ${good ? 'refused (WRONGPASS)' : `NOT REFUSED: ${firstLine(said, 0)}`}`,
        ),
      );
    }
  }
  return {
    summary: `${count(door, /refused/)} ways in are shut; ${count(rights, /refused/)} forbidden keys, commands and passwords refused to ${cached.length} users`,
    findings: [...door, ...rights],
  };
}

async function askRedis(scene: Scene, as: PeerName, say: string): Promise<string> {
  const { said } = await attempt({
    port: scene.island.internal.redis,
    protocol: 'redis',
    tls: { ...secureContext(await scene.certificateOf(as)), servername: dnsName('redis') },
    // Two replies, or the one that ends it.
    script: { say, until: /^\+OK\r\n[\s\S]+\r\n|^-[\s\S]*\r\n-[\s\S]*\r\n/ },
  });
  return said;
}

const firstLine = (said: string, index: number): string =>
  said.split('\r\n')[index]?.slice(0, 80) ?? '';
