/** M2: what a sender leaves behind on the island when sending: nothing. With NATS writing down every message. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  blindTokens,
  finishTokens,
  type TokenSecret,
} from '@island/protocol/crypto/delivery-token.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { routes, sendPath } from '@island/protocol/wire/routes.ts';
import { decode } from '@island/protocol/wire/schema.ts';
import { encodeSend } from '@island/protocol/wire/send.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { type Token, tokenClasses } from '@island/protocol/wire/token.ts';
import t from 'tap';
import { envelope } from '../delivery/testing/lists.ts';
import { eventually } from '../kit/testing/outcome.ts';
import { gatewayIsland } from './testing/island.ts';

const test = await gatewayIsland();
t.teardown(() => test[Symbol.asyncDispose]());
const { edge, island, lists, payer, tokens } = test;

/** Turns the trace of NATS on: every message with its payload, as the server saw it. */
async function traceNats(): Promise<void> {
  const names = await readdir(island.pki.dir);
  const folder = names.find((name) => name.startsWith('nats-')) ?? '';
  const file = join(island.pki.dir, folder, 'nats.conf');
  const conf = await readFile(file, 'utf8');
  await writeFile(
    file,
    conf.replace('trace: false', 'trace: true').replace('debug: false', 'debug: true'),
  );
  island.nats.signal('SIGHUP');
  await eventually(() => /Reloaded: trace = true/.test(island.nats.output));
}

const address = '198.51.100.77';

/** As a client gets them: keys over a connection of nobody's, the batch with its access token. */
async function getTokens(access: string, count: number) {
  const published = await edge.ask(routes.tokenKeys.path, { address: '198.51.100.78' });
  const [key] = decode(routes.tokenKeys.answer, published.json()).keys;
  if (key === undefined) throw new Error('no key');
  const { request, secrets } = blindTokens(tokenClasses.delivery, key.day, count);
  const reply = await edge.ask(routes.issueTokens.path, {
    method: 'POST',
    address,
    headers: { Authorization: `Bearer ${access}` },
    body: JSON.stringify({ class: key.class, day: key.day, blinded: base64url(request) }),
  });
  const answer = decode(routes.issueTokens.answer, reply.json());
  return { tokens: finishTokens(secrets, answer, key.public), secrets, answer };
}

/** What an island could know of tokens that it issued, and would know them by. */
const tracesOf = (secrets: readonly TokenSecret[], evaluated: Uint8Array): [string, Buffer][] =>
  secrets.flatMap(({ blinded }, at): [string, Buffer][] => [
    ['blinded input', Buffer.from(blinded)],
    ['evaluated input', Buffer.from(evaluated.subarray(32 * at, 32 * at + 32))],
  ]);

t.test('M2: no log line, bus message or stored byte of a send tells who sent it', async (t) => {
  await traceNats();
  const sender = lists.person(1);
  const recipient = lists.person(1);
  const session = 'session-of-the-sender';
  const access = await tokens.sign(sender, 1, { session });
  // The sender is signed in and online from the same address, as most senders are.
  using online = await edge.hello(access);
  using receiving = await edge.hello(await tokens.sign(recipient));
  const key = await payer.keyOf(recipient);
  const got = await getTokens(access, 6);
  const spent: Token[] = [];
  const before = { lines: island.log.lines.length, trace: island.nats.output.length };

  const ids: string[] = [];
  for (let i = 0; i < 5; i++) {
    const one = envelope(1, `sealed body ${i}`);
    ids.push(one.id);
    const paid = got.tokens.slice(i, i + 1);
    spent.push(...paid);
    const order = { account: recipient, epoch: 1, envelopes: [one] };
    const body = encodeSend({ tokens: paid, key, ...order });
    const reply = await edge.ask(sendPath, {
      method: 'POST',
      body,
      address,
      headers: { 'X-Forwarded-For': address, 'User-Agent': 'the sender itself' },
    });
    t.equal(reply.status, 202);
    t.equal(reply.body, '');
  }
  const refused = await payer.body(recipient, [envelope(1)], 9);
  t.equal((await edge.ask(sendPath, { method: 'POST', body: refused, address })).status, 409);
  t.equal(
    (await edge.ask(sendPath, { method: 'POST', body: Buffer.from('bad'), address })).status,
    400,
  );
  await eventually(() => receiving.seqs().length === 5);

  const trace = island.nats.output.slice(before.trace);
  const { data } = await island.kit('delivery');
  const files = await Promise.all((await readdir(data)).map((name) => readFile(join(data, name))));
  const places: [string, Buffer][] = [
    ['log', Buffer.from(island.log.lines.slice(before.lines).join('\n'))],
    ['bus', Buffer.from(trace)],
    ['store', Buffer.concat(files)],
  ];
  t.ok(trace.includes('delivery.call.put'), 'the trace shows what is sent');
  t.ok(trace.includes(recipient) && ids.every((id) => trace.includes(id)), 'with its payload');
  const raw = Buffer.from(sender, 'hex');
  const traces: [string, string | Buffer][] = [
    ['account', sender],
    ['account, raw', raw],
    ['account, base64url', raw.toString('base64url')],
    ['address', address],
    ['address, raw', Buffer.from([198, 51, 100, 77])],
    ['session', session],
    ['access token', access],
    ['user agent', 'the sender itself'],
    ...tracesOf(got.secrets, got.answer.evaluated),
  ];
  for (const [where, bytes] of places) {
    for (const [what, needle] of traces) t.notOk(bytes.includes(needle), `${where}: no ${what}`);
  }
  t.equal(online.closed, undefined);
  const store = Buffer.concat(files);
  for (const { input, output } of spent) {
    t.notOk(store.includes(Buffer.from(input)), 'store: no token');
    t.notOk(store.includes(Buffer.from(output)), 'store: no token');
  }
});

t.test('M2: a token in 64 requests at once pays for one of them', async (t) => {
  const recipient = lists.person(1);
  const { tokens: paid } = await getTokens(await tokens.sign(lists.person(1)), 1);
  const key = await payer.keyOf(recipient);
  const agent = edge.agent(16);
  t.teardown(() => agent.destroy());
  const replies = await Promise.all(
    Array.from({ length: 64 }, () => {
      const order = { account: recipient, epoch: 1, envelopes: [envelope(1)] };
      const body = encodeSend({ tokens: paid, key, ...order });
      return edge.ask(sendPath, { method: 'POST', body, address, agent });
    }),
  );
  t.equal(replies.filter(({ status }) => status === 202).length, 1);
  const refused = replies.filter(({ status }) => status !== 202);
  t.same(new Set(refused.map((reply) => reply.json().code)), new Set(['token_spent']));
  t.equal((await test.waiting(recipient)).length, 1);
});

t.test('what comes without the delivery key is handed on as a request', async (t) => {
  const recipient = lists.person(1);
  using receiving = await edge.hello(await tokens.sign(recipient));
  const { tokens: paid } = await getTokens(await tokens.sign(lists.person(1)), 5);
  const send = (given: readonly Token[], key?: Uint8Array) => {
    const order = { account: recipient, epoch: 1, envelopes: [envelope(1)] };
    return edge.ask(sendPath, {
      method: 'POST',
      body: encodeSend({ tokens: given, key, ...order }),
      address,
    });
  };
  const few = await send(paid.slice(0, 3));
  t.equal(few.status, 402);
  t.match(few.json(), { code: 'token_needed', details: { needed: limits.requestPrice } });
  t.equal((await send(paid.slice(0, 4))).status, 202);
  const wrong = await send(paid.slice(4), new Uint8Array(16));
  t.equal(wrong.json().code, 'delivery_key_refused');
  t.equal((await send(paid.slice(4), await payer.keyOf(recipient))).status, 202);
  await eventually(() => receiving.seqs().length === 2);
  const flags = receiving.frames.flatMap((one) => (one.type === 'envelope' ? [one.request] : []));
  t.same(flags, [true, false]);
});

t.test(
  'M2: the bus knows of one call and one event a message, between gateway and delivery',
  async (t) => {
    const recipient = lists.person(1);
    using receiving = await edge.hello(await tokens.sign(recipient));
    const send = async () =>
      edge.ask(sendPath, {
        method: 'POST',
        body: await payer.body(recipient, [envelope(1)]),
        address,
      });
    await send();
    await eventually(() => receiving.seqs().length === 1);
    const before = island.nats.output.length;
    await send();
    await eventually(() => receiving.seqs().length === 2);
    const published = [...island.nats.output.slice(before).matchAll(/<<- \[PUB (\S+)/g)].map(
      ([, subject = '']) => subject,
    );
    const named = published.filter((subject) => !subject.startsWith('_INBOX.gateway.'));
    t.strictSame(named, ['delivery.call.put', `delivery.event.mail.${recipient}.1`]);
  },
);

t.test('M2: a send that says who sends it is refused before anything is stored', async (t) => {
  const recipient = lists.person(1);
  const body = await payer.body(recipient, [envelope(1)]);
  for (const headers of [{ Authorization: 'Bearer x' }, { Cookie: 'a=b' }, { Authorization: '' }]) {
    const reply = await edge.ask(sendPath, { method: 'POST', body, headers: { ...headers } });
    t.equal(reply.status, 400);
    t.equal(reply.json().code, 'malformed');
  }
  t.strictSame(await test.waiting(recipient), []);
});

t.test(
  'M6: the largest message for every device that an account may have is one send',
  async (t) => {
    const devices = Array.from({ length: limits.devices }, (_, at) => at + 1);
    const recipient = lists.person(...devices);
    const envelopes = devices.map((device) => envelope(device, limits.envelopeBytes));
    const body = await payer.body(recipient, envelopes);
    t.ok(body.length <= limits.sendBytes, `${body.length} bytes`);
    using receiving = await edge.hello(await tokens.sign(recipient, limits.devices));
    const reply = await edge.ask(sendPath, { method: 'POST', body, address });
    t.equal(reply.status, 202, reply.body);
    await eventually(() => receiving.seqs().length === 1);
    t.match(receiving.frames[1], { type: 'envelope', body: envelopes.at(-1)?.body });

    const over = await edge.ask(sendPath, {
      method: 'POST',
      body: new Uint8Array(limits.sendBytes + 1),
      address,
    });
    t.equal(over.json().code, 'too_large');
  },
);
