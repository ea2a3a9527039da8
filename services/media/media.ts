/** The parts of `media` put together: its database, its files, its door. */
import { join } from 'node:path';
import { limits } from '@island/protocol/wire/limits.ts';
import { UnopenedRecord } from '../kit/at-rest-record.ts';
import { type Clock, unixDay } from '../kit/clock.ts';
import { serveTls } from '../kit/http-server.ts';
import type { Log } from '../kit/log.ts';
import type { Identity } from '../kit/mtls.ts';
import { startRounds } from '../kit/rounds.ts';
import type { ServiceKeys } from '../kit/service-keys.ts';
import { openStore } from '../kit/store.ts';
import { openVault, type VaultTable } from '../kit/vault.ts';
import { openBlobs } from './blobs.ts';
import { openFiles } from './files.ts';
import { publicHttp } from './public-http.ts';
import { expire, settle } from './retention.ts';
import { needRoom } from './room.ts';
import * as schema from './schema.ts';
import { openTurns } from './turns.ts';
import { openUploads, type Spend } from './uploads.ts';

export interface MediaParts {
  identity: Identity;
  /** The mTLS port that the edge talks to. */
  port: number;
  /** The service's own folder. */
  data: string;
  spend: Spend;
  keys: ServiceKeys | undefined;
  clock: Clock;
  log: Log;
  /** Bytes that attachments leave free on the disk; other than ours in tests. */
  spare?: number;
}

const migrations = join(import.meta.dirname, 'migrations');
/** Milliseconds between two looks for what is over. */
const round = 60_000;
/** Milliseconds: the line may be slow, and a part is large. */
const patience = { headersTimeout: 10_000, requestTimeout: 120_000 };

export async function openMedia(parts: MediaParts): Promise<AsyncDisposable> {
  const { identity, port, data, spend, keys, clock, log, spare } = parts;
  await using held = new AsyncDisposableStack();
  const file = join(data, 'media.sqlite');
  const store = held.use(await openStore({ file, schema, migrations, log }));
  const vault = held.use(await openVault({ store, keys, log }));
  const sealed = toldOf(vault.table('blobs'), log);
  const blobs = openBlobs(store);
  const files = await openFiles(join(data, 'blobs'), sealed);
  const at = openTurns();

  const swept = await settle({ blobs, files });
  if (swept.files > 0) log.info('blob_files_swept', { count: swept.files });
  if (swept.blobs > 0) log.warn('blobs_lost', { count: swept.blobs });
  const age = async () => {
    const count = await expire({ blobs, files, at }, unixDay(clock));
    if (count > 0) log.info('blobs_expired', { count });
    await sealed.drop(unixDay(clock) - limits.blobDays);
  };
  await age();
  held.use(startRounds(round, age, log));

  const room = async (bytes: number) => needRoom(data, bytes, await blobs.promised(), spare);
  const uploads = openUploads({ blobs, files, at, spend, needRoom: room, clock });
  const listener = publicHttp({ uploads, files, log });
  held.use(await serveTls({ listener, identity, accept: ['edge'], port, log, patience }));
  const stack = held.move();
  return { [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** A piece that does not open where it lies: its download breaks off, and the log says so, naming no blob. */
const toldOf = (table: VaultTable, log: Log): VaultTable => ({
  ...table,
  open(...place) {
    try {
      return table.open(...place);
    } catch (error) {
      if (error instanceof UnopenedRecord) log.warn('piece_unopened', { code: error.code });
      throw error;
    }
  },
});
