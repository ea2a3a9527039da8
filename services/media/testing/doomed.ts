/** A program that is media on a given folder until it is killed. Arguments: pkid's socket, port, folder, master key. Prints a line when it answers. */
import { writeSync } from 'node:fs';
import { systemClock } from '../../kit/clock.ts';
import { openLog } from '../../kit/log.ts';
import { obtainIdentity } from '../../kit/mtls.ts';
import { testKeys } from '../../kit/testing/vault.ts';
import { openMedia } from '../media.ts';

const [socket = '', port = '', data = '', master = ''] = process.argv.slice(2);
await openMedia({
  identity: await obtainIdentity({ name: 'media', socket }),
  port: Number(port),
  data,
  spend: async () => undefined,
  keys: testKeys('media', [Buffer.from(master, 'hex')]),
  clock: systemClock,
  log: openLog(),
});
writeSync(1, 'ready\n');
