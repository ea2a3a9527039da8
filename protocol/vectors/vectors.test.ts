import { readFile } from 'node:fs/promises';
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
