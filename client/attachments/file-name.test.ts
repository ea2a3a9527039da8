/** Names that senders give, and what becomes of them. */
import { isFileName } from '@island/protocol/crypto/attachment-descriptor.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import fc from 'fast-check';
import t from 'tap';
import { safeFileName } from './file-name.ts';

t.test('names that mean something are made harmless', async (t) => {
  for (const [given, made] of [
    ['report.pdf', 'report.pdf'],
    ['Übersicht 2026 ✓.ods', 'Übersicht 2026 ✓.ods'],
    ['../../etc/passwd', '_.._etc_passwd'],
    ['..\\..\\x', '_.._x'],
    ['.bashrc', 'bashrc'],
    ['...', 'attachment'],
    ['', 'attachment'],
    ['a\u0000b\nc\u001b[2J', 'abc[2J'],
    ['photo\u202egpj.exe', 'photogpj.exe'],
    ['CON', '_CON'],
    ['nul.txt', '_nul.txt'],
    ['com1.log', '_com1.log'],
    ['console.log', 'console.log'],
    ['C:\\x', 'C__x'],
    ['trailing. ', 'trailing'],
    ['\ud800', '\ufffd'],
  ] as const)
    t.equal(safeFileName(given), made, JSON.stringify(given));
});

t.test('a name that is too long keeps its ending', async (t) => {
  const made = safeFileName(`${'ö'.repeat(400)}.tar.gz`);
  t.ok(made.endsWith('.gz'));
  t.ok(utf8Bytes(made).length <= limits.fileNameBytes);
  t.ok(utf8Bytes(safeFileName('x'.repeat(1000))).length === 255);
});

t.test(
  'whatever a name is, what is made of it may stand in a descriptor and on a disk',
  async (t) => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (given) => {
        const made = safeFileName(given);
        return (
          isFileName(made) &&
          made !== '' &&
          utf8Bytes(made).length <= limits.fileNameBytes &&
          !made.startsWith('.') &&
          safeFileName(made) === made
        );
      }),
      { numRuns: 2000 },
    );
    t.pass();
  },
);
