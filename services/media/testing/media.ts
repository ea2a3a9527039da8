/** For tests: media with its real database, files and door, and a ledger of tokens in delivery's place. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathOfBlob, tokensFor } from '@island/protocol/wire/blob-routes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import { encodeToken, tokenClasses } from '@island/protocol/wire/token.ts';
import { freePorts } from '@island/provisioning/ports.ts';
import type { Log } from '../../kit/log.ts';
import { type TestPki, testLog, testPki } from '../../kit/testing/pki.ts';
import { testKeys } from '../../kit/testing/vault.ts';
import { openMedia } from '../media.ts';
import type { Spend } from '../uploads.ts';
import { type MediaDoor, type MediaReply, mediaDoor } from './door.ts';

/** Spends each token for one thing, as delivery does. */
export function testLedger(): { spend: Spend; spent: Map<string, string>; fail?: Fault } {
  const spent = new Map<string, string>();
  const ledger: ReturnType<typeof testLedger> = {
    spent,
    async spend(tokens, context) {
      if (ledger.fail) throw ledger.fail;
      for (const token of tokens) {
        const known = spent.get(base64url(token));
        if (known !== undefined && known !== base64url(context)) throw new Fault('token_spent');
      }
      for (const token of tokens) spent.set(base64url(token), base64url(context));
    },
  };
  return ledger;
}

export interface TestBlob {
  id: Uint8Array;
  key: Uint8Array;
  path: string;
  offset: number;
  expires: number;
}

export interface TestMedia extends AsyncDisposable {
  pki: TestPki;
  port: number;
  data: string;
  door: MediaDoor;
  log: Log & { lines: string[] };
  ledger: ReturnType<typeof testLedger>;
  clock: { ahead: number; now(): number };
  begin(size: number, given?: { key?: Uint8Array; tokens?: Uint8Array }): Promise<MediaReply>;
  begun(size: number, given?: { key?: Uint8Array; tokens?: Uint8Array }): Promise<TestBlob>;
  /** How far its upload is, as the one who began it is told. */
  stored(blob: TestBlob): Promise<number>;
  put(blob: TestBlob, offset: number, body: Uint8Array): Promise<MediaReply>;
  /** The whole of it in parts. */
  upload(bytes: Uint8Array): Promise<TestBlob>;
  get(blob: TestBlob, range?: string): Promise<MediaReply>;
  remove(blob: TestBlob, key?: Uint8Array): Promise<MediaReply>;
  /** Ends the service and begins it anew on the same folder. */
  restart(): Promise<void>;
}

/** What another process needs to be media. */
export interface Elsewhere {
  socket: string;
  port: number;
  data: string;
  master: Uint8Array;
}

/** Not signed by anybody, but in form. */
export const tokens = (size: number): Uint8Array =>
  Buffer.concat(
    Array.from({ length: tokensFor(size) }, () =>
      encodeToken({
        class: tokenClasses.media,
        day: 20_000,
        input: randomBytes(32),
        output: randomBytes(64),
      }),
    ),
  );

/** `elsewhere`: starts media in another process than this one; `restart` kills and starts it. */
export async function testMedia(
  given: {
    data?: string;
    spare?: number;
    elsewhere?: (at: Elsewhere) => Promise<AsyncDisposable>;
  } = {},
): Promise<TestMedia> {
  await using held = new AsyncDisposableStack();
  const pki = held.use(await testPki());
  const data = given.data ?? join(pki.dir, 'media');
  await mkdir(data, { recursive: true, mode: 0o700 });
  const [port = 0] = await freePorts(1);
  const log = testLog();
  const ledger = testLedger();
  const clock = { ahead: 0, now: () => Date.now() + clock.ahead };
  const identity = held.use(await pki.identity('media'));
  const master = randomBytes(32);
  const start = () =>
    given.elsewhere?.({ socket: join(pki.sockets, 'media.sock'), port, data, master }) ??
    openMedia({
      identity,
      port,
      data,
      spend: ledger.spend,
      keys: testKeys('media', [master]),
      clock,
      log,
      ...(given.spare !== undefined && { spare: given.spare }),
    });
  let running = await start();
  held.defer(() => running[Symbol.asyncDispose]());
  const door = held.use(mediaDoor(held.use(await pki.identity('edge')), port));
  const stack = held.move();

  const media: TestMedia = {
    pki,
    port,
    data,
    door,
    log,
    ledger,
    clock,
    begin(size, { key = randomBytes(16), tokens: paid = tokens(size) } = {}) {
      const deleteHash = createHash('sha256').update(key).digest();
      const body = { size, tokens: base64url(paid), deleteHash: base64url(deleteHash) };
      return door.ask({
        method: 'POST',
        path: '/v1/blobs',
        body: Buffer.from(JSON.stringify(body)),
      });
    },
    async begun(size, { key = randomBytes(16), ...rest } = {}) {
      const reply = await media.begin(size, { key, ...rest });
      const answer = await reply.json();
      if (reply.status !== 200) throw new Error(String(answer['code']));
      const id = fromBase64url(String(answer['id']));
      const [offset, expires] = [Number(answer['offset']), Number(answer['expires'])];
      return { id, key, path: pathOfBlob(id), offset, expires };
    },
    async stored({ path, key }) {
      const headers = { 'blob-key': base64url(key) };
      const reply = await door.ask({ method: 'HEAD', path, headers });
      return Number(reply.headers['upload-offset']);
    },
    put: ({ path, key }, offset, body) =>
      door.ask({
        method: 'PUT',
        path: `${path}?offset=${offset}`,
        headers: { 'blob-key': base64url(key) },
        body,
      }),
    async upload(bytes) {
      const blob = await media.begun(bytes.length);
      for (let at = 0; at < bytes.length; at += limits.blobChunkBytes) {
        const reply = await media.put(blob, at, bytes.subarray(at, at + limits.blobChunkBytes));
        const text = (await reply.bytes()).toString();
        if (reply.status !== 200) throw new Error(text);
      }
      return blob;
    },
    get: ({ path }, range) =>
      door.ask({ method: 'GET', path, ...(range !== undefined && { headers: { range } }) }),
    remove: ({ path, key }, other = key) =>
      door.ask({
        method: 'POST',
        path: `${path}/delete`,
        body: Buffer.from(JSON.stringify({ key: base64url(other) })),
      }),
    async restart() {
      await running[Symbol.asyncDispose]();
      running = await start();
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
  return media;
}
