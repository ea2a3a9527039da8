/** The bridge as a program: a home of its own, a channel, and the secret in a file. README.md */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { openIslander } from '../../islander.ts';
import { nodePlatform } from '../../platform-node.ts';
import { fileStorage } from '../../storage/file.ts';
import { openBridge } from './bridge.ts';

const { values } = parseArgs({
  options: {
    home: { type: 'string' },
    join: { type: 'string' },
    server: { type: 'string' },
    channel: { type: 'string', default: 'general' },
    port: { type: 'string', default: '8090' },
    'secret-file': { type: 'string' },
  },
});
const { home, server, join, channel: name, 'secret-file': file } = values;
if (!home || !file || !(server || join))
  throw new TypeError('It is: --home DIR --secret-file FILE and --server TITLE or --join LINK');

await using storage = fileStorage(home);
await using islander = await openIslander({
  storage,
  platform: nodePlatform,
  on(event) {
    if (event.type === 'post-waiting') console.error(`waits: ${event.error.message}`);
  },
});
const { spaces, channels } = islander;
const joined = join ? await spaces.join(join, { bot: true }) : undefined;
await spaces.refresh();
const { space, channels: all } = joined ?? (await spaces.find(server ?? ''));
const channel = [...all.values()].find((each) => each.kind === 'text' && each.name === name);
if (!channel) throw new TypeError(`There is no channel #${name} that this bot can see.`);
// Receiving, too: members ask a device for the keys of what it posted.
islander.startReceiving();
islander.startSending();

const stop = Promise.withResolvers<void>();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.resolve());
await using bridge = await openBridge({
  secret: await secretIn(file),
  port: Number(values.port),
  post: (text) => channels.post(space, channel.channel, { kind: 'text', text }),
});
console.log(`Posting into #${name}: http://127.0.0.1:${bridge.port}/hook/ and what is in ${file}`);
await Promise.race([stop.promise, islander.failed]);

/** Made the first time; only this user can read it. */
async function secretIn(path: string): Promise<string> {
  const fresh = randomBytes(24).toString('base64url');
  await writeFile(path, `${fresh}\n`, { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  });
  const secret = (await readFile(path, 'utf8')).trim();
  if (secret.length < 16) throw new TypeError(`The secret in ${path} is too short.`);
  return secret;
}
