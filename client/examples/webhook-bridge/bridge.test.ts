/** What comes over HTTP is bounded, and only who has the path is heard. */
import { request as httpRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { bounds, openBridge } from './bridge.ts';

const secret = 'a secret of the test';

function ask(port: number, how: { path?: string; method?: string; body?: string; type?: string }) {
  const {
    path = `/hook/${encodeURI(secret)}`,
    method = 'POST',
    body = '',
    type = 'text/plain',
  } = how;
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  const options = { port, path, method, headers: { 'content-type': type } };
  httpRequest({ host: '127.0.0.1', ...options }, (response) => {
    text(response).then(
      (said) => resolve({ status: response.statusCode ?? 0, body: said }),
      reject,
    );
  })
    .once('error', reject)
    .end(body);
  return promise;
}

t.test('texts are posted, as they are or in JSON, and nothing else is', async (t) => {
  const posted: string[] = [];
  await using bridge = await openBridge({
    ...{ secret: encodeURI(secret), port: 0 },
    async post(said) {
      if (said === 'fail') throw new Error('there is no room');
      posted.push(said);
      return String(posted.length);
    },
  });
  const status = async (how: Parameters<typeof ask>[1]) => (await ask(bridge.port, how)).status;
  const json = 'application/json; charset=utf-8';
  t.same(await ask(bridge.port, { body: ' Hello \n' }), { status: 202, body: '{"id":"1"}\n' });
  t.equal(await status({ body: '{"text":"Slack"}', type: json }), 202);
  t.equal(await status({ body: '{"content":"Discord"}', type: json }), 202);
  t.same(posted, ['Hello', 'Slack', 'Discord']);

  t.equal(await status({ path: '/hook/another', body: 'x' }), 404);
  t.equal(await status({ path: '/', body: 'x' }), 404);
  t.equal(await status({ method: 'GET' }), 405);
  t.equal(await status({ body: ' ' }), 400);
  t.equal(await status({ body: '{"text":1}', type: json }), 400);
  t.equal(await status({ body: '{', type: json }), 400);
  t.equal(await status({ body: 'x'.repeat(bounds.text + 1) }), 413);
  t.equal(await status({ body: 'fail' }), 502);
  const long = await ask(bridge.port, { body: 'x'.repeat(bounds.body + 1) }).catch(() => undefined);
  t.ok(long === undefined || long.status === 413, 'refused before it has come');
  t.equal(posted.length, 3);
});
