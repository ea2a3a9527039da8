import * as fc from 'fast-check';
import t from 'tap';
import { Fault } from './fault.ts';
import { formatIslandLink, type IslandLink, parseIslandLink } from './island-link.ts';

const caFingerprint = Uint8Array.from({ length: 32 }, (_, i) => i);
const fingerprint = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8';
const to = { address: 'https://island.example:8443', caFingerprint };
const offer = new Uint8Array(16).fill(5);
const secret = new Uint8Array(32).fill(6);
const offerText = 'BQUFBQUFBQUFBQUFBQUFBQ';
const secretText = 'BgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgY';

t.test('a link names the address, the root and what it is for', async (t) => {
  const start = 'island://island.example:8443';
  const cases: [IslandLink, string][] = [
    [
      { kind: 'join', ...to, invite: 'abc-DEF_1' },
      `${start}/join?ca=${fingerprint}&invite=abc-DEF_1`,
    ],
    [{ kind: 'join', ...to }, `${start}/join?ca=${fingerprint}`],
    [{ kind: 'recover', ...to, name: 'ann' }, `${start}/recover?ca=${fingerprint}&name=ann`],
    [
      { kind: 'link', ...to, name: 'a.nn-_9', offer, secret },
      `${start}/link?ca=${fingerprint}&name=a.nn-_9&offer=${offerText}&secret=${secretText}`,
    ],
  ];
  for (const [link, text] of cases) {
    t.equal(formatIslandLink(link), text);
    t.same(parseIslandLink(text), link);
  }
});

t.test('the port is 443 unless given', async (t) => {
  const at = (host: string) =>
    parseIslandLink(`island://${host}/join?ca=${fingerprint}&invite=x`).address;
  t.equal(at('island.example'), 'https://island.example');
  t.equal(at('island.example:443'), 'https://island.example');
  t.equal(at('[::1]:8443'), 'https://[::1]:8443');
  t.equal(at('192.0.2.7:1'), 'https://192.0.2.7:1');
});

t.test('white space around a pasted link does no harm', async (t) => {
  const text = `  island://h/join?ca=${fingerprint}&invite=x\n`;
  t.match(parseIslandLink(text), { kind: 'join', invite: 'x' });
});

t.test('anything else is malformed', async (t) => {
  const linking = `island://h/link?ca=${fingerprint}&name=ann`;
  const bad = [
    '',
    'https://h/join',
    `island://h/join?ca=${fingerprint.slice(1)}&invite=x`,
    `island://h/join?ca=${fingerprint.slice(0, -1)}9&invite=x`,
    `island://h/join?invite=x&ca=${fingerprint}`,
    `island://h/join?ca=${fingerprint}&invite=`,
    `island://h/join?ca=${fingerprint}&`,
    `island://h/join?ca=${fingerprint}&invite=${'x'.repeat(65)}`,
    `island://h/join?ca=${fingerprint}&invite=x&more=1`,
    `island://h/join?ca=${fingerprint}&invite=x#fragment`,
    `island://h/join?ca=${fingerprint}&name=ann`,
    `island://user@h/join?ca=${fingerprint}&invite=x`,
    `island://h:99999/join?ca=${fingerprint}&invite=x`,
    `island://h/other/join?ca=${fingerprint}&invite=x`,
    `island://h/other?ca=${fingerprint}&invite=x`,
    `island://h/toString?ca=${fingerprint}&invite=x`,
    `island://a b/join?ca=${fingerprint}&invite=x`,
    `island:///join?ca=${fingerprint}&invite=x`,
    `island://h/recover?ca=${fingerprint}`,
    `island://h/recover?ca=${fingerprint}&name=`,
    `island://h/recover?ca=${fingerprint}&invite=x`,
    `island://h/recover?ca=${fingerprint}&name=ann&offer=${offerText}`,
    linking,
    `${linking}&offer=${offerText}`,
    `${linking}&secret=${secretText}&offer=${offerText}`,
    `${linking}&offer=${offerText.slice(1)}&secret=${secretText}`,
    `${linking}&offer=${offerText.slice(0, -1)}9&secret=${secretText}`,
    `${linking}&offer=${offerText}&secret=${secretText.slice(1)}`,
    `${linking}&offer=${offerText}&secret=${secretText}&more=1`,
  ];
  for (const text of bad) {
    t.throws(() => parseIslandLink(text), { name: 'Fault', code: 'malformed' }, text);
  }
  const invalid = { name: 'Fault', code: 'name_invalid' };
  t.throws(() => parseIslandLink(`island://h/recover?ca=${fingerprint}&name=Ann%20`), invalid);
});

t.test('fuzz: any text is a link, malformed, or for a name that is none', async () => {
  const starts = ['join', 'recover', 'link'].map((kind) => `island://h/${kind}?ca=${fingerprint}`);
  const start = fc.constantFrom('', 'island://', ...starts, `${starts[1]}&name=`);
  await fc.assert(
    fc.property(start, fc.string({ unit: 'binary', maxLength: 80 }), (head, tail) => {
      try {
        parseIslandLink(head + tail);
        return true;
      } catch (error) {
        return error instanceof Fault && ['malformed', 'name_invalid'].includes(error.code);
      }
    }),
  );
});
