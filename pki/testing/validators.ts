/** Validators that know nothing of our code: the openssl and certtool commands, where the machine has them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Verdict {
  good: boolean;
  said: string;
}

const present = (command: string): boolean =>
  spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined;

/** Undefined stands for "not on this machine". */
export const openssl: string | undefined = present('openssl') ? 'openssl' : undefined;
export const certtool: string | undefined = present('certtool') ? 'certtool' : undefined;

export interface ChainFiles extends Disposable {
  /** `openssl verify -x509_strict` as a TLS peer of that purpose; with lists, every certificate must not be on them. */
  openssl(purpose: 'sslclient' | 'sslserver', host?: string): Verdict;
  certtool(): Verdict;
}

/** Writes a chain to files that the commands read. All PEM. */
export function chainFiles(o: {
  root: string;
  ca: string;
  leaf: string;
  crls?: string[];
}): ChainFiles {
  const dir = mkdtempSync(join(tmpdir(), 'pi-chain-'));
  const file = (name: string, content: string): string => {
    const path = join(dir, name);
    writeFileSync(path, content);
    return path;
  };
  const root = file('root.crt', o.root);
  const ca = file('ca.crt', o.ca);
  const leaf = file('leaf.crt', o.leaf);
  const chain = file('chain.crt', o.leaf + o.ca);
  const crls = o.crls === undefined ? undefined : file('all.crl', o.crls.join(''));
  const run = (command: string, args: string[]): Verdict => {
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    return { good: status === 0, said: stdout + stderr };
  };
  return {
    openssl(purpose, host) {
      const lists = crls === undefined ? [] : ['-crl_check_all', '-CRLfile', crls];
      const named = host === undefined ? [] : ['-verify_hostname', host];
      const base = [
        'verify',
        '-x509_strict',
        '-purpose',
        purpose,
        '-CAfile',
        root,
        '-untrusted',
        ca,
      ];
      return run('openssl', [...base, ...lists, ...named, leaf]);
    },
    certtool() {
      const lists = crls === undefined ? [] : ['--load-crl', crls];
      return run('certtool', [
        '--verify',
        '--load-ca-certificate',
        root,
        '--infile',
        chain,
        ...lists,
      ]);
    },
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}
