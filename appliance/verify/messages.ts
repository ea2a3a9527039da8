/** M1: two people write to each other, end to end. docs/protocol/dm.md */

import type { Islander } from '@island/client/islander.ts';
import { arrivals } from '@island/client/messages/arrivals.ts';
import { dayOf } from '@island/protocol/crypto/device.ts';
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { openBundle } from '@island/protocol/crypto/prekey-bundle.ts';
import { type Finding, type Findings, found } from './finding.ts';
import type { Person } from './people.ts';
import type { Scene } from './scene.ts';
import { among, searchFiles, spellings } from './traces.ts';

/** Messages each way. */
const each = 5;
const patience = 30_000;
/** Bytes of an ML-KEM-768 public key (FIPS 203). */
const kemBytes = 1184;

export async function checkMessages(scene: Scene, alice: Person, bob: Person): Promise<Findings> {
  const hybrid = await checkPrekeys(alice, bob);
  const lines = (from: Person): string[] =>
    Array.from({ length: each }, (_, index) => `${opening(from)} line ${index}`);
  const said = { alice: lines(alice), bob: lines(bob) };
  const since = performance.now();
  const heard = await converse(alice, bob, said);
  const ms = Math.round(performance.now() - since);
  const same = (a: readonly string[], b: readonly string[]): boolean =>
    JSON.stringify(a) === JSON.stringify(b);
  const sealed = [alice, bob].flatMap(({ sent }) => sent.filter(({ path }) => path === '/v1/send'));
  const words = [alice, bob].flatMap(({ password }) =>
    spellings('a message', opening({ password })),
  );
  const told = [alice, bob].flatMap(({ sent }) => sent.flatMap(({ body }) => among(words, body)));
  const kept = await searchFiles([scene.layout.service(''), scene.layout.log], words);
  const anonymous = sealed.every(({ token }) => token === undefined);
  return {
    summary: `${each} messages each way arrived in order in ${ms} ms, first contact with X25519 and ML-KEM-768; no text on the wire or at rest`,
    findings: [
      ...hybrid,
      found(
        same(heard.bob, said.alice),
        `${heard.bob.length} of ${each} messages arrived there in their order`,
      ),
      found(
        same(heard.alice, said.bob),
        `${heard.alice.length} of ${each} messages arrived back in their order`,
      ),
      found(
        told.length === 0,
        `${alice.sent.length + bob.sent.length} recorded requests and frames hold ${told.length === 0 ? 'no text of a message' : 'text of a message'}`,
      ),
      found(
        sealed.length >= 2 * each && anonymous,
        `${sealed.length} sealed requests, ${anonymous ? 'none with a session' : 'SOME WITH A SESSION'}`,
      ),
      found(
        kept.hits.length === 0,
        kept.hits.join('; ') ||
          `${kept.files} files of databases and logs hold no text of a message`,
      ),
    ],
  };
}

/** What a first contact is made with: signed by the devices on the list, and post-quantum. */
async function checkPrekeys(alice: Person, bob: Person): Promise<Finding[]> {
  await using islander = await alice.open();
  const { lookups } = islander;
  const { account, list } = await lookups.person(bob.name);
  const { devices } = openDeviceList(list);
  const { bundles } = await lookups.bundles(
    account,
    devices.map(({ device }) => device),
  );
  return bundles.map((bundle) => {
    const dsk = devices.find(({ device }) => device === bundle.device)?.dsk ?? new Uint8Array(32);
    const { oneTime } = openBundle(bundle, dsk, dayOf(Date.now()));
    return found(
      oneTime?.kem.length === kemBytes,
      oneTime === undefined
        ? 'the bundle of a device that has one-time prekeys holds NO ONE-TIME KEY'
        : `prekeys of a device, signed by it, for one use: X25519 and ML-KEM-768 (${oneTime.kem.length} bytes)`,
    );
  });
}

/** How what a person says here begins: it is found nowhere else. */
const opening = ({ password }: Pick<Person, 'password'>): string => `${password} says`;

/** Both send all, and hear until they have as many. */
async function converse(
  alice: Person,
  bob: Person,
  said: { alice: string[]; bob: string[] },
): Promise<{ alice: string[]; bob: string[] }> {
  await using one = await alice.open();
  await using two = await bob.open();
  for (const islander of [one, two]) {
    islander.startReceiving();
    islander.startSending();
  }
  await one.send(bob.name, said.alice);
  const atBob = await hear(bob, two, alice);
  await two.send(alice.name, said.bob);
  return { alice: await hear(alice, one, bob), bob: atBob };
}

/** What `from` said for this check, or what could not be read, until there is enough. */
async function hear(
  { joining: { storage } }: Person,
  { failed }: Islander,
  from: Person,
): Promise<string[]> {
  const texts: string[] = [];
  const signal = AbortSignal.timeout(patience);
  const listen = async (): Promise<void> => {
    for await (const group of arrivals(storage, signal)) {
      const spoken = group.map((each) => (each.type === 'message' ? each.text : 'unreadable'));
      texts.push(
        ...spoken.filter((text) => text === 'unreadable' || text.startsWith(opening(from))),
      );
      if (texts.length >= each) return;
    }
  };
  await Promise.race([listen(), failed]);
  return texts;
}
