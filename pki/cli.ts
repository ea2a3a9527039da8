/**
 * The CA by hand: `node pki/cli.ts show|revoke --dir <data>/pki`. What an operator needs in an emergency;
 * a CA is renewed with `island renew`, since its key is sealed under the master key. docs/decisions/023-ca-renewal.md
 */

import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fingerprint } from './fingerprint.ts';
import { readRevoked, revoke } from './revoked.ts';
import { files, orMissing } from './store.ts';

const usage = `Usage: node pki/cli.ts COMMAND --dir DIR
  show             the certificates of the CA and when they end
  revoke SERIAL    puts a certificate on the next revocation list
`;

export interface Streams {
  out(line: string): unknown;
  err(line: string): unknown;
}

/** @returns exit code: 0 success, 1 a stated failure, 2 wrong usage */
export async function runCli(args: string[], { out, err }: Streams): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    err(`${error instanceof Error ? error.message : 'wrong usage'}\n${usage}`);
    return 2;
  }
  const { dir } = parsed.values;
  const [command, subject] = parsed.positionals;
  if (dir === undefined) return wrongUsage(err);
  try {
    if (command === 'show') return await show(dir, out);
    if (command === 'revoke' && isSerial(subject)) {
      await revoke(dir, { serial: subject.toLowerCase(), at: Date.now() });
      out(
        'Revoked. Peers take the new list when they next renew, within half a certificate’s life.',
      );
      return 0;
    }
    return wrongUsage(err);
  } catch (error) {
    err(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

const parse = (args: string[]) =>
  parseArgs({
    args,
    allowPositionals: true,
    options: { dir: { type: 'string' } },
  });

function wrongUsage(err: (line: string) => unknown): number {
  err(usage);
  return 2;
}

const isSerial = (text: string | undefined): text is string =>
  text !== undefined && /^(?:[0-9a-fA-F]{2}){1,20}$/.test(text);

async function show(dir: string, out: (line: string) => void): Promise<number> {
  const certificate = async (file: string): Promise<X509Certificate> =>
    new X509Certificate(await readFile(join(dir, file), 'utf8').catch(orMissing(dir)));
  const root = await certificate(files.rootCertificate);
  out(`root     until ${root.validToDate.toISOString()}  ${root.subject}`);
  for (const role of ['issuing', 'edge'] as const) {
    const { validToDate, subject } = await certificate(files.certificate(role));
    out(`${role.padEnd(8)} until ${validToDate.toISOString()}  ${subject}`);
  }
  out(
    `fingerprint of the root (SHA-256, base64url): ${Buffer.from(fingerprint(root)).toString('base64url')}`,
  );
  out(`revoked certificates: ${(await readRevoked(dir)).length}`);
  return 0;
}

if (import.meta.main) {
  const to = (stream: NodeJS.WriteStream) => (line: string) => void stream.write(`${line}\n`);
  process.exitCode = await runCli(process.argv.slice(2), {
    out: to(process.stdout),
    err: to(process.stderr),
  });
}
