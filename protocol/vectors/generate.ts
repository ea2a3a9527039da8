/** Writes every file of vectors: `npm run vectors`. With `--check`, compares instead and says what differs. */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { vectorFiles } from './files.ts';
import { vectorText } from './vector-file.ts';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });

for (const file of vectorFiles) {
  const path = new URL(`${file.name}.json`, import.meta.url);
  const text = await vectorText(file);
  const before = await readFile(path, 'utf8').catch(() => undefined);
  if (before === text) continue;
  process.stdout.write(`${file.name}.json ${values.check ? 'differs' : 'written'}\n`);
  if (values.check) process.exitCode = 1;
  else await writeFile(path, text);
}
