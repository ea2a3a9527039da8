/** M7: a device that has lost its sessions gets what was written to it all the same. docs/protocol/ratchet.md §9 */

import { createBell } from '@island/client/bell.ts';
import type { Islander } from '@island/client/islander.ts';
import { arrivals } from '@island/client/messages/arrivals.ts';
import { sessionsNamespace } from '@island/client/ratchets/ratchets.ts';
import { type Unrecovered, unrecovered } from '@island/client/repair/unrecovered.ts';
import type { Storage } from '@island/client/storage/storage.ts';
import { type Findings, found } from './finding.ts';
import type { Person } from './people.ts';

/** Messages that are written into the lost session. */
const each = 3;
const patience = 45_000;

export async function checkRepair(alice: Person, bob: Person): Promise<Findings> {
  await using one = await alice.open();
  await using two = await bob.open();
  for (const islander of [one, two]) {
    islander.startReceiving();
    islander.startSending();
  }
  const { storage } = bob.joining;
  const said = (text: string) => `${alice.password} repairs ${text}`;
  const greeting = said('nothing yet');
  await one.send(bob.name, [greeting]);
  await heard(bob, two, [greeting]);
  const answer = `${bob.password} repairs nothing either`;
  await two.send(alice.name, [answer]);
  await heard(alice, one, [answer]);

  const sessions = await storage.list(sessionsNamespace);
  await storage.commit({
    remove: sessions.map(({ key }) => ({ namespace: sessionsNamespace, key })),
  });
  const lines = Array.from({ length: each }, (_, index) => said(`line ${index}`));
  const since = performance.now();
  await one.send(bob.name, lines);
  const came = await heard(bob, two, lines);
  const ms = Math.round(performance.now() - since);
  const left = await settled(storage, alice.name);
  const back = `${bob.password} repairs line back`;
  await two.send(alice.name, [back]);
  const returned = await heard(alice, one, [back]);
  return {
    summary: `a device that lost all its sessions had ${each} messages of the lost session ${ms} ms later, without a person`,
    findings: [
      found(sessions.length > 0, `${sessions.length} sessions with other devices were removed`),
      found(
        came.length === each,
        `${came.length} of ${each} messages that could not be opened came again`,
      ),
      found(
        left.recovering + left.lost === 0,
        `${left.recovering} messages are still missed, ${left.lost} are lost`,
      ),
      found(
        returned.length === 1,
        `what was answered ${returned.length === 1 ? 'arrived' : 'DID NOT ARRIVE'}`,
      ),
    ],
  };
}

/** What is missed when nothing is being asked for any more: a receipt may have gone into the lost session, too. */
async function settled(storage: Storage, from: string): Promise<Unrecovered> {
  const signal = AbortSignal.timeout(patience);
  using changed = createBell(signal);
  using _watch = storage.watch(changed.ring);
  for (;;) {
    const left = await unrecovered(storage, from);
    if (left.recovering === 0 || signal.aborted) return left;
    await changed.next();
  }
}

/** Those of the texts that came, each once. */
async function heard(
  { joining: { storage } }: Person,
  { failed }: Islander,
  texts: readonly string[],
): Promise<string[]> {
  const came = new Set<string>();
  const signal = AbortSignal.timeout(patience);
  const listen = async (): Promise<void> => {
    for await (const group of arrivals(storage, signal)) {
      for (const one of group)
        if (one.type === 'message' && texts.includes(one.text)) came.add(one.text);
      if (came.size >= texts.length) return;
    }
  };
  await Promise.race([listen(), failed]);
  return [...came];
}
