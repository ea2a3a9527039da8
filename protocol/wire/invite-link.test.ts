import * as fc from 'fast-check';
import t from 'tap';
import { Fault } from './fault.ts';
import { formatInviteLink, parseInviteLink } from './invite-link.ts';

const caFingerprint = Uint8Array.from({ length: 32 }, (_, i) => i);
const fingerprint = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8';

t.test('a link names the address, the root and the invite', async (t) => {
  const link = { address: 'https://island.example:8443', caFingerprint, invite: 'abc-DEF_1' };
  const text = formatInviteLink(link);
  t.equal(text, `island://island.example:8443/join?ca=${fingerprint}&invite=abc-DEF_1`);
  t.same(parseInviteLink(text), link);
});

t.test('the port is 443 unless given', async (t) => {
  const at = (host: string) =>
    parseInviteLink(`island://${host}/join?ca=${fingerprint}&invite=x`).address;
  t.equal(at('island.example'), 'https://island.example');
  t.equal(at('island.example:443'), 'https://island.example');
  t.equal(at('[::1]:8443'), 'https://[::1]:8443');
  t.equal(at('192.0.2.7:1'), 'https://192.0.2.7:1');
});

t.test('white space around a pasted link does no harm', async (t) => {
  const text = `  island://h/join?ca=${fingerprint}&invite=x\n`;
  t.equal(parseInviteLink(text).invite, 'x');
});

t.test('anything else is malformed', async (t) => {
  const bad = [
    '',
    'https://h/join',
    `island://h/join?ca=${fingerprint.slice(1)}&invite=x`,
    `island://h/join?ca=${fingerprint.slice(0, -1)}9&invite=x`,
    `island://h/join?invite=x&ca=${fingerprint}`,
    `island://h/join?ca=${fingerprint}&invite=`,
    `island://h/join?ca=${fingerprint}&invite=${'x'.repeat(65)}`,
    `island://h/join?ca=${fingerprint}&invite=x&more=1`,
    `island://user@h/join?ca=${fingerprint}&invite=x`,
    `island://h:99999/join?ca=${fingerprint}&invite=x`,
    `island://h/other/join?ca=${fingerprint}&invite=x`,
    `island://a b/join?ca=${fingerprint}&invite=x`,
    `island:///join?ca=${fingerprint}&invite=x`,
  ];
  for (const text of bad) {
    t.throws(() => parseInviteLink(text), { name: 'Fault', code: 'malformed' }, text);
  }
});

t.test('fuzz: any text is a link or malformed', async () => {
  const start = fc.constantFrom('', 'island://', `island://h/join?ca=${fingerprint}&invite=`);
  await fc.assert(
    fc.property(start, fc.string({ unit: 'binary', maxLength: 80 }), (head, tail) => {
      try {
        parseInviteLink(head + tail);
        return true;
      } catch (error) {
        return error instanceof Fault && error.code === 'malformed';
      }
    }),
  );
});
