/**
 * Where this machine gets its Debian packages from: apt's own sources, in both formats apt reads
 * (deb822 `.sources` and one-line `.list`). docs/decisions/030-engines.md
 *
 * Only what names a mirror and its key is taken over; options that loosen trust (`trusted=yes`,
 * `allow-insecure`) are not.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface AptSource {
  uris: string[];
  suites: string[];
  components: string[];
  /** A keyring file, a fingerprint, or the key itself; absent: apt's default keyrings. */
  signedBy?: string;
}

/** Deb822: stanzas of `Field: value` with continuation lines that begin with white space. */
export function parseDeb822(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const stanza of text.split(/\n\s*\n/)) {
    const fields = new Map<string, string>();
    let name = '';
    for (const line of stanza.split('\n')) {
      if (line.startsWith('#')) continue;
      const field = /^([A-Za-z0-9-]+):[ \t]*(.*)$/.exec(line);
      if (field?.[1] !== undefined) {
        name = field[1].toLowerCase();
        fields.set(name, field[2]?.trimEnd() ?? '');
      } else if (name !== '' && /^\s/.test(line)) {
        fields.set(name, `${fields.get(name)}\n${line.trimEnd()}`);
      }
    }
    const words = (field: string) => (fields.get(field) ?? '').split(/\s+/).filter((w) => w !== '');
    const enabled = !/^(no|false|0|off|without|disable)$/i.test(fields.get('enabled') ?? 'yes');
    if (!enabled || !words('types').includes('deb')) continue;
    sources.push(
      source(words('uris'), words('suites'), words('components'), fields.get('signed-by')),
    );
  }
  return sources;
}

/** One line a source: `deb [option=value …] uri suite component…`. */
export function parseOneLine(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)([^#]*)/.exec(line);
    const [, options = '', uri, suite, rest = ''] = match ?? [];
    if (uri === undefined || suite === undefined) continue;
    const signedBy = /(?:^|\s)signed-by\s*=\s*(\S+)/i.exec(options)?.[1];
    const components = rest.split(/\s+/).filter((word) => word !== '');
    sources.push(source([uri], [suite], components, signedBy?.replaceAll(',', ' ')));
  }
  return sources;
}

function source(
  uris: string[],
  suites: string[],
  components: string[],
  signedBy: string | undefined,
): AptSource {
  const bare = { uris: uris.filter((uri) => !uri.startsWith('cdrom:')), suites, components };
  return signedBy === undefined || signedBy === '' ? bare : { ...bare, signedBy };
}

/** All sources of this machine, in the order apt reads them. A file that cannot be read counts as empty. */
export async function readAptSources(dir = '/etc/apt'): Promise<AptSource[]> {
  const parts = join(dir, 'sources.list.d');
  const names = (await readdir(parts).catch((): string[] => [])).sort();
  const files = [join(dir, 'sources.list'), ...names.map((name) => join(parts, name))];
  const sources: AptSource[] = [];
  for (const file of files) {
    const parse = file.endsWith('.sources') ? parseDeb822 : parseOneLine;
    if (!/\.(list|sources)$/.test(file)) continue;
    sources.push(...parse(await readFile(file, 'utf8').catch(() => '')));
  }
  return sources;
}

/**
 * The Debian archive among `sources`: those with the component `main` and a suite of this release.
 * Other repositories of the machine do not become sources of engines.
 */
export function debianSources(sources: AptSource[], codename: string): AptSource[] {
  const release = new RegExp(
    `^(${RegExp.escape(codename)}|oldstable|stable|testing|unstable|sid)([-/](updates|security))?$`,
  );
  return sources
    .map((s) => ({ ...s, components: ['main'], suites: s.suites.filter((x) => release.test(x)) }))
    .filter((s, i) => sources[i]?.components.includes('main') && s.suites.length > 0)
    .filter((s) => s.uris.length > 0);
}

/** The same mirrors and keys for another suite: only those that carry a base suite, not updates alone. */
export function inSuite(sources: AptSource[], suite: string): AptSource[] {
  return sources
    .filter((s) => s.suites.some((name) => !/[-/]/.test(name)))
    .map((s) => ({ ...s, suites: [suite] }));
}

/** As a deb822 file for apt. */
export function formatDeb822(sources: AptSource[]): string {
  return sources
    .map((s) =>
      [
        'Types: deb',
        `URIs: ${s.uris.join(' ')}`,
        `Suites: ${s.suites.join(' ')}`,
        `Components: ${s.components.join(' ')}`,
        ...(s.signedBy === undefined ? [] : [`Signed-By: ${s.signedBy}`]),
        '',
      ].join('\n'),
    )
    .join('\n');
}
