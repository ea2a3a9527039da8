/** T2: every listener is known, and those of the services let in nobody but their guest. */
import { doorsOf } from './doors.ts';
import { count, type Finding, type Findings, found } from './finding.ts';
import { classifyListeners } from './listeners.ts';
import { tryDoor } from './refusals.ts';
import type { Scene } from './scene.ts';
import { attempt } from './tls-probe.ts';

export async function checkListeners(scene: Scene): Promise<Findings> {
  const listeners = await classifyListeners(scene);
  const doors = Object.values(await doorsOf(scene));
  const tried = (await Promise.all(doors.map((door) => tryDoor(scene, door)))).flat();
  const edge = await attempt({ port: scene.island.port, protocol: 'https' });
  const plain = found(
    !edge.accepted,
    `edge: plaintext: ${edge.accepted ? 'ACCEPTED' : 'refused'} (${edge.how})`,
  );
  const tcp = count(listeners, / tcp /);
  return {
    summary: `${tcp} TCP and ${listeners.length - tcp} unix listeners, all known; ${doors.length} mTLS doors let their guest in and refused ${count([...tried, plain], /refused/)} other attempts`,
    findings: [...listeners, ...tried, plain, ...limitsOf],
  };
}

/** What these engines can't do, said rather than hidden. docs/decisions/024-pkid.md */
const limitsOf: Finding[] = [
  found(
    true,
    'limit: NATS and Redis read no revocation lists; the certificate of a service that is revoked works there until its end, within a day',
  ),
  found(
    true,
    'limit: Redis before 8.6 ties users to passwords, not to certificates; a service that had another’s password could use it',
  ),
];
