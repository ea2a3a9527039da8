/** Archive: a person's history, sealed by their devices; a service of its own. docs/decisions/062-archive.md */
import { join } from 'node:path';
import { startRounds } from '../kit/rounds.ts';
import { defineService } from '../kit/service.ts';
import { openStore } from '../kit/store.ts';
import { openVault } from '../kit/vault.ts';
import { archive } from './contract.ts';
import { sweep } from './erasure.ts';
import * as schema from './schema.ts';
import { sealedSegments, sealFormer } from './sealed-segments.ts';
import { openArchives } from './segments.ts';
import { checkWriter } from './writers.ts';

const migrations = join(import.meta.dirname, 'migrations');
/** Milliseconds between two looks for erased archives. */
const round = 10_000;

export const archiveService = defineService({
  contract: archive,
  async start({ bus, data, keys, log }) {
    await using held = new AsyncDisposableStack();
    const file = join(data, 'archive.sqlite');
    const store = held.use(await openStore({ file, schema, migrations, log }));
    const vault = held.use(await openVault({ store, keys, log }));
    const sealed = sealedSegments(vault, log);
    const former = await sealFormer(store, vault, sealed);
    if (former > 0) log.info('segments_sealed', { count: former });
    const archives = await openArchives(store, sealed);

    const forget = async () => {
      const count = await sweep(store);
      if (count > 0) log.info('archives_erased', { count });
    };
    held.use(startRounds(round, forget, log));

    bus.handle(archive, 'head', ({ account }) => archives.head(account));
    bus.handle(archive, 'append', async ({ account, device, segment }) => {
      await archives.append(account, device, segment, (read) => checkWriter(bus, read));
      return {};
    });
    bus.handle(archive, 'read', async ({ account, after }) => ({
      segments: await archives.read(account, after),
    }));
    bus.handle(archive, 'end', async ({ account }) => {
      await archives.end(account);
      return {};
    });
    bus.handle(archive, 'erase', async ({ account, listEpoch }) => {
      await archives.erase(account, listEpoch);
      return {};
    });
    const stack = held.move();
    return { [Symbol.asyncDispose]: () => stack.disposeAsync() };
  },
});
