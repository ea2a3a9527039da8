/** Directory: device lists, names, prekeys, certificates of senders. docs/protocol/directory.md */
import { join } from 'node:path';
import { parsePolicy } from '@island/protocol/transparency/policy.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { unixSeconds } from '../kit/clock.ts';
import { createQuotas } from '../kit/quotas.ts';
import { startRounds } from '../kit/rounds.ts';
import { defineService } from '../kit/service.ts';
import { openStore } from '../kit/store.ts';
import { openVault } from '../kit/vault.ts';
import { bundles, prekeyCount, replenish } from './bundles.ts';
import { createChallenges } from './challenges.ts';
import { directory } from './contract.ts';
import { currentList, devicesSince, findByName, listAt, listsAfter } from './device-lists.ts';
import { endAccount, watchEndings } from './ending.ts';
import { enrol } from './enrolment.ts';
import { openSucceedingLog } from './log/succeeding-log.ts';
import { knownSizes } from './policies.ts';
import { answerPolicies } from './policy-calls.ts';
import { forget } from './retention.ts';
import * as schema from './schema.ts';
import { openSenderCertificates } from './sender-certificates.ts';
import { countQuestion } from './session-questions.ts';
import { update } from './update.ts';
import { openWitnesses } from './witnesses.ts';

const migrations = join(import.meta.dirname, 'migrations');
/** Milliseconds between two rounds of retention. */
const round = 600_000;

export const directoryService = defineService({
  contract: directory,
  async start({ bus, cache, clock, data, keys, log }) {
    if (cache === undefined) throw new Error('the directory needs its cache');
    await using held = new AsyncDisposableStack();
    const file = join(data, 'directory.sqlite');
    const store = held.use(await openStore({ file, schema, migrations, log }));
    const vault = held.use(await openVault({ store, keys, log }));
    await vault.secrets.adopt('limits', join(data, 'limits.key'));
    const secret = await vault.secrets.seed('limits', true);
    const certificates = await openSenderCertificates({ store, vault, clock });
    const challenges = createChallenges(clock);
    const witnesses = held.use(
      openWitnesses({
        ...{ known: knownSizes(store), clock, log },
        announce: (asked) => bus.publish(directory, 'asked', 'all', asked),
      }),
    );
    let finishEndings = async (): Promise<void> => undefined;
    const keyLog = held.use(
      await openSucceedingLog({
        ...{ store, secrets: vault.secrets, clock, log },
        cosign: ({ policies, ...submission }, signal) =>
          witnesses.gather(submission, { policies: policies.map(parsePolicy), signal }),
        known: ({ policies, ...submission }, signal) =>
          witnesses.sizes(submission, parsePolicy(policies.at(-1) ?? ''), signal),
        onPublished: (account, epoch) => bus.publish(directory, 'published', account, { epoch }),
        onEpoch: () => void finishEndings(),
      }),
    );
    const endings = {
      ...{ store, log: keyLog },
      onEnded: (account: AccountId, epoch: number) =>
        bus.publish(directory, 'changed', account, { epoch }),
    };
    finishEndings = watchEndings(endings, log);
    const enrolment = { store, bus, clock, challenges, log: keyLog };
    const quotas = createQuotas({ cache, clock, secret, prefix: 'hand-out' });
    const prekeys = { store, clock, quotas };

    bus.handle(directory, 'challenge', async () => ({
      challenge: new Uint8Array(challenges.current()),
    }));
    bus.handle(directory, 'enrol', async (request) => {
      await enrol(enrolment, request);
      return {};
    });
    bus.handle(directory, 'update', async (request) => {
      await update({ ...enrolment, quotas }, request);
      return {};
    });
    const questions = { store, quotas };

    bus.handle(directory, 'lists', async ({ name, after, asker }) => {
      await countQuestion(questions, { name, asker });
      const account = await findByName(store.read, name);
      return { account, lists: await listsAfter(store.read, account, after) };
    });
    bus.handle(directory, 'current', async ({ account }) => ({
      list: await currentList(store.read, account),
    }));
    bus.handle(directory, 'listAt', async ({ account, epoch }) => ({
      list: await listAt(store.read, account, epoch),
    }));
    bus.handle(directory, 'devices', async ({ account }) =>
      devicesSince(store.read, account, await keyLog.versionOf(account)),
    );
    bus.handle(directory, 'lookup', async ({ name, asker }) => {
      await countQuestion(questions, { name, asker });
      return { answer: await keyLog.lookUp(name) };
    });
    bus.handle(directory, 'account', async ({ account }) => ({
      answer: await keyLog.ofAccount(account),
    }));
    bus.handle(directory, 'history', async ({ name, after, asker }) => {
      await countQuestion(questions, { name, asker });
      return { steps: await keyLog.history(name, after) };
    });
    bus.handle(directory, 'end', async ({ account }) => {
      await endAccount(endings, account);
      return {};
    });
    bus.handle(directory, 'ended', ({ account, after }) => keyLog.ended(account, after));
    bus.handle(directory, 'checkpoint', async () => ({ note: keyLog.checkpoint() }));
    bus.handle(directory, 'policyProof', async ({ number }) => ({
      text: await keyLog.policyProof(number),
    }));
    bus.handle(directory, 'tile', async (tile) => ({ bytes: await keyLog.tile(tile) }));
    bus.handle(directory, 'log', () => keyLog.pinned());
    bus.handle(directory, 'succeed', ({ forced }) => keyLog.succeed(forced));
    answerPolicies({ bus, store, witnesses, keyLog });
    bus.handle(directory, 'bundles', (request) => bundles(prekeys, request));
    bus.handle(directory, 'prekeyCount', (at) => prekeyCount(prekeys, at));
    bus.handle(directory, 'replenish', (request) => replenish(prekeys, request));

    bus.handle(directory, 'senderRoot', async () => ({ root: certificates.root }));
    bus.handle(directory, 'certificate', async ({ account, device }) => ({
      certificate: await certificates.issue(account, device),
    }));

    const work = async () => {
      await finishEndings();
      await forget(store, unixSeconds(clock));
      await certificates.rotate();
    };
    held.defer(() => finishEndings());
    held.use(startRounds(round, work, log));
    const stack = held.move();
    return { [Symbol.asyncDispose]: () => stack.disposeAsync() };
  },
});
