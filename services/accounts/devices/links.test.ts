/** The relay that links a new device. docs/protocol/linking.md */
import { randomBytes } from 'node:crypto';
import { accountId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { createLinks } from './links.ts';

const someone = () => accountId(randomBytes(16).toString('hex'));
const message = () => new Uint8Array(randomBytes(64));
function relay() {
  const clock = { at: Date.now(), now: () => clock.at };
  const links = createLinks(clock);
  const account = someone();
  const offer = randomBytes(16);
  links.open(account, offer);
  return { clock, links, account, offer, one: { account, joining: 'one' }, old: { account } };
}
const fault = (work: () => unknown, code: string) => t.throws(work, { code });

t.test('four messages go to and fro, each as it was put first', async (t) => {
  const { links, offer, one, old } = relay();
  const sent = [message(), message(), message(), message()];
  for (const [i, bytes] of sent.entries()) {
    const at = { offer, step: i + 1 };
    t.equal(links.get(i % 2 === 0 ? old : one, at), undefined);
    links.put(i % 2 === 0 ? one : old, at, bytes);
    links.put(i % 2 === 0 ? one : old, at, bytes);
    t.same(links.get(i % 2 === 0 ? old : one, at), bytes);
  }
  fault(() => links.put(one, { offer, step: 1 }, message()), 'forbidden');
  fault(() => links.put(one, { offer, step: 5 }, message()), 'malformed');
  t.same(links.get(old, { offer, step: 1 }), sent[0]);
});

t.test('steps belong to their side and come in their order', async () => {
  const { links, offer, one, old } = relay();
  fault(() => links.put(old, { offer, step: 1 }, message()), 'forbidden');
  fault(() => links.put(old, { offer, step: 2 }, message()), 'malformed');
  links.put(one, { offer, step: 1 }, message());
  fault(() => links.put(one, { offer, step: 2 }, message()), 'forbidden');
  fault(() => links.put(one, { offer, step: 3 }, message()), 'malformed');
  fault(() => links.put(old, { offer, step: 4 }, message()), 'malformed');
});

t.test('an offer is for one account, one joining and ten minutes', async () => {
  const { clock, links, account, offer, one, old } = relay();
  fault(() => links.open(someone(), offer), 'link_expired');
  fault(
    () => links.put({ account: someone(), joining: 'x' }, { offer, step: 1 }, message()),
    'link_expired',
  );
  fault(() => links.get(old, { offer: randomBytes(16), step: 1 }), 'link_expired');
  links.put(one, { offer, step: 1 }, message());
  links.open(account, offer);
  const other = { account, joining: 'other' };
  fault(() => links.put(other, { offer, step: 1 }, message()), 'forbidden');
  fault(() => links.get(other, { offer, step: 1 }), 'forbidden');
  clock.at += limits.linkSeconds * 1000;
  fault(() => links.get(old, { offer, step: 1 }), 'link_expired');
});

t.test('an account has four offers at once: of more the oldest ends', async (t) => {
  const { links, account, offer, old } = relay();
  const later = Array.from({ length: limits.linkOffers }, () => randomBytes(16));
  const { account: other } = relay();
  const foreign = randomBytes(16);
  links.open(other, foreign);
  for (const one of later) links.open(account, one);
  fault(() => links.get(old, { offer, step: 1 }), 'link_expired');
  for (const one of later) t.equal(links.get(old, { offer: one, step: 1 }), undefined);
  t.equal(links.get({ account: other }, { offer: foreign, step: 1 }), undefined);
});
