/**
 * M2: the island can't determine who sent a direct message. Somebody who does nothing but send writes to
 * another one; then everything that the island keeps is searched for the sender. docs/threat-model.md §3
 *
 * Nobody, not even this check, may listen to the bus (T3): what crosses it on the way of a message is what the
 * contract lets through, and that is looked at in its place.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { departures } from '@island/client/messages/departures.ts';
import { decodeSend } from '@island/protocol/wire/send.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import { delivery } from '@island/services/delivery/contract.ts';
import { tokensOf } from './device.ts';
import { type Finding, type Findings, found } from './finding.ts';
import type { Person } from './people.ts';
import type { Scene } from './scene.ts';
import { among, type Needle, searchFiles, spellings } from './traces.ts';

const messages = 3;
const patience = 30_000;
/** What knows the people of the island, and takes no part in a send. */
const registers = new Set(['accounts', 'directory', 'archive']);
/** All that a send may say on the bus. */
const fields = 'account, context, envelopes, epoch, key, tokens';

/** @param sender somebody who never was sent anything */
export async function checkSealedSender(
  { layout }: Scene,
  sender: Person,
  recipient: Person,
): Promise<Findings> {
  await send(sender, recipient);
  const bodies = sender.sent.filter(({ path }) => path === '/v1/send');
  const { access, refresh } = await tokensOf(sender.joining.storage);
  const who = identity('the sender', sender);
  const signs = [
    ...who,
    ...spellings('an access token of the sender', access),
    ...spellings('a refresh token of the sender', refresh),
    ...spellings('a key of the sender', sender.account.list.slice(-64)),
  ];
  const told = bodies.flatMap(({ body }) => among(signs, body));
  const apart = (await readdir(layout.service(''))).filter((name) => !registers.has(name));
  const folders = [...apart.map((name) => layout.service(name)), layout.log];
  const kept = await searchFiles(folders, signs);
  const joined = await joinedRows(layout.service(''), who, identity('the recipient', recipient));
  const said = Object.keys(delivery.calls.put.request.entries).sort().join(', ');
  const tokens = bodies.flatMap(({ body }) => decodeSend(body).tokens);
  return {
    summary: `${messages} messages left without a name; ${kept.files} files of services and logs on their way hold nothing of who sent them`,
    findings: [
      found(
        bodies.length >= messages && bodies.every(({ token }) => token === undefined),
        `${bodies.length} requests without a session, paid with ${tokens.length} tokens`,
      ),
      found(
        told.length === 0,
        told.join('; ') || 'their bytes hold no id, name, key or token of the sender',
      ),
      found(
        kept.hits.length === 0,
        kept.hits.join('; ') ||
          `${folders.length} folders (${apart.join(', ')}, logs), ${kept.files} files, ${kept.bytes} bytes: no trace of the sender`,
      ),
      ...joined,
      found(said === fields, `a send says on the bus: ${said}`),
    ],
  };
}

/** What somebody is known by. */
const identity = (what: string, { name, account }: Person): Needle[] => [
  ...spellings(`the account id of ${what}`, fromHex(account.account)),
  ...spellings(`the name of ${what}`, name),
];

/** By a program that only sends: it takes no part in anything else. */
async function send(from: Person, to: Person): Promise<void> {
  await using islander = await from.open();
  const texts = Array.from({ length: messages }, (_, index) => `${from.password} unnamed ${index}`);
  const keys = await islander.send(to.name, texts);
  islander.startSending();
  const signal = AbortSignal.timeout(patience);
  let accepted = 0;
  for await (const { state } of departures(from.joining.storage, keys, signal))
    if (state === 'accepted') accepted += 1;
  if (accepted < messages) throw new Error('a message was not accepted');
}

/** No row of any database, sealed columns aside, names both. */
async function joinedRows(
  folder: string,
  one: readonly Needle[],
  other: readonly Needle[],
): Promise<Finding[]> {
  const both: string[] = [];
  let rows = 0;
  let files = 0;
  for (const name of await readdir(folder)) {
    const inside = (await readdir(join(folder, name))).filter((file) => file.endsWith('.sqlite'));
    for (const file of inside) {
      files += 1;
      using database = new DatabaseSync(join(folder, name, file), { readOnly: true });
      const tables = database
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .all();
      for (const { name: table } of tables)
        for (const row of database.prepare(`SELECT * FROM "${String(table)}"`).iterate()) {
          rows += 1;
          const cells = Object.values(row).map((cell) =>
            cell instanceof Uint8Array ? Buffer.from(cell) : Buffer.from(String(cell)),
          );
          const bytes = Buffer.concat(cells.flatMap((cell) => [cell, Buffer.of(0)]));
          if (among(one, bytes).length > 0 && among(other, bytes).length > 0)
            both.push(`${name}.${String(table)}`);
        }
    }
  }
  return [
    found(
      files > 0 && both.length === 0,
      both.length > 0
        ? `ROWS WITH BOTH: ${[...new Set(both)].join(', ')}`
        : `${rows} rows of ${files} databases: none names both the sender and the recipient`,
    ),
  ];
}
