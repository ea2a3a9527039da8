/** Spaces: servers, their channels, and what is posted there. docs/protocol/channel.md */
import { join } from 'node:path';
import { may } from '@island/protocol/space/permissions.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { spaceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { delivery } from '../delivery/contract.ts';
import { unixDay, unixSeconds } from '../kit/clock.ts';
import { createQuotas } from '../kit/quotas.ts';
import { startRounds } from '../kit/rounds.ts';
import { defineService } from '../kit/service.ts';
import { openStore } from '../kit/store.ts';
import { openVault } from '../kit/vault.ts';
import { readPolicy, writePolicy } from './beginners.ts';
import { openChannels } from './channels.ts';
import { spaces } from './contract.ts';
import { idBytes } from './database.ts';
import { changedSince, watchDevices } from './device-changes.ts';
import { checkInvited } from './invited.ts';
import { forgetMember } from './memberships.ts';
import { readPage } from './pages.ts';
import { openPosts } from './posts.ts';
import { openPresence } from './presence.ts';
import { keepReport, readReports } from './reports.ts';
import { expire } from './retention.ts';
import * as schema from './schema.ts';
import { sealedRows } from './sealed-rows.ts';
import { openSpaceLogs } from './space-logs.ts';
import { tableOf } from './table.ts';

const migrations = join(import.meta.dirname, 'migrations');
/** Milliseconds between two rounds of retention. */
const round = 3_600_000;
/** Seconds. */
const hour = 3_600;

export const spacesService = defineService({
  contract: spaces,
  async start({ bus, cache, clock, data, keys, log }) {
    if (cache === undefined) throw new TypeError('spaces has no cache');
    await using held = new AsyncDisposableStack();
    const file = join(data, 'spaces.sqlite');
    const store = held.use(await openStore({ file, schema, migrations, log }));
    const vault = held.use(await openVault({ store, keys, log }));
    const entryRows = sealedRows(vault, log, { name: 'entries', column: 'entry' });
    const postRows = sealedRows(vault, log, { name: 'posts', column: 'post' });
    const reportRows = sealedRows(vault, log, { name: 'reports', column: 'sealed' });
    const logs = openSpaceLogs({ store, bus, clock, rows: entryRows });
    const channels = openChannels({ store, logs });
    const posts = openPosts({ store, bus, clock, rows: postRows, logs, channels });
    const presence = openPresence({ store, bus, cache, clock });
    const secret = await vault.secrets.seed('limits', true);
    const quotas = createQuotas({ cache, clock, secret, prefix: 'spaces' });
    held.use(watchDevices({ store, bus, channels, log }));

    const forget = async () => {
      const gone = await expire(store, clock);
      for (const space of gone.spaces) logs.forget(space);
      const count = gone.spaces.length + gone.reports;
      if (count > 0) log.info('spaces_expired', { count });
    };
    held.use(startRounds(round, forget, log));

    bus.handle(spaces, 'create', async ({ entry, ...by }) => {
      await logs.create(by, entry);
      return {};
    });
    bus.handle(spaces, 'append', async ({ entry, ...by }) => {
      await quotas.count(`entries:${by.account}`, limits.entriesPerHour, hour);
      return { seq: await logs.append(by, entry) };
    });
    bus.handle(spaces, 'log', async ({ account, space, after, invite }) => {
      const state = await logs.stateOf(space);
      if (!state.members.has(account))
        checkInvited(state, unixSeconds(clock), { space, account, ...invite });
      return { seq: state.seq, entries: await logs.entries(space, after) };
    });
    bus.handle(spaces, 'mine', async ({ account }) => {
      const rows = await store.rows<{ space: Buffer; seq: number; lists: number }>(
        'SELECT space, seq, spaces.lists AS lists FROM memberships JOIN spaces USING (space) WHERE account = ?',
        [idBytes(account)],
      );
      return {
        spaces: rows.map(({ space, ...counts }) => {
          return { space: spaceId(space.toString('hex')), ...counts };
        }),
      };
    });
    bus.handle(spaces, 'lists', async ({ account, space, after }) => {
      await logs.stateFor(space, account);
      const lists = await channels.listsOf(space);
      return { lists, accounts: await changedSince(store, space, after) };
    });
    bus.handle(spaces, 'watch', async ({ account, channels: asked }) => {
      const found = asked.map(async (id) => {
        try {
          const { space } = await channels.visible(id, account);
          return [{ channel: id, space, head: await channels.head(id) }];
        } catch (error) {
          if (error instanceof Fault && error.code === 'not_found') return [];
          throw error;
        }
      });
      return { channels: (await Promise.all(found)).flat() };
    });
    bus.handle(spaces, 'post', async ({ lists, post, ...by }) => ({
      seq: await posts.post(by, lists, post),
    }));
    bus.handle(spaces, 'posts', (wanted) => readPage({ store, rows: postRows, channels }, wanted));
    bus.handle(spaces, 'takeBack', async ({ account, channel: id, seqs }) => {
      const { channel } = await channels.visible(id, account);
      await posts.takeBack(account, channel, seqs);
      return {};
    });
    bus.handle(spaces, 'keys', async ({ account, space, to, epoch, envelopes }) => {
      const { members } = await logs.stateFor(space, account);
      if (!members.has(to)) throw new Fault('not_found');
      await quotas.count(`keys:${account} ${to}`, limits.keySendsPerHour, hour);
      await bus.call(delivery, 'place', { account: to, epoch, envelopes });
      return {};
    });
    bus.handle(spaces, 'typing', async ({ account, channel: id, began }) => {
      const { state, channel } = await channels.visible(id, account);
      if (!may(state, account, 'post', channel)) throw new Fault('not_permitted');
      bus.publish(spaces, 'typing', id, { account, began });
      return {};
    });
    bus.handle(spaces, 'setPresence', async ({ state, ...by }) => {
      await presence.set(by, state);
      return {};
    });
    bus.handle(spaces, 'present', async ({ account, space }) => {
      const { members } = await logs.stateFor(space, account);
      return { members: await presence.of([...members.keys()]) };
    });
    bus.handle(spaces, 'report', async ({ account, space, report, sealed }) => {
      await logs.stateFor(space, account);
      const kept = { report, by: account, day: unixDay(clock), sealed };
      await keepReport({ store, rows: reportRows }, space, kept);
      return {};
    });
    bus.handle(spaces, 'reports', async ({ account, space, after }) => {
      const state = await logs.stateFor(space, account);
      if (!may(state, account, 'reports')) throw new Fault('not_permitted');
      return { reports: await readReports({ store, rows: reportRows }, space, after) };
    });

    bus.handle(spaces, 'end', async ({ account }) => {
      await forgetMember(store, account);
      return {};
    });
    bus.handle(spaces, 'policy', () => readPolicy(store));
    bus.handle(spaces, 'setPolicy', async (policy) => {
      await writePolicy(store, policy);
      return {};
    });
    bus.handle(spaces, 'table', async ({ after }) => ({
      spaces: await tableOf({ store, logs }, after),
    }));
    bus.handle(spaces, 'shutDown', async ({ space }) => {
      const found = await store.write((_db, sql) =>
        sql.run('UPDATE spaces SET ended = coalesce(ended, ?) WHERE space = ?', [
          unixDay(clock),
          idBytes(space),
        ]),
      );
      if (found === 0) throw new Fault('not_found');
      return {};
    });

    // Events that were to tell of commits before this moment may never have been sent.
    bus.publish(spaces, 'resumed', 'all', {});
    const forgetReconnect = bus.onReconnect(() => bus.publish(spaces, 'resumed', 'all', {}));
    held.defer(forgetReconnect);
    const stack = held.move();
    return { [Symbol.asyncDispose]: () => stack.disposeAsync() };
  },
});
