/** Real engines for tests: nats-server and redis-server with the island's own configuration, on free loopback ports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineBinary, EngineProgram } from '@island/provisioning/engine-binary.ts';
import { findEngines } from '@island/provisioning/engines.ts';
import { runAt } from '@island/provisioning/layout.ts';
import { natsConf } from '@island/provisioning/nats-conf.ts';
import { freePorts } from '@island/provisioning/ports.ts';
import { redisAcl, redisConf } from '@island/provisioning/redis-conf.ts';
import { writeCertificate } from '@island/provisioning/run-files.ts';
import { requestCertificate } from '../certificate-request.ts';
import { childEnvironment } from '../config.ts';
import type { Contract } from '../contract.ts';
import type { ServiceName } from '../names.ts';
import type { TestPki } from './pki.ts';

/** One engine; it keeps its port when it is ended and started again. */
export interface TestEngine extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** What it has written so far. */
  readonly output: string;
  signal(name: NodeJS.Signals): void;
  /** Stops it where it is, until SIGCONT; resolves when every thread of it stands still. */
  hang(): Promise<void>;
  /** Ends it and resolves when it is gone. */
  end(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again; resolves when it is ready. */
  start(): Promise<void>;
}

const engines = findEngines([join(import.meta.dirname, '../../../.engines')]);

async function engine(name: EngineProgram): Promise<EngineBinary> {
  const found = await engines;
  if (found === undefined)
    throw new Error('The engines are missing: run node provisioning/prepare.mjs --engines.');
  return found[name];
}

class Engine implements TestEngine {
  readonly port: number;
  output = '';
  readonly #program: EngineBinary;
  readonly #args: string[];
  readonly #ready: RegExp;
  #child: ChildProcess | undefined;

  constructor(program: EngineBinary, args: string[], port: number, ready: RegExp) {
    this.#program = program;
    this.#args = args;
    this.port = port;
    this.#ready = ready;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    const { path, libraryPath } = this.#program;
    const env = childEnvironment(libraryPath === undefined ? {} : { LD_LIBRARY_PATH: libraryPath });
    // A test that is killed takes its engines with it.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', path, ...this.#args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let sofar = '';
    const listen = (chunk: Buffer): void => {
      this.output += chunk.toString();
      sofar += chunk.toString();
      if (this.#ready.test(sofar)) resolve();
    };
    child.stdout?.on('data', listen);
    child.stderr?.on('data', listen);
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`the engine ended: ${sofar.slice(-2000)}`)));
    await promise;
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  async hang(): Promise<void> {
    this.signal('SIGSTOP');
    const tasks = `/proc/${this.pid}/task`;
    const running = async (task: string) =>
      !/\) [Tt] /.test(await readFile(join(tasks, task, 'stat'), 'utf8'));
    while ((await Promise.all((await readdir(tasks)).map(running))).includes(true));
  }

  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

/** A folder of the engine's own, with its certificate and key in one file, as on an island. */
async function engineFolder(pki: TestPki, name: 'nats' | 'redis') {
  const dir = join(pki.dir, `${name}-${crypto.randomUUID().slice(0, 8)}`);
  await mkdir(dir, { mode: 0o700 });
  await renewEngine(pki, name, dir);
  const certificate = join(dir, `${name}.pem`);
  return { dir, tls: { cert: certificate, key: certificate, ca: join(dir, 'trust.pem') } };
}

async function renewEngine(pki: TestPki, name: 'nats' | 'redis', dir: string): Promise<void> {
  const socket = join(pki.sockets, `${name}.sock`);
  await writeCertificate(runAt(dir), name, await requestCertificate({ name, socket }));
}

/** @param contracts whose services may connect, and what for; those of the island unless given */
export async function testNats(pki: TestPki, contracts?: readonly Contract[]): Promise<TestEngine> {
  const { dir, tls } = await engineFolder(pki, 'nats');
  const [port = 0] = await freePorts(1);
  const file = join(dir, 'nats.conf');
  const pidFile = join(dir, 'nats.pid');
  await writeFile(
    file,
    natsConf({ port, ...tls, pidFile, ...(contracts === undefined ? {} : { contracts }) }),
  );
  const started = new Engine(await engine('nats'), ['-c', file], port, /Server is ready/);
  await started.start();
  return started;
}

export interface TestRedis extends TestEngine {
  /** Of the users; the appliance's own is `appliance`. */
  readonly passwords: Readonly<Record<string, string>>;
  readonly adminSocket: string;
  /** Paths of its certificate chain, key and roots. */
  readonly files: { cert: string; key: string; ca: string };
  /** Writes a new certificate into them; Redis is not told. */
  renew(): Promise<unknown>;
}

/** @param users the services that get a user of their own */
export async function testRedis(pki: TestPki, users: readonly ServiceName[]): Promise<TestRedis> {
  const { dir, tls } = await engineFolder(pki, 'redis');
  const [port = 0] = await freePorts(1);
  const file = join(dir, 'redis.conf');
  const aclFile = join(dir, 'users.acl');
  const adminSocket = join(dir, 'redis.sock');
  const passwords: Record<string, string> = {};
  for (const user of [...users, 'appliance'])
    passwords[user] = crypto.randomUUID() + crypto.randomUUID();
  const services = users.map((name) => ({ name, password: passwords[name] ?? '' }));
  await writeFile(
    aclFile,
    redisAcl({ services, appliancePassword: passwords['appliance'] ?? '' }),
    { mode: 0o600 },
  );
  await writeFile(
    file,
    redisConf({ port, ...tls, adminSocket, aclFile, dir, pidFile: join(dir, 'redis.pid') }),
  );
  const started = new Engine(await engine('redis'), [file], port, /Ready to accept connections/);
  await started.start();
  const renew = () => renewEngine(pki, 'redis', dir);
  return Object.assign(started, { passwords, adminSocket, files: tls, renew });
}
