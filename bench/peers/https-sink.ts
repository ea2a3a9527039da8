/** A program that takes uploads over HTTPS, writes each to a file and answers when it is on the disk; gives them out again. Argument: the folder. Reads key and certificates from its input, as JSON: whoever lists processes sees arguments. Prints its port. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';

const [folder = ''] = process.argv.slice(2);
const { key, cert } = (await json(process.stdin)) as { key: string; cert: string };
const path = join(folder, 'sunk');

const server = createServer({ key, cert }, async (request, response) => {
  if (request.method === 'GET') {
    createReadStream(path).pipe(response);
    return;
  }
  await using file = await open(path, 'w');
  for await (const chunk of request as AsyncIterable<Buffer>) await file.write(chunk);
  await file.sync();
  response.end();
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
process.once('SIGTERM', () => {
  server.closeAllConnections();
  server.close();
});
