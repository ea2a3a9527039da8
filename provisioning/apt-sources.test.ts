import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  debianSources,
  formatDeb822,
  inSuite,
  parseDeb822,
  parseOneLine,
  readAptSources,
} from './apt-sources.ts';

t.test('deb822: several stanzas, comments, continuation lines, an inline key', async (t) => {
  const text = `Types: deb deb-src
# a comment within
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0srwuhlB6JKFkcf4HU4SSS/xcRfwEQWzr
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: https://other.example/x
Suites: stable
Components: main
Enabled: no

Types: deb-src
URIs: https://sources.example/x
Suites: bookworm
Components: main
`;
  const [only, ...more] = parseDeb822(text);
  t.same(more, [], 'what is disabled or source only is left out');
  t.same(only?.uris, ['http://mirror.example/debian']);
  t.same(only?.suites, ['bookworm', 'bookworm-updates']);
  t.match(only?.signedBy, /BEGIN PGP PUBLIC KEY BLOCK-----\n \.\n mDME/);
  t.same(
    parseDeb822(formatDeb822(only ? [only] : [])),
    only ? [only] : [],
    'it comes back as it was written',
  );
});

t.test('one line a source: options, comments, several components', async (t) => {
  const text = `# deb http://old.example/debian bookworm main
deb http://mirror.example/debian trixie main contrib # ours
deb [arch=amd64 signed-by=/usr/share/keyrings/a.gpg,/usr/share/keyrings/b.gpg] https://x.example/debian trixie-security main
deb-src http://mirror.example/debian trixie main
deb cdrom:[Debian]/ trixie main
`;
  t.same(parseOneLine(text), [
    { uris: ['http://mirror.example/debian'], suites: ['trixie'], components: ['main', 'contrib'] },
    {
      uris: ['https://x.example/debian'],
      suites: ['trixie-security'],
      components: ['main'],
      signedBy: '/usr/share/keyrings/a.gpg /usr/share/keyrings/b.gpg',
    },
    { uris: [], suites: ['trixie'], components: ['main'] },
  ]);
});

t.test('options that loosen trust are not taken over', async (t) => {
  const one = parseOneLine(
    'deb [trusted=yes allow-insecure=yes] http://m.example/debian trixie main',
  );
  const deb822 = parseDeb822(
    'Types: deb\nURIs: http://m.example/debian\nSuites: trixie\nComponents: main\nTrusted: yes\n',
  );
  for (const source of [...one, ...deb822]) {
    t.notMatch(formatDeb822([source]), /trusted|insecure|yes/i);
  }
});

t.test(
  "only the Debian archive of this release is used, not the machine's other repositories",
  async (t) => {
    const sources = parseOneLine(`deb http://m.example/debian bookworm main non-free
deb http://m.example/debian-security bookworm-security main
deb http://m.example/debian bookworm-backports main
deb https://download.example/docker bookworm stable
deb https://apt.example/pgdg bookworm-pgdg main
deb cdrom:[Debian]/ bookworm main
`);
    const debian = debianSources(sources, 'bookworm');
    t.same(debian, [
      { uris: ['http://m.example/debian'], suites: ['bookworm'], components: ['main'] },
      {
        uris: ['http://m.example/debian-security'],
        suites: ['bookworm-security'],
        components: ['main'],
      },
    ]);
    t.same(inSuite(debian, 'testing'), [
      { uris: ['http://m.example/debian'], suites: ['testing'], components: ['main'] },
    ]);
  },
);

t.test('all files of an apt folder are read, and a missing folder is an empty one', async (t) => {
  const dir = t.testdir();
  mkdirSync(join(dir, 'sources.list.d'));
  writeFileSync(join(dir, 'sources.list'), 'deb http://a.example/debian trixie main\n');
  writeFileSync(join(dir, 'sources.list.d/b.list'), 'deb http://b.example/debian trixie main\n');
  writeFileSync(
    join(dir, 'sources.list.d/c.sources'),
    'Types: deb\nURIs: http://c.example/debian\nSuites: trixie\nComponents: main\n',
  );
  writeFileSync(
    join(dir, 'sources.list.d/d.list.disabled'),
    'deb http://d.example/debian trixie main\n',
  );
  const uris = (await readAptSources(dir)).flatMap((source) => source.uris);
  t.same(uris, ['http://a.example/debian', 'http://b.example/debian', 'http://c.example/debian']);
  t.same(await readAptSources(join(dir, 'nowhere')), []);
});
