/**
 * Which devices a put must address: the directory's lists, cached. A put that does not match is
 * refused only after the directory was asked afresh. docs/protocol/dm.md §6
 *
 * The newest list is in force at once: no other device gets anything. What senders can prove is the published one,
 * so a put has all devices that are on both, and may have those that only the newest has.
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId, DeviceId } from '@island/protocol/wire/ids.ts';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';
import type { Clock } from '../kit/clock.ts';

interface DeviceList {
  epoch: number;
  devices: ReadonlySet<DeviceId>;
  /** The newest epoch that is published; 0 for none. */
  published: number;
  /** Devices that are on both. */
  required: ReadonlySet<DeviceId>;
}

interface Cached extends DeviceList {
  /** When the directory last said so; 0 when it may have changed since without our hearing of it. */
  at: number;
}

/** What a put was found right by, to be looked at once more when it is written; disposed of afterwards. */
export interface Admission extends Disposable {
  /** The directory told of a newer list since the put came: a device on the one before may have left. */
  readonly overtaken: boolean;
}

export interface Recipients extends Disposable {
  /**
   * Resolves when `devices` are those of the account's present list, at least those that are published.
   * @throws stale_devices { missing, extra, epoch }; unavailable when the directory is down and nothing is known
   */
  check(account: AccountId, epoch: number, devices: readonly DeviceId[]): Promise<Admission>;
  /** The account is over: what was found right before is looked at once more. */
  end(account: AccountId): void;
  /** The account's devices, by a list of `epoch` or a newer one. Throws what the directory throws. */
  present(account: AccountId, epoch?: number): Promise<ReadonlySet<DeviceId>>;
}

/** An event can be lost; after this long the directory is asked again, milliseconds. */
const freshFor = 60_000;
const mostCached = 20_000;

export function openRecipients({ bus, clock }: { bus: Bus; clock: Clock }): Recipients {
  const lists = new Map<AccountId, Cached>();
  /** Questions under way; `told` and `shown` are the newest epochs that events told of meanwhile. */
  const asking = new Map<AccountId, { running: number; told: number; shown: number }>();
  /** Puts between their check and their commit. */
  const admitted = new Map<AccountId, Set<{ epoch: number; overtaken: boolean }>>();
  /** Puts that find no list wait for one question, not one each. */
  const waited = new Map<AccountId, Promise<DeviceList>>();

  const changed = bus.subscribe(directory, 'changed', '*', ({ epoch }, key) => {
    const account = key as AccountId;
    const cached = lists.get(account);
    if (cached !== undefined && cached.epoch < epoch) lists.delete(account);
    const asked = asking.get(account);
    if (asked !== undefined) asked.told = Math.max(asked.told, epoch);
    for (const put of admitted.get(account) ?? []) put.overtaken ||= put.epoch < epoch;
  });
  const published = bus.subscribe(directory, 'published', '*', ({ epoch }, key) => {
    const account = key as AccountId;
    const cached = lists.get(account);
    if (cached !== undefined && cached.published < epoch) lists.delete(account);
    const asked = asking.get(account);
    if (asked !== undefined) asked.shown = Math.max(asked.shown, epoch);
  });
  const unsubscribe = bus.onReconnect(() => {
    for (const list of lists.values()) list.at = 0;
  });

  async function ask(account: AccountId): Promise<DeviceList> {
    const since = clock.now();
    const asked = asking.get(account) ?? { running: 0, told: 0, shown: 0 };
    asking.set(account, asked);
    asked.running += 1;
    try {
      const answer = await bus.call(directory, 'devices', { account });
      const { epoch, published } = answer;
      const sets = { devices: new Set(answer.devices), required: new Set(answer.required) };
      const list = { epoch, published, ...sets };
      // An answer that an event has overtaken is used once, not kept.
      if (asked.told <= epoch && asked.shown <= published) keep(account, { ...list, at: since });
      return list;
    } finally {
      asked.running -= 1;
      if (asked.running === 0) asking.delete(account);
    }
  }

  function askTogether(account: AccountId): Promise<DeviceList> {
    const under = waited.get(account);
    if (under !== undefined) return under;
    const question = ask(account).finally(() => waited.delete(account));
    waited.set(account, question);
    return question;
  }

  function keep(account: AccountId, list: Cached): void {
    lists.delete(account);
    lists.set(account, list);
    if (lists.size <= mostCached) return;
    for (const oldest of lists.keys()) {
      lists.delete(oldest);
      return;
    }
  }

  function admit(account: AccountId, epoch: number): Admission {
    const put = { epoch, overtaken: false };
    const puts = admitted.get(account) ?? new Set();
    admitted.set(account, puts.add(put));
    return {
      get overtaken() {
        return put.overtaken;
      },
      [Symbol.dispose]() {
        puts.delete(put);
        if (puts.size === 0) admitted.delete(account);
      },
    };
  }

  /** A list that we may decide by without asking; a directory that is down leaves the last known one in force. */
  async function known(account: AccountId): Promise<{ list: DeviceList; asked: boolean }> {
    const cached = lists.get(account);
    if (cached !== undefined && clock.now() - cached.at < freshFor) {
      return { list: cached, asked: false };
    }
    try {
      return { list: await askTogether(account), asked: true };
    } catch (error) {
      const down = error instanceof Fault && error.code === 'unavailable';
      if (cached === undefined || !down) throw error;
      return { list: cached, asked: false };
    }
  }

  return {
    async check(account, epoch, devices) {
      using held = new DisposableStack();
      // From before the question on: an event may overtake its answer.
      const admission = held.use(admit(account, epoch));
      const { list, asked } = await known(account);
      if (!matches(list, epoch, devices)) {
        // Epochs only grow. A shared question may have been put before the sender learned of a newer list.
        const newer = list.published > epoch || (asked && list.epoch >= epoch);
        const fresh = newer ? list : await ask(account);
        if (!matches(fresh, epoch, devices)) {
          throw new Fault('stale_devices', difference(fresh, devices));
        }
      }
      held.move();
      return admission;
    },
    end(account) {
      lists.delete(account);
      const asked = asking.get(account);
      if (asked !== undefined) asked.told = Number.POSITIVE_INFINITY;
      for (const put of admitted.get(account) ?? []) put.overtaken = true;
    },
    async present(account, epoch = 0) {
      const cached = lists.get(account);
      if (cached && cached.epoch >= epoch && clock.now() - cached.at < freshFor)
        return cached.devices;
      const list = await askTogether(account);
      return (list.epoch >= epoch ? list : await ask(account)).devices;
    },
    [Symbol.dispose]() {
      changed[Symbol.dispose]();
      published[Symbol.dispose]();
      unsubscribe();
    },
  };
}

/** Ids never stand for another key than before: a list follows from the one before it. */
function matches(list: DeviceList, epoch: number, devices: readonly DeviceId[]): boolean {
  const given = new Set(devices);
  return (
    list.published <= epoch &&
    epoch <= list.epoch &&
    given.size === devices.length &&
    given.isSubsetOf(list.devices) &&
    list.required.isSubsetOf(given)
  );
}

function difference({ epoch, devices, required }: DeviceList, sent: readonly DeviceId[]) {
  const given = new Set(sent);
  return {
    missing: [...required].filter((device) => !given.has(device)),
    extra: sent.filter((device) => !devices.has(device)),
    epoch,
  };
}
