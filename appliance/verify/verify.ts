/**
 * `island verify`: looks at a running island from outside, promise by promise. docs/operations.md §9
 *
 * It knocks at every door with real certificates that must be refused, joins with throw-away accounts that
 * sign in, recover, link devices and write to each other, and reads the log of keys as any outsider may. It
 * changes nothing else, and may be run at any time.
 */
import { columns, type Style } from '../terminal.ts';
import { checkAtRest } from './at-rest.ts';
import { checkAuditTrail } from './audit-trail.ts';
import { checkBus } from './bus-rights.ts';
import { checkCache } from './cache-rights.ts';
import { checkChannels } from './channels.ts';
import { checkContradictions } from './contradictions.ts';
import type { Device } from './device.ts';
import { checkDevices } from './devices.ts';
import { checkFanOut } from './fan-out.ts';
import { checkSockets } from './flood.ts';
import { type Check, type Judged, judge, type PromiseReport } from './judgement.ts';
import { checkKeyLog } from './key-log.ts';
import { checkMessages } from './messages.ts';
import { checkListeners } from './mtls.ts';
import { checkPassword } from './password.ts';
import { newPerson, type Person } from './people.ts';
import { type PromiseId, promises } from './promises.ts';
import { checkRecovery } from './recovery.ts';
import { checkRepair } from './repair.ts';
import { openScene, type Scene } from './scene.ts';
import { checkSealedSender } from './sealed-sender.ts';
import { checkTokens } from './tokens.ts';
import { checkTwoFactor } from './two-factor.ts';

export interface VerifyReport {
  promises: PromiseReport[];
}

/** Throws `Stated` when no island runs there. */
export async function verify(o: {
  data: string;
  only: readonly PromiseId[];
  tell: (judged: Judged) => void;
}): Promise<VerifyReport> {
  const scene = await openScene(o.data);
  await using held = new AsyncDisposableStack();
  const judged = await judge(checksOf(scene, held), o.only, o.tell);
  return { promises: judged.map(({ id, state, evidence, ms }) => ({ id, state, evidence, ms })) };
}

/** The people join when the first check needs them. */
function checksOf(scene: Scene, held: AsyncDisposableStack): Partial<Record<PromiseId, Check>> {
  let joined: Promise<{ alice: Person; bob: Person }> | undefined;
  const join = async (): Promise<{ alice: Person; bob: Person }> => {
    const { address, caFingerprint } = scene.status;
    const joins = { address, caFingerprint, invite: await scene.invite(2) };
    const alice = held.use(await newPerson(joins));
    return { alice, bob: held.use(await newPerson(joins)) };
  };
  /** Somebody who takes part in one check alone. */
  const another = async (): Promise<Person> => {
    const { address, caFingerprint } = scene.status;
    const joins = { address, caFingerprint, invite: await scene.invite(1) };
    return held.use(await newPerson(joins));
  };
  const people = (): Promise<{ alice: Person; bob: Person }> => {
    joined ??= join();
    return joined;
  };
  /** Devices of alice beside her first. */
  const further: Device[] = [];
  return {
    A1: async () => checkPassword(scene, (await people()).alice),
    A2: async () => checkTwoFactor(scene, (await people()).bob),
    async A3() {
      const { alice, bob } = await people();
      const { device, ...findings } = await checkRecovery(scene, alice, bob);
      further.push(held.use(device));
      return findings;
    },
    async A4() {
      const { alice, bob } = await people();
      return checkDevices(alice, bob, further);
    },
    A5: async () => checkTokens((await people()).alice),
    async M1() {
      const { alice, bob } = await people();
      return checkMessages(scene, alice, bob);
    },
    async M2() {
      const { alice } = await people();
      return checkSealedSender(scene, await another(), alice);
    },
    async M3() {
      const { alice, bob } = await people();
      return checkChannels(scene, { alice, bob, carol: await another(), dave: await another() });
    },
    async M5() {
      const { alice, bob } = await people();
      return checkAtRest(scene, alice, bob);
    },
    async M6() {
      const { alice, bob } = await people();
      return checkFanOut(alice, bob);
    },
    async M7() {
      const { alice, bob } = await people();
      return checkRepair(alice, bob);
    },
    T2: () => checkListeners(scene),
    T3: () => checkBus(scene),
    T4: () => checkCache(scene),
    async T6() {
      const { alice, bob } = await people();
      return checkSockets(alice, bob);
    },
    async K1() {
      const { alice, bob } = await people();
      return checkKeyLog(scene, alice, bob);
    },
    async K2() {
      const { alice, bob } = await people();
      return checkContradictions(scene, alice, bob, another);
    },
    K3: () => checkAuditTrail(scene),
  };
}

/** One line a promise; with `evidence`, each finding below it. */
export function formatJudged(
  judged: Judged,
  evidence: boolean,
  { bold, dim, good, bad }: Style,
): string {
  const { id, state, summary } = judged;
  const word = {
    holds: good('holds'),
    broken: bad('does not hold'),
    'not-built': dim('not built yet'),
  }[state];
  const line = columns([
    [bold(id), `${word}  ${promises[id]}${summary === '' ? '' : dim(`: ${summary}`)}`],
  ]);
  return evidence
    ? [line, ...judged.evidence.map((text) => `       ${dim(text)}`)].join('\n')
    : line;
}
