/** A program that is a witness in a given folder until it is killed, and says which size each answer was for. Arguments: folder, master key, origin. */
import { writeSync } from 'node:fs';
import { testLogOf } from './log.ts';
import { testWitness } from './witness.ts';

const [dir = '', master = '', origin = ''] = process.argv.slice(2);
const witness = await testWitness({ left: { dir, master: Buffer.from(master, 'hex') } });
const log = testLogOf(origin);
await witness.trust(log.vkey);
const { body } = await witness.add(await log.request(0, 1));
for (let size = body.startsWith('—') ? 1 : Number(body); ; size++) {
  const { status } = await witness.add(await log.request(size, size + 1));
  if (status !== 200) throw new Error(`${status} at ${size}`);
  writeSync(1, `${size + 1}\n`);
}
