/** What the public door refuses before anybody behind it is asked: bad sends, floods, wrong addresses. */
import { limits } from '@island/protocol/wire/limits.ts';
import { sendPath } from '@island/protocol/wire/routes.ts';
import t from 'tap';
import { somebody } from '../archive/testing/chain.ts';
import { envelope } from '../delivery/testing/lists.ts';
import type { Ask } from './testing/edge.ts';
import { gatewayIsland } from './testing/island.ts';

const test = await gatewayIsland();
t.teardown(() => test[Symbol.asyncDispose]());
const { edge, island, lists, payer } = test;

t.test('what is not a send is refused with its code and stores nothing', async (t) => {
  const account = lists.person(1);
  const good = await payer.body(account, [envelope(1)]);
  const cases: [string, Uint8Array, string][] = [
    ['truncated', good.subarray(0, -1), 'truncated'],
    ['one byte more', Buffer.concat([good, Buffer.from([0])]), 'trailing_bytes'],
    ['another version', Buffer.concat([Buffer.from([2]), good.subarray(1)]), 'unknown_version'],
    ['another type', Buffer.concat([Buffer.from([1, 0x10]), good.subarray(2)]), 'unknown_type'],
    ['larger than the limit', new Uint8Array(limits.sendBytes + 1), 'too_large'],
    ['empty', new Uint8Array(), 'truncated'],
  ];
  for (const [name, body, code] of cases) {
    const reply = await edge.ask(sendPath, { method: 'POST', body });
    t.equal(reply.json().code, code, name);
  }
  t.equal((await edge.ask(sendPath, { method: 'POST', body: '{}' })).status, 400);
  t.equal((await edge.ask(sendPath)).status, 405);
  const nobody = await payer.body(somebody(), [envelope(1)]);
  t.equal((await edge.ask(sendPath, { method: 'POST', body: nobody })).status, 404);
  t.strictSame(await test.waiting(account), []);
});

t.test('one address may send so much and no more; another is not affected', async (t) => {
  const body = Buffer.from('not a send');
  const agent = edge.agent(10);
  t.teardown(() => agent.destroy());
  const ask = (from: string) => edge.ask(sendPath, { method: 'POST', body, address: from, agent });
  const replies = [];
  for (let sent = 0; sent < 10 * limits.sendsBurst; sent += 50) {
    replies.push(...(await Promise.all(Array.from({ length: 50 }, () => ask('198.51.100.1')))));
    if (replies.some(({ status }) => status === 429)) break;
  }
  const refused = replies.find(({ status }) => status === 429);
  t.ok(refused, `of ${replies.length}`);
  t.equal(refused?.json().code, 'rate_limited');
  t.equal(refused?.headers['retry-after'], '1');
  t.equal((await ask('198.51.100.2')).status, 400);
});

t.test('whoever asks too often is refused before token and body are looked at', async (t) => {
  const agent = edge.agent(10);
  t.teardown(() => agent.destroy());
  const headers = { Authorization: 'Bearer not.a.token' };
  const flood = async (from: string, path: string, ask: Ask): Promise<string[]> => {
    const codes: string[] = [];
    for (let asked = 0; asked < 4 * limits.requestsBurst; asked += 50) {
      const one = () => edge.ask(path, { ...ask, address: from, agent });
      const replies = await Promise.all(Array.from({ length: 50 }, one));
      codes.push(...replies.map((reply) => `${reply.json().code}`));
      if (codes.includes('rate_limited')) break;
    }
    return codes;
  };
  t.ok((await flood('198.51.100.3', '/v1/prekeys', { headers })).includes('rate_limited'));
  const wrong = { method: 'POST', body: '{"not":"a login"}' };
  t.ok((await flood('198.51.100.4', '/v1/login', wrong)).includes('rate_limited'));
  t.equal((await edge.ask('/v1/prekeys', { headers, address: '198.51.100.5' })).status, 401);
});

t.test('paths that are not there, and methods that do not belong', async (t) => {
  t.equal((await edge.ask('/v1/nothing')).status, 404);
  t.equal((await edge.ask('/metrics')).status, 404);
  t.equal((await edge.ask('/v1/login')).status, 405);
  t.equal((await edge.ask('/v1/challenge', { method: 'DELETE' })).status, 405);
});

t.test('no address is written down', async (t) => {
  t.notMatch(island.log.lines.join('\n'), /192\.0\.2\.|198\.51\.100\./);
});
