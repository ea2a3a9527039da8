/** T3: who is let in to the bus, and what each service may say and hear there. */
import { contracts, permissionsOf } from '@island/provisioning/nats-conf.ts';
import { type Contract, callSubject, eventSubject } from '@island/services/kit/contract.ts';
import { secureContext } from '@island/services/kit/mtls.ts';
import { dnsName } from '@island/services/kit/names.ts';
import { doorsOf } from './doors.ts';
import { count, type Finding, type Findings, found } from './finding.ts';
import { tryDoor } from './refusals.ts';
import type { Scene } from './scene.ts';
import { attempt, starters } from './tls-probe.ts';

export async function checkBus(scene: Scene): Promise<Findings> {
  const { nats } = await doorsOf(scene);
  const door = await tryDoor(scene, nats);
  const rights = await Promise.all(contracts.map((contract) => trySubjects(scene, contract)));
  const forbidden = rights.reduce((sum, { tried }) => sum + tried, 0);
  return {
    summary: `${count(door, /refused/)} ways in are shut; ${forbidden} forbidden subjects refused to ${contracts.length} services`,
    findings: [...door, ...rights.map(({ finding }) => finding)],
  };
}

/** Publishes and subscribes, as one service, to everything that its contract does not give it. */
async function trySubjects(
  scene: Scene,
  { service }: Contract,
): Promise<{ tried: number; finding: Finding }> {
  const { publish, subscribe } = permissionsOf(service, contracts);
  const others = contracts.filter((contract) => contract.service !== service);
  const calls = contracts.flatMap((contract) =>
    Object.keys(contract.calls).map((name) => callSubject(contract, name)),
  );
  const events = contracts.flatMap((contract) =>
    Object.keys(contract.events).map((name) => eventSubject(contract, name, 'verify')),
  );
  const inboxes = others.map((contract) => `_INBOX.${contract.service}.verify`);
  const all = [...calls, ...events, ...inboxes, '$SYS.REQ.SERVER.PING', 'verify.unknown'];
  const may = (allowed: readonly string[], subject: string): boolean =>
    allowed.some(
      (each) => each === subject || (each.endsWith('.>') && subject.startsWith(each.slice(0, -1))),
    );
  const publishes = all.filter((subject) => !may(publish, subject));
  const subscribes = [...all.filter((subject) => !may(subscribe, subject)), '>', '*.call.>'];
  const say =
    starters.nats.hello.replace('PING\r\n', '') +
    publishes.map((subject) => `PUB ${subject} 0\r\n\r\n`).join('') +
    subscribes.map((subject, index) => `SUB ${subject} ${index + 1}\r\n`).join('') +
    'PING\r\n';
  const { said, how } = await attempt({
    port: scene.island.internal.nats,
    protocol: 'nats',
    tls: { ...secureContext(await scene.certificateOf(service)), servername: dnsName('nats') },
    script: { say, until: /^PONG/m },
  });
  const refused = (kind: string, subject: string): boolean =>
    said.toLowerCase().includes(`permissions violation for ${kind} to "${subject.toLowerCase()}"`);
  const open = [
    ...publishes
      .filter((subject) => !refused('publish', subject))
      .map((subject) => `publish ${subject}`),
    ...subscribes
      .filter((subject) => !refused('subscription', subject))
      .map((subject) => `subscribe ${subject}`),
  ];
  const tried = publishes.length + subscribes.length;
  const good = open.length === 0;
  return {
    tried,
    finding: found(
      good,
      good
        ? `${service}: ${publishes.length} publications and ${subscribes.length} subscriptions that are not its own: refused`
        : `${service}: NOT REFUSED: ${open.slice(0, 10).join(', ')} (${how})`,
    ),
  };
}
