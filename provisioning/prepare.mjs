/**
 * What `npm start`, `npm test` and `npm run bench` need before anything else: the npm packages, and
 * with `--engines` the engines in .engines/. docs/operations.md §1
 *
 * Plain JavaScript without dependencies, for Node 20 or newer: it runs before anything is installed.
 * All it says goes to standard error; it does nothing, in no time, when everything is there.
 */
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const node24 = join(root, 'node_modules/node/bin/node');
// biome-ignore lint/style/noProcessEnv: it runs before there is a kit/config.ts.
const environment = process.env;
const wantEngines = process.argv.includes('--engines');
const log = join(root, 'node_modules', '.npm-ci.log');
const live = process.stderr.isTTY === true && environment.TERM !== 'dumb';

/** @param {string} sentence @returns {never} */
function fail(sentence) {
  process.stderr.write(`${live ? '\r\u001b[2K' : ''}prepare: ${sentence}\n`);
  process.exit(1);
}

/** @param {string} path */
const changed = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);

/**
 * npm writes its hidden lock file last: without it an installation was cut off. A lock file that is
 * newer matters only where it asks for other versions.
 */
function installed() {
  const [have, want] = [
    join(root, 'node_modules/.package-lock.json'),
    join(root, 'package-lock.json'),
  ];
  if (!existsSync(node24) || !existsSync(have)) return false;
  if (changed(have) >= changed(want)) return true;
  const packages = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;
  const [had, wanted] = [packages(have), packages(want)];
  const same = Object.entries(wanted).every(
    ([path, { version, optional, link }]) =>
      !path.includes('node_modules/') ||
      optional ||
      (had[path]?.version === version && had[path]?.link === link),
  );
  if (same) utimesSync(have, new Date(), new Date());
  return same;
}

/** The shell that runs us, and npm above it, as far as can be seen. */
function ancestors() {
  try {
    const stat = readFileSync(`/proc/${process.ppid}/stat`, 'latin1');
    return `${process.ppid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]}`;
  } catch {
    return `${process.ppid}`;
  }
}

/** A signal to npm ends npm, or npm and the shell, but does not reach us: their absence tells. */
function whenAlone(then) {
  const before = ancestors();
  return setInterval(() => ancestors() !== before && then(), 300);
}

/** Runs a program whose output is kept; when we end, or whoever started us does, it ends too. */
function run(command, args, onOutput, env = {}) {
  const setpriv = '/usr/bin/setpriv';
  const line = existsSync(setpriv)
    ? [setpriv, '--pdeathsig', 'TERM', '--', command, ...args]
    : [command, ...args];
  const child = spawn(line[0], line.slice(1), {
    cwd: root,
    env: { ...environment, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  child.stdout.on('data', onOutput);
  child.stderr.on('data', onOutput);
  const stop = () => {
    try {
      // With all that it started: what npm leaves half is thrown away by its next run.
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // it has ended
    }
    process.stderr.write('\n');
    process.exit(130);
  };
  const watch = whenAlone(stop);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
  return new Promise((resolve) => {
    child.once('error', () => resolve(127));
    child.once('close', (code) => {
      clearInterval(watch);
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, stop);
      resolve(code ?? 1);
    });
  });
}

/** What the installation is at, seen from outside. */
function stage() {
  const build = join(root, 'node_modules/sqlite3/build');
  if (!existsSync(build)) return 'fetching and unpacking';
  if (existsSync(join(build, 'Release/node_sqlite3.node'))) return 'finishing';
  return 'compiling sqlite3 from source, about four minutes on two cores';
}

/** The headers of this Node, where they came with it: sqlite3 then compiles without fetching them. */
function headers() {
  const prefix = dirname(dirname(process.execPath));
  const known = environment.npm_config_nodedir !== undefined;
  return !known && existsSync(join(prefix, 'include/node/node_api.h'))
    ? { npm_config_nodedir: prefix }
    : {};
}

async function install() {
  const since = Date.now();
  const took = () => {
    const s = Math.round((Date.now() - since) / 1000);
    return s < 60 ? `${s} s` : `${Math.floor(s / 60)} min ${s % 60} s`;
  };
  const first = existsSync(join(root, 'node_modules'))
    ? 'The npm packages are not those of this version, or not complete'
    : 'The npm packages are missing';
  process.stderr.write(
    `${first}: installing them with npm ci. The first time this takes a few minutes.\n`,
  );
  const show = () =>
    process.stderr.write(
      live ? `\r\u001b[2K  ${stage()}, ${took()}` : `  ${stage()}, ${took()} so far\n`,
    );
  const shown = setInterval(show, live ? 500 : 15_000);
  let output = '';
  const keep = (text) => {
    output += text;
  };
  const npm = environment.npm_execpath;
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=warn'];
  const code = npm?.endsWith('.js')
    ? await run(environment.npm_node_execpath ?? process.execPath, [npm, ...args], keep, headers())
    : await run('npm', args, keep, headers());
  clearInterval(shown);
  if (live) process.stderr.write('\r\u001b[2K');
  if (code === 127)
    fail(
      'There is no npm on this machine. Install Node.js 20 or newer with npm, then start again.',
    );
  if (code !== 0 || !installed()) {
    mkdirSync(dirname(log), { recursive: true });
    writeFileSync(log, output);
    process.stderr.write(`${output.trimEnd().split('\n').slice(-15).join('\n')}\n`);
    fail(`${reason(output)} (All that npm said: ${log})`);
  }
  process.stderr.write(`The npm packages are installed, ${took()}.\n`);
}

/** @param {string} output */
function reason(output) {
  if (/ENOSPC|No space left/.test(output))
    return 'The disk is full: make 2 GB of room and start again.';
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|network/i.test(output)) {
    return 'The npm registry cannot be reached: check the network, then start again.';
  }
  if (/gyp ERR!|make: |g\+\+|not found: make/.test(output)) {
    return 'sqlite3 could not be compiled: install a C++ toolchain and Python (on Debian: build-essential python3), then start again.';
  }
  if (/EACCES|EPERM/.test(output))
    return 'npm may not write here: run as the owner of this folder.';
  return 'npm ci failed: the last lines above say why. Correct that, then start again.';
}

async function engines() {
  const { obtainEngines } = await import('./engines.ts');
  const { statedFrom } = await import('./stated.ts');
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => stop.abort());
  const watch = whenAlone(() => stop.abort());
  let last = '';
  try {
    await obtainEngines({
      dir: join(root, '.engines'),
      report: (line) => {
        const bare = line.replace(/\([^)]*\)$/, '');
        if (bare !== last) process.stderr.write(`${line}\n`);
        last = bare;
      },
      signal: stop.signal,
    });
  } catch (error) {
    if (stop.signal.aborted) process.exit(130);
    fail(statedFrom(error)?.message ?? String(error));
  } finally {
    clearInterval(watch);
  }
}

if (Number(process.versions.node.split('.')[0]) < 20) {
  fail(`Node.js ${process.versions.node} is too old: install version 20 or newer.`);
}
if (!installed()) await install();
rmSync(log, { force: true });
if (wantEngines) {
  if (Number(process.versions.node.split('.')[0]) >= 24) await engines();
  else {
    const child = run(node24, [fileURLToPath(import.meta.url), '--engines'], (text) =>
      process.stderr.write(text),
    );
    const code = await child;
    if (code !== 0) process.exit(code);
  }
}
