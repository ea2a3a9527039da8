import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { vectorFiles } from './files.ts';
import { vectorText } from './vector-file.ts';

for (const file of vectorFiles) {
  t.test(
    `I3: ${file.name}.json is what the code makes; if it changed on purpose: npm run vectors`,
    async (t) => {
      const committed = await readFile(new URL(`${file.name}.json`, import.meta.url), 'utf8');
      // As one value: a difference of a hundred kilobytes is no help.
      t.ok((await vectorText(file)) === committed);
    },
  );
}

t.test('I3: a host without node:crypto, such as a browser, makes the same vectors', async (t) => {
  // Without this function the primitives don't find node:crypto and take libsodium for everything.
  const without = 'data:text/javascript,process.getBuiltinModule=undefined';
  const generate = fileURLToPath(new URL('generate.ts', import.meta.url));
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ['--import', without, generate, '--check']);
  t.equal(stdout, '');
});
