/** One person's device at work: sends what is queued, receives what comes, and says how it goes. */
import type { AccountId, ChannelId, SpaceId } from '@island/protocol/wire/ids.ts';
import { type Account, openAccount } from './account/account.ts';
import { keepAccount } from './account/account-upkeep.ts';
import { adoptOwnAccount } from './account/adoption.ts';
import { whySignedOut } from './account/ending.ts';
import { type Archive, openArchive, type Progress } from './archive/archive.ts';
import { keepArchive } from './archive/upkeep.ts';
import { keepDeletions } from './attachments/deletions.ts';
import { type Enclosures, openEnclosures } from './attachments/enclosing.ts';
import { type Channels, openChannels } from './channels/channels.ts';
import { requestLine } from './channels/line.ts';
import { type ChannelSign, type SocketLine, socketLine } from './channels/socket-line.ts';
import { type Conversations, openConversations } from './conversation/conversations.ts';
import { keepConversations } from './conversation/keeper.ts';
import { typists } from './conversation/typing.ts';
import { openSpeaking, type Speaking } from './messages/speaking.ts';
import { openDeliveryKeys } from './payment/delivery-keys.ts';
import { openWallet, sparing, type Wallet } from './payment/wallet.ts';
import { type Lookups, openLookups } from './people/lookups.ts';
import { openOwnPerson } from './people/own-person.ts';
import { openPeople, type People } from './people/people.ts';
import type { Platform } from './platform.ts';
import { Problem } from './problem.ts';
import { keepPrekeys } from './ratchets/prekey-upkeep.ts';
import { openRatchets } from './ratchets/ratchets.ts';
import { openCertificates } from './receiving/certificates.ts';
import { runInbox } from './receiving/inbox.ts';
import { keepRepairs } from './repair/keeping.ts';
import { runOutbox } from './sending/dm.ts';
import { openSession, type Session } from './sign-in/session.ts';
import { openActors } from './spaces/actors.ts';
import { openFollowing } from './spaces/following.ts';
import { openSpaces, type Spaces } from './spaces/spaces.ts';
import { openRecord } from './storage/restored-home.ts';
import type { Storage } from './storage/storage.ts';
import { keepDirectory } from './transparency/monitor.ts';
import { openProving } from './transparency/proving.ts';
import type { WitnessChange } from './transparency/witness-change.ts';
import { openWitnessing } from './transparency/witnessing.ts';
import type { Transport } from './transport/transport.ts';

/** What happens beside the messages themselves, which are in the storage (messages.ts, arrivals.ts). */
export type IslanderEvent =
  | { type: 'online' }
  | { type: 'offline'; error: Error }
  | { type: 'waiting'; to: string; error: Error }
  | { type: 'moving'; to: string }
  | { type: 'dropped'; error: Error }
  /** Somebody is writing, or has stopped. */
  | { type: 'typing'; from: string; began: boolean }
  /** Somebody writes in a channel, or is there, or is gone. */
  | { type: 'sign'; sign: ChannelSign }
  /** What other devices have archived is being read. */
  | { type: 'reading'; progress: Progress }
  /** The archive can't be reached: what came is here, and stays in the mailbox until it is archived. */
  | { type: 'archiving'; error: Error }
  /** The archive took something, or showed something, that is refused: new messages are on this device only. */
  | { type: 'unarchived'; error: Error }
  /** Another device changed the account: untold-changes.ts says what. */
  | { type: 'account' }
  /** What the island shows of the account is refused. */
  | { type: 'account-refused'; error: Error }
  /** What the directory shows is refused, or it holds something back. */
  | { type: 'directory'; error: Error }
  /** Others watch the directory than before: kept until the person was told (transparency/witness-change.ts). */
  | { type: 'witnesses'; change: WitnessChange }
  /** Something keeps a post of a channel here; it is tried again. */
  | { type: 'post-waiting'; channel: ChannelId; error: Error }
  /** A post, or a key of one, was refused: why, in a word of the protocol. */
  | { type: 'post-refused'; channel: ChannelId | undefined; why: string }
  /** What the island shows of a channel or a server is refused. */
  | { type: 'channel-trouble'; place: ChannelId | SpaceId; error: Error }
  /** Somebody asked to begin the account anew: possible after so many seconds, unless a device objects. */
  | { type: 'reset-asked'; seconds: number };

export interface IslanderParts {
  storage: Storage;
  platform: Platform;
  /** Unix milliseconds. */
  now?: () => number;
  on: (event: IslanderEvent) => void;
}

export interface Islander extends AsyncDisposable, Speaking, Enclosures {
  account: Account;
  session: Session;
  people: People;
  transport: Transport;
  archive: Archive;
  wallet: Wallet;
  lookups: Lookups;
  conversations: Conversations;
  spaces: Spaces;
  channels: Channels;
  /** Says who is there and who writes, as long as there is a connection. */
  signs: Pick<SocketLine, 'typing' | 'present'>;
  /** `say` for what is a text and nothing else. */
  send(to: string, texts: readonly string[]): Promise<string[]>;
  /** Starts sending what is queued, by whatever process of this home. */
  startSending(): void;
  /** Starts receiving, as soon as no other process of this home does. */
  startReceiving(): void;
  /** Rejects when sending or receiving can't go on without a person: `signed_out`, `account_ended`. Never resolves. */
  failed: Promise<never>;
}

/** Throws `not_registered`. */
export async function openIslander(parts: IslanderParts): Promise<Islander> {
  const { storage, platform, now = Date.now, on } = parts;
  const record = await openRecord(storage);
  if (record?.state !== 'registered') throw new Problem('not_registered', { home: storage.place });
  const account = openAccount(record);
  const transport = platform.transport(account.pinned);
  const session = openSession({ storage, transport, account, now });
  const wallet = openWallet({ storage, session, transport, now });
  const proving = openProving({ storage, transport, now });
  const lookups = openLookups({ storage, wallet, transport, proving });
  const people = openPeople(storage, lookups, now);
  /** For proving who sent something: strangers cause that. */
  const provers = openPeople(
    storage,
    openLookups({ storage, wallet: sparing(wallet), transport, proving }),
    now,
  );
  const ratchets = openRatchets(storage, account, now);
  const common = { account, storage, transport, session, people, lookups, ratchets, now };
  const renew = (signal?: AbortSignal) =>
    adoptOwnAccount({ storage, session, now, ...(signal && { signal }) });
  const ownPerson = openOwnPerson(storage, renew);
  const certificates = openCertificates({ account, storage, session, transport, now });
  const deliveryKeys = openDeliveryKeys({ account, storage, session, people, now });
  const archive = openArchive({ account, storage, session, people, renew });
  const kept = keepArchive(archive, storage, {
    onArchiveWaiting: (error) => on({ type: 'archiving', error }),
    onArchiveRefused: (error) => on({ type: 'unarchived', error }),
    onArchiveRead: (progress) => {
      if (progress.read < progress.of) on({ type: 'reading', progress });
    },
  });
  const own = keepAccount(
    { storage, session, now },
    {
      onAccountChanged: () => on({ type: 'account' }),
      onAccountRefused: (error) => on({ type: 'account-refused', error }),
      onResetAsked: (seconds) => on({ type: 'reset-asked', seconds }),
    },
  );
  const witnessing = openWitnessing({
    ...{ storage, session, now },
    onRefused: (error) => on({ type: 'directory', error }),
  });
  const stop = new AbortController();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const running = new Map<string, Promise<void>>();

  function start(name: string, loop: (signal: AbortSignal) => Promise<void>): void {
    if (running.has(name)) return;
    const run = loop(stop.signal).catch(async (error: unknown) => {
      if (stop.signal.aborted) return;
      failed.reject(await whySignedOut({ storage, transport, proving }, error, stop.signal));
    });
    running.set(name, run);
  }

  const speaking = openSpeaking({
    ...common,
    own: ownPerson,
    deliveryKeys,
    signal: stop.signal,
  });

  const conversations = openConversations({ storage, people, own: ownPerson, speaking, now });
  const enclosures = openEnclosures({
    ...{ storage, transport, wallet },
    check: (name) => speaking.say(name, []),
    say: conversations.say,
  });
  const actors = openActors({ account, people, own: ownPerson, lookups });
  const following = openFollowing({ account, storage, session, actors });
  const spaces = openSpaces({ account, storage, session, own: ownPerson, actors, following, now });
  const line = socketLine(requestLine(session), {
    address: transport.address,
    on: (sign) => on({ type: 'sign', sign }),
  });
  const channels = openChannels({
    ...{ ...common, own: ownPerson, spaces, line },
    onWaiting: (channel, error) => on({ type: 'post-waiting', channel, error }),
    onRefused: (channel, why) => on({ type: 'post-refused', channel, why }),
    onTrouble: (place, error) => on({ type: 'channel-trouble', place, error }),
  });
  const writing = typists((from, began) => on({ type: 'typing', from, began }));
  const nameOf = async (peer: AccountId) => (await people.known(peer))?.name;

  return {
    account,
    session,
    people,
    transport,
    archive,
    send: (to, texts) =>
      speaking.say(
        to,
        texts.map((text) => ({ kind: 'text', text })),
      ),
    ...speaking,
    ...enclosures,
    wallet,
    lookups,
    conversations,
    spaces,
    channels,
    signs: line,
    failed: failed.promise,
    startSending() {
      // What was sent is forgotten in time also where nothing is received.
      start('repairs', (signal) => keepRepairs({ ...common, own: ownPerson }, signal));
      const onWaiting = (to: string, error: Error) => on({ type: 'waiting', to, error });
      const onMoving = (to: string) => on({ type: 'moving', to });
      start('sending', (signal) =>
        runOutbox(
          { ...common, own: ownPerson, wallet, deliveryKeys, certificates, onWaiting, onMoving },
          signal,
        ),
      );
      start('posting', (signal) => channels.send(signal));
      start('archiving', (signal) => kept.write(signal));
      start('deletions', (signal) => keepDeletions({ storage, transport }, signal));
    },
    startReceiving() {
      start('receiving', (signal) =>
        runInbox(
          {
            ...common,
            people: provers,
            own: ownPerson,
            channels: channels.hearing,
            certificates,
            onTyping: writing.heard,
            onCosign: witnessing.asked,
            onChannel: (frame) => line.heard(frame),
            onOnline: (say) => {
              witnessing.connected(say);
              line.connected(say);
              kept.connected();
              own.connected();
              on({ type: 'online' });
            },
            onOffline: (error) => {
              line.lost();
              on({ type: 'offline', error });
            },
            onDropped: (error) => on({ type: 'dropped', error }),
            archived: kept.settled,
            upkeep: (box, ends) => keepPrekeys(common, box, ends),
          },
          signal,
        ),
      );
      start('archiving', (signal) => kept.write(signal));
      start('channels', (signal) => channels.keep(signal));
      start('reading', (signal) => kept.read(signal));
      start('account', (signal) => own.run(signal));
      start('conversations', (signal) => keepConversations({ storage, now, nameOf }, signal));
      start('repairs', (signal) => keepRepairs({ ...common, own: ownPerson }, signal));
      start('directory', (signal) =>
        keepDirectory(
          {
            storage,
            transport,
            people,
            now,
            onRefused: (error) => on({ type: 'directory', error }),
            onWitnesses: (change) => on({ type: 'witnesses', change }),
          },
          signal,
        ),
      );
      start('witness', (signal) => witnessing.run(signal));
      start('tokens', (signal) => wallet.keep(signal));
      start('certificate', (signal) => certificates.keep(signal));
      start('delivery key', (signal) => deliveryKeys.keep(signal));
    },
    async [Symbol.asyncDispose]() {
      stop.abort(new Problem('unreachable', { address: transport.address }));
      writing[Symbol.dispose]();
      await Promise.all(running.values());
      if (running.size > 0) await kept.finish();
      await transport[Symbol.asyncDispose]();
    },
  };
}
