/** Signing in with the organisation: a real provider, real services, and islands that lie. */
import { formatIslandLink } from '@island/protocol/wire/island-link.ts';
import t from 'tap';
import { accounts } from '../../services/accounts/contract.ts';
import { browse, testProvider } from '../../services/accounts/testing/oidc-provider.ts';
import { faultCode } from '../../services/kit/testing/outcome.ts';
import { register } from '../joining/registration.ts';
import { memoryStorage } from '../storage/memory.ts';
import type { Storage } from '../storage/storage.ts';
import { realIsland } from '../testing/real-island.ts';
import type { Transport } from '../transport/transport.ts';
import { type Organisation, signInWithOrganisation } from './oidc.ts';
import { signIn } from './sign-in.ts';

const island = await realIsland();
const callback = `${island.address}/v1/oidc/callback`;
const provider = await testProvider(callback);
t.teardown(async () => {
  await provider[Symbol.asyncDispose]();
  await island[Symbol.asyncDispose]();
});
const { issuer, client, secret } = provider;
const title = 'Example University';
const set = (change: object = {}) =>
  island.control.call(accounts, 'setOidc', {
    provider: { title, issuer, client, secret, ...change },
  });
const link = formatIslandLink({
  kind: 'join',
  address: island.address,
  caFingerprint: island.caFingerprint,
});
const joining = (storage: Storage) => ({
  storage,
  platform: island.platform(),
  now: island.clock.now,
});

/** Somebody at a browser, who types what the page shows. */
const person = (login: string | null, typed = (digits: string) => digits): Organisation => {
  let page = Promise.resolve({ status: 0, body: '' });
  return {
    show(url) {
      page = browse(url, callback, login).then((query) =>
        island.page(`/v1/oidc/callback?${query}`),
      );
    },
    async digits() {
      const [, digits = ''] = /<h1>([\d ]+)<\/h1>/.exec((await page).body) ?? [];
      return typed(digits);
    },
  };
};

async function granted(login: string | null, typed?: (digits: string) => string) {
  await using transport = island.platform().transport({ address: island.address, root: '' });
  return signInWithOrganisation({ transport, every: 1 }, person(login, typed));
}

t.test('where there is no such sign-in a client hears it', async (t) => {
  t.equal(await faultCode(granted('u-1')), 'oidc_unavailable');
});

t.test(
  'who is known to the organisation joins without an invite, and signs in again',
  async (t) => {
    await set();
    provider.claims.set('u-1', { preferred_username: 'ada' });
    const storage = memoryStorage();
    const { grant, name } = await granted('u-1');
    t.equal(name, 'ada');
    const joined = await register(joining(storage), link, 'ada', { grant });
    t.equal(joined.account.state, 'registered');
    t.equal(joined.codes.length, 8);
    t.equal(await faultCode(signIn(joining(storage), { grant })), 'wrong_credentials', 'good once');
    const again = await granted('u-1');
    t.equal((await signIn(joining(storage), { grant: again.grant })).name, 'ada');
  },
);

t.test('pitfall: with keys of the account, but as somebody else of the organisation', async (t) => {
  const storage = memoryStorage();
  await register(joining(storage), link, 'grace', { grant: (await granted('u-2')).grant });
  const other = await granted('u-3');
  t.equal(await faultCode(signIn(joining(storage), { grant: other.grant })), 'wrong_credentials');
  const own = await granted('u-2');
  t.equal((await signIn(joining(storage), { grant: own.grant })).name, 'grace');
});

t.test('one person of the organisation has one account', async (t) => {
  const { grant } = await granted('u-1');
  const outcome = register(joining(memoryStorage()), link, 'ada2', { grant });
  t.equal(await faultCode(outcome), 'account_exists');
});

t.test('pitfall: one grant in many hands at once makes one account', async (t) => {
  const { grant } = await granted('u-4');
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      faultCode(register(joining(memoryStorage()), link, `many${i}`, { grant })),
    ),
  );
  t.equal(outcomes.filter((code) => code === 'resolved').length, 1, outcomes.join());
});

t.test('a registration whose answer was lost is repeated, though its grant is spent', async (t) => {
  let lost = 0;
  island.line.answer = ({ path }, answer) => {
    if (path !== '/v1/register' || lost++ > 0) return answer;
    return 'cut';
  };
  const { grant } = await granted('u-5');
  const joined = await register(joining(memoryStorage()), link, 'hedy', { grant });
  delete island.line.answer;
  t.equal(joined.account.name, 'hedy');
  t.equal(lost, 2);
});

t.test('a grant lets nobody into an island that is closed', async (t) => {
  await island.control.call(accounts, 'setRegistration', { registration: 'closed' });
  const { grant } = await granted('u-6');
  const outcome = register(joining(memoryStorage()), link, 'closed', { grant });
  t.equal(await faultCode(outcome), 'registration_closed');
  await island.control.call(accounts, 'setRegistration', { registration: 'invite' });
});

t.test('who gives up, or lacks the claim, is refused', async (t) => {
  t.equal(await faultCode(granted(null)), 'oidc_refused');
  await set({ require: { claim: 'groups', value: 'staff' } });
  t.equal(await faultCode(granted('u-1')), 'oidc_refused');
  provider.claims.set('u-1', { groups: ['staff'] });
  t.ok((await granted('u-1')).grant);
  await set();
});

t.test('wrong digits are asked for again, not for ever', async (t) => {
  const typed: string[] = [];
  const late = (digits: string) => {
    typed.push(digits);
    if (typed.length === 1) return 'what?';
    return typed.length === 2 ? digits.replace(/\d/g, (d) => String((+d + 1) % 10)) : digits;
  };
  t.equal((await granted('u-1', late)).grant.length, 32);
  t.equal(typed.length, 3);
  const wrong = (digits: string) => digits.replace(/\d/g, (d) => String((+d + 1) % 10));
  t.equal(await faultCode(granted('u-1', wrong)), 'oidc_refused');
});

t.test('who stops waiting stops', async (t) => {
  await using transport = island.platform().transport({ address: island.address, root: '' });
  const stop = new AbortController();
  const waiting = signInWithOrganisation(
    { transport, every: 1, signal: stop.signal },
    { show: () => setImmediate(() => stop.abort(new Error('stopped'))), digits: async () => '' },
  );
  await t.rejects(waiting, { message: 'stopped' });
});

t.test('pitfall: an island that shows no web page, or gives no grant', async (t) => {
  const never = async (): Promise<never> => {
    throw new Error('nobody asked for this');
  };
  const lying = (url: string): Transport => ({
    address: island.address,
    async request({ path }) {
      const answer = path === '/v1/oidc' ? { url, flow: 'A'.repeat(43) } : {};
      const body = new TextEncoder().encode(JSON.stringify(answer));
      return { status: 200, retryAfter: undefined, body };
    },
    apart: never,
    send: never,
    blob: never,
    socket: never,
    [Symbol.asyncDispose]: async () => undefined,
  });
  const shown: string[] = [];
  const ask = (url: string) =>
    signInWithOrganisation(
      { transport: lying(url), every: 1 },
      { show: (page) => void shown.push(page), digits: async () => '123 456' },
    );
  for (const url of ['javascript:alert(1)', 'file:///etc/passwd', 'http://example.org/', 'x'])
    await t.rejects(ask(url), { code: 'not_an_island' }, url);
  t.same(shown, []);
  await t.rejects(ask('https://example.org/\u001b[2J'), { code: 'not_an_island' });
  t.same(shown, ['https://example.org/%1B[2J'], 'nothing that a terminal obeys');
});

t.end();
