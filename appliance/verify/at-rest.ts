/**
 * M5: what the island keeps is sealed at rest. A message is left waiting in its mailbox, and the whole data
 * folder is searched for its ciphertext, for tokens, for the keys of the CA, and for the master key.
 * docs/protocol/at-rest.md
 */
import { readFile } from 'node:fs/promises';
import { departures } from '@island/client/messages/departures.ts';
import { loadPair } from '@island/pki/store.ts';
import { decodeSend } from '@island/protocol/wire/send.ts';
import { caKeysOf, keysOf, type MasterKey, readMaster } from '@island/provisioning/master-key.ts';
import { keyHoldersOf, units } from '../compose.ts';
import { tokensOf } from './device.ts';
import { type Findings, found } from './finding.ts';
import type { Person } from './people.ts';
import type { Scene } from './scene.ts';
import { among, keySpellings, type Needle, searchFiles, spellings } from './traces.ts';

const patience = 30_000;

export async function checkAtRest(scene: Scene, alice: Person, bob: Person): Promise<Findings> {
  const { island, layout, run, status } = scene;
  await leave(alice, bob);
  const bodies = alice.sent
    .filter(({ path }) => path === '/v1/send')
    .flatMap(({ body }) => decodeSend(body).envelopes.map((envelope) => envelope.body));
  const { access, refresh } = await tokensOf(alice.joining.storage);
  const needles = [
    ...bodies.flatMap((body) => pieces('an envelope', body)),
    ...spellings('an access token', access),
    ...spellings('a refresh token', Buffer.from(refresh, 'base64url')),
    ...spellings('a refresh token', refresh),
  ];
  const { masterKey = '' } = island;
  const master = await readMaster(masterKey, island.id);
  needles.push(...(await caNeedles(layout.pki, master)));
  const kept = await searchFiles([layout.data], needles);
  const keys = [...master.versions.values()].flatMap((bytes) => spellings('the master key', bytes));
  for (const service of units.flatMap(keyHoldersOf))
    for (const text of Object.values(keysOf(master, service)))
      keys.push(...spellings(`the key of ${service}`, Buffer.from(text, 'base64url')));
  const lying = await searchFiles([layout.data, run.dir], keys);
  const told = await inProcesses(
    status.units.flatMap(({ pid }) => pid ?? []),
    keys,
  );
  return {
    summary: `${bodies.length} waiting envelopes, two tokens and the keys of the CA: not in ${kept.files} files of the data folder; no key there, nor in arguments or environments`,
    findings: [
      found(bodies.length > 0, `${bodies.length} envelopes were accepted and wait`),
      found(
        kept.hits.length === 0,
        kept.hits.join('; ') ||
          `${kept.files} files (${kept.bytes} bytes) hold no envelope as it was sent, no token, and no key of the CA`,
      ),
      found(
        lying.hits.length === 0,
        lying.hits.join('; ') || `${lying.files} files hold no key: the master key lies elsewhere`,
      ),
      found(
        told.length === 0,
        told.join('; ') || 'arguments and environments of the processes hold no key',
      ),
    ],
  };
}

/** Sends without anybody to receive it: it is accepted, and waits. */
async function leave(from: Person, to: Person): Promise<void> {
  await using islander = await from.open();
  const keys = await islander.send(to.name, ['kept at rest']);
  islander.startSending();
  const signal = AbortSignal.timeout(patience);
  for await (const { state } of departures(from.joining.storage, keys, signal))
    if (state !== 'accepted') throw new Error('a message was not accepted');
}

/** The keys of the CAs below the root, as somebody has them who has the master key too. */
async function caNeedles(pki: string, master: MasterKey): Promise<Needle[]> {
  const keys = caKeysOf(master);
  const needles: Needle[] = [];
  for (const role of ['issuing', 'edge'] as const) {
    const { current, previous } = await loadPair(pki, role, keys);
    for (const each of [current, previous])
      if (each !== undefined) needles.push(...keySpellings(`the key of the ${role} CA`, each.key));
  }
  return needles;
}

/** Short enough that one is not cut by the pages of a database. */
function pieces(what: string, bytes: Uint8Array): Needle[] {
  const found: Needle[] = [];
  for (let at = 0; at + 32 <= bytes.length; at += 64)
    found.push({ what, bytes: Buffer.from(bytes.subarray(at, at + 32)) });
  return found;
}

async function inProcesses(pids: readonly number[], needles: readonly Needle[]): Promise<string[]> {
  const hits: string[] = [];
  for (const pid of pids)
    for (const name of ['cmdline', 'environ']) {
      const text = await readFile(`/proc/${pid}/${name}`).catch(() => Buffer.alloc(0));
      hits.push(...among(needles, text).map((what) => `${what} in ${name} of process ${pid}`));
    }
  return hits;
}
