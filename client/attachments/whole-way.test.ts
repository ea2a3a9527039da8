/** An attachment from one person to another with all services at work: paid from the wallet, told by the descriptor. docs/protocol/attachments.md */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  decodeDescriptor,
  encodeDescriptor,
} from '@island/protocol/crypto/attachment-descriptor.ts';
import { Reader } from '@island/protocol/wire/bytes.ts';
import { encodeToken, readToken, type Token, tokenClasses } from '@island/protocol/wire/token.ts';
import t from 'tap';
import { openAccount } from '../account/account.ts';
import { register } from '../joining/registration.ts';
import { openWallet } from '../payment/wallet.ts';
import { openSession } from '../sign-in/session.ts';
import { memoryStorage } from '../storage/memory.ts';
import { realIsland } from '../testing/real-island.ts';
import { beginBlob } from './blobs.ts';
import { deleteAttachment } from './deletion.ts';
import { downloadAttachment } from './download.ts';
import { bytesSource } from './source.ts';
import { uploadAttachment } from './upload.ts';

const island = await realIsland();
t.teardown(() => island[Symbol.asyncDispose]());

const storage = memoryStorage();
const platform = island.platform();
const joining = { storage, platform, now: Date.now };
const registered = await register(joining, await island.link(), 'alice', {
  password: 'a pass phrase',
});
const account = openAccount(registered.account);
const transport = platform.transport(account.pinned);
const session = openSession({ ...joining, transport, account });
const wallet = openWallet({ storage, session, transport, now: Date.now });
const take = (count: number, batchOf: Parameters<typeof wallet.take>[2], signal?: AbortSignal) =>
  wallet.take(tokenClasses.media, count, batchOf, signal);

const send = (bytes: Uint8Array) =>
  uploadAttachment({
    transport,
    storage,
    tokens: take,
    source: bytesSource(bytes),
    name: 'plan.odt',
    mime: 'application/vnd.oasis.opendocument.text',
  });

t.test(
  'M2: paid with tokens of one person, fetched by another who was never heard of',
  async (t) => {
    const bytes = randomBytes(9 * 1_048_576);
    const descriptor = decodeDescriptor(encodeDescriptor(await send(bytes)));
    const to = join(t.testdir(), 'plan.odt');
    await downloadAttachment({
      transport: island.platform().transport(account.pinned),
      descriptor,
      to,
    });
    t.ok((await readFile(to)).equals(bytes));
    await deleteAttachment({ transport, descriptor });
    await t.rejects(downloadAttachment({ transport, descriptor, to: `${to}.2` }), {
      code: 'blob_gone',
    });
  },
);

t.test('pitfall: token double spend: for another blob they are good no more', async (t) => {
  const kept: Token[] = [];
  await take(1, (tokens) => {
    kept.push(...tokens);
    return {};
  });
  const [token] = kept;
  if (!token) throw new Error('no token');
  const payment = { size: 100, tokens: encodeToken(token), deleteHash: randomBytes(32) };
  const first = await beginBlob(transport, payment);
  t.same((await beginBlob(transport, payment)).id, first.id);
  const other = { ...payment, deleteHash: randomBytes(32) };
  await t.rejects(beginBlob(transport, other), { code: 'token_spent' });
  await t.rejects(beginBlob(transport, { ...payment, size: 101 }), { code: 'token_spent' });
});

t.test(
  'tokens that nobody gave out, of the other class, or of another day pay for nothing',
  async (t) => {
    const delivered: Token[] = [];
    await wallet.take(tokenClasses.delivery, 1, (tokens) => {
      delivered.push(...tokens);
      return {};
    });
    const [other] = delivered;
    if (!other) throw new Error('no token');
    const made = readToken(new Reader(encodeToken(other)));
    for (const token of [
      made,
      { ...made, class: tokenClasses.media },
      { ...made, class: tokenClasses.media, day: made.day - 3 },
      { ...made, class: tokenClasses.media, output: randomBytes(64) },
    ]) {
      const payment = { size: 100, tokens: encodeToken(token), deleteHash: randomBytes(32) };
      await t.rejects(beginBlob(transport, payment), { code: 'token_invalid' });
    }
  },
);
