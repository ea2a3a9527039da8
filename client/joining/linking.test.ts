/** Two devices of one person, the island between them: it can hold back what they say, and nothing else. */
import {
  type Agreed,
  answerLink,
  beginLink,
  compareLink,
  giveLink,
  type Offer,
  revealLink,
} from '@island/protocol/crypto/device-link.ts';
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import { type DeviceLink, parseIslandLink } from '@island/protocol/wire/island-link.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { readAccount } from '../account/account.ts';
import { needKeys } from '../account/account-keys.ts';
import { testCode } from '../account/own-codes.ts';
import { revokeDevice, syncOwn } from '../account/own-devices.ts';
import { noHead } from '../archive/rows.ts';
import { ownOf } from '../testing/lies.ts';
import { credentials, type DeviceHome, home, opened, registered } from '../testing/member-home.ts';
import { dying, Killed } from '../testing/mortal.ts';
import { type RealIsland, realIsland } from '../testing/real-island.ts';
import { readJoining } from './joining-row.ts';
import { giveByLink, joinByLink, offerLink } from './linking.ts';

t.setTimeout(240_000);

interface Tried {
  given: PromiseSettledResult<boolean>;
  joined: PromiseSettledResult<unknown>;
  /** What the old device showed. */
  digits?: string;
}

/** One try of a link: the person types what the old device shows, and says there what `confirm` says. */
async function tryLink(
  one: DeviceHome,
  fresh: ReturnType<typeof home>,
  confirm: (right: boolean) => boolean = (right) => right,
  onOffer: (offer: Offer) => void = () => undefined,
): Promise<Tried> {
  const { link, offer } = await offerLink(one.keeping);
  onOffer(offer);
  const stop = new AbortController();
  const shown = Promise.withResolvers<string>();
  const taken = Promise.withResolvers<boolean>();
  let digits: string | undefined;
  const read = parseIslandLink(link) as DeviceLink;
  const giving = giveByLink({ ...one.keeping, signal: stop.signal }, offer, async (seen) => {
    digits = seen;
    shown.resolve(seen);
    return confirm(await taken.promise);
  });
  const joining = joinByLink({ ...fresh.joining, signal: stop.signal }, read, {
    credentials,
    askDigits: () => shown.promise,
    onDigits: () => taken.resolve(true),
  });
  // Where one side finds that something is wrong, the person ends the other.
  const end = () => stop.abort(new Error('ended by the person'));
  giving.catch(() => {
    shown.reject(new Error('ended by the person'));
    end();
  });
  joining.catch(() => {
    taken.resolve(false);
    if (digits === undefined) end();
  });
  shown.promise.catch(() => undefined);
  const [given, joined] = await Promise.allSettled([giving, joining]);
  return { given, joined, ...(digits && { digits }) };
}

const codeOf = (result: PromiseSettledResult<unknown>): string =>
  result.status === 'fulfilled' ? 'fine' : (result.reason.code ?? result.reason.message);

t.test(
  'A4: a device links another one by six digits of the old, typed on the new; they share all keys',
  async (t) => {
    await using island = await realIsland();
    const one = await registered(island, 'alice');
    const fresh = home(island);
    const { given, joined, digits } = await tryLink(one, fresh);
    t.match(given, { status: 'fulfilled', value: true });
    t.match(joined, { status: 'fulfilled', value: { codesLeft: 8, resets: 0 } });
    t.match(digits, /^\d{6}$/);
    const two = await opened(island, fresh);
    const { changes } = await syncOwn(one.keeping);
    t.match(changes, [{ type: 'added', device: 2 }]);
    const [mine, theirs] = [await needKeys(one.storage), await needKeys(two.storage)];
    t.same([theirs.ark, theirs.arkEpoch], [mine.ark, 1], 'the archive key stays');
    for (const code of one.codes)
      t.equal((await testCode(two.keeping, two.platform, code)).state, 'good');
    const said = JSON.stringify(island.requests);
    t.notOk(said.includes(base64url(mine.ark)), 'nothing of it went over the line in clear');

    await t.test('A4: the linked device removes the first one', async (t) => {
      await revokeDevice(two.keeping, 1);
      await t.rejects(syncOwn(one.keeping), { code: 'signed_out' });
      await syncOwn(two.keeping);
    });
  },
);

t.test('declined on the old device, the new one has nothing and says so', async (t) => {
  await using island = await realIsland();
  const one = await registered(island, 'alice');
  const fresh = home(island);
  const { given, joined } = await tryLink(one, fresh, () => false);
  t.match(given, { status: 'fulfilled', value: false });
  t.equal(codeOf(joined), 'link_declined');
  t.equal((await readJoining(fresh.storage))?.secrets, undefined);
  const second = await tryLink(one, fresh);
  t.equal(codeOf(second.joined), 'fine', 'a new link works');
});

/** What an island may do to a message on its way to the one who asks for it. */
type Lie = (step: number, message: Uint8Array, all: Map<number, Uint8Array>) => Uint8Array;

function lying(island: RealIsland, lie: Lie): void {
  const all = new Map<number, Uint8Array>();
  island.line.answer = ({ path, body }, answer) => {
    const { message } = answer;
    if (path !== '/v1/links/get' || typeof message !== 'string') return answer;
    const step = Number(body['step']);
    const bytes = fromBase64url(message);
    all.set(step, bytes);
    return { message: base64url(lie(step, bytes, all)) };
  };
}

t.test(
  'pitfall: link messages that are altered, exchanged or repeated end it by name',
  async (t) => {
    await using island = await realIsland();
    const one = await registered(island, 'alice');
    const flipped =
      (at: number): Lie =>
      (step, message) => {
        const changed = message.slice();
        if (step === at) changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
        return changed;
      };
    const lies: Record<string, [Lie, who: 'given' | 'joined']> = {
      'step 1 altered': [flipped(1), 'given'],
      'step 2 altered': [flipped(2), 'joined'],
      'step 3 altered': [flipped(3), 'given'],
      'step 4 altered': [flipped(4), 'joined'],
      'step 1 again as step 3': [(step, m, all) => (step === 3 ? (all.get(1) ?? m) : m), 'given'],
      'step 2 again as step 4': [(step, m, all) => (step === 4 ? (all.get(2) ?? m) : m), 'joined'],
      'step 1 as step 2': [(step, m, all) => (step === 2 ? (all.get(1) ?? m) : m), 'joined'],
      'step 3 cut': [(step, m) => (step === 3 ? m.subarray(0, -1) : m), 'given'],
    };
    let last = new Map<number, Uint8Array>();
    for (const [title, [lie, who]] of Object.entries(lies)) {
      lying(island, (step, message, all) => {
        last = all;
        return lie(step, message, all);
      });
      const fresh = home(island);
      const tried = await tryLink(one, fresh);
      t.equal(codeOf(tried[who]), 'link_broken', title);
      t.not(tried.joined.status, 'fulfilled');
      t.equal((await readJoining(fresh.storage))?.secrets, undefined);
    }
    const before = last;
    lying(island, (step, message) => before.get(step) ?? message);
    const tried = await tryLink(one, home(island));
    t.equal(codeOf(tried.given), 'link_broken', 'messages of another offer');
    delete island.line.answer;
  },
);

t.test('A4 pitfall: who has read the link and stands between gets neither device', async (t) => {
  await using island = await realIsland();
  const one = await registered(island, 'alice');
  let known: Offer | undefined;
  let toOld: ReturnType<typeof beginLink> | undefined;
  let toNew: ReturnType<typeof answerLink> | undefined;
  let agreed: Agreed | undefined;
  const theirs: string[] = [];
  const evil = ed25519.generate();
  lying(island, (step, message, all) => {
    if (!known) throw new Error('no offer');
    if (step === 1) {
      toOld = beginLink(known);
      toNew = answerLink(known, message);
      return toOld.message;
    }
    if (step === 2) return toNew?.message ?? message;
    if (step === 3 && toOld && toNew) {
      agreed = compareLink(toNew.side, message);
      theirs.push(agreed.digits);
      const revealed = revealLink(toOld.side, all.get(2) ?? message);
      theirs.push(revealed.agreed.digits);
      return revealed.message;
    }
    return message;
  });
  const between = island.line.answer;
  const { keys, list, record } = await ownOf(one);
  let gifts = 0;
  // Keys of its own, without waiting for anybody's yes.
  island.line.answer = (asked, answer) => {
    if (asked.path !== '/v1/links/get' || asked.body['step'] !== 4 || !agreed)
      return between?.(asked, answer) ?? answer;
    gifts++;
    const hashes = { listHash: list.hash, recordHash: record.hash };
    const gift = { ark: keys.ark, arkEpoch: 1, aik: evil, ...hashes, head: noHead };
    return { message: base64url(giveLink(agreed, gift)) };
  };
  const fresh = home(island);
  const { joined, given, digits } = await tryLink(one, fresh, undefined, (offer) => {
    known = offer;
  });
  t.equal(theirs.length, 2, 'the one between talked with both');
  t.equal(theirs[1], digits, 'as the new device to the old one');
  t.not(theirs[0], digits, 'and with the new one over other digits');
  t.match(given, { status: 'fulfilled', value: false }, 'the person saw it');
  t.equal(codeOf(joined), 'link_digits');
  t.equal(gifts, 0, 'the new device does not even ask for keys before the digits are right');
  t.equal((await readJoining(fresh.storage))?.secrets, undefined);
  t.equal(await readAccount(fresh.storage), undefined);
  delete island.line.answer;
});

t.test('a link that was confirmed goes on wherever the new device died', async (t) => {
  await using island = await realIsland();
  const one = await registered(island, 'alice');
  const fresh = home(island);
  const cut = (path: string) => {
    island.line.before = (asked) => {
      if (asked.path === path) throw new Killed();
      return undefined;
    };
  };
  cut('/v1/join');
  const tried = await tryLink(one, fresh);
  t.equal(tried.given.status, 'fulfilled');
  t.match(tried.joined, { status: 'rejected', reason: { name: 'Killed' } });
  island.line.before = () => undefined;
  const { link } = await offerLink(one.keeping);
  const read = parseIslandLink(link) as DeviceLink;
  const askDigits = async () => {
    t.fail('nothing is typed again');
    return '';
  };
  for (let at = 0, dead = true; dead; at++) {
    const life = dying(fresh, at);
    dead = await joinByLink(life.home.joining, read, { credentials, askDigits }).then(
      () => false,
      (error: unknown) => {
        if (error instanceof Killed) return true;
        if ((error as { code?: string }).code === 'registered_already') return false;
        throw error;
      },
    );
  }
  const two = await opened(island, fresh);
  t.equal((await syncOwn(two.keeping)).list.devices.length, 2);
});
