/**
 * The only file that reads the environment and configuration files. Every value knows where it
 * came from, so that a refusal can name the place to correct. docs/operations.md §6
 */
import { open } from 'node:fs/promises';
import * as v from 'valibot';
import { services } from './names.ts';

/** What every service may know of its island, and the doors its process was given. */
export interface Settings {
  /** Display name of the island. */
  name: string;
  /** `https://host[:port]`, as clients reach it. */
  address: string;
  /** SHA-256 of the root certificate (DER), base64url. */
  caFingerprint: string;
  /** front only: the mTLS HTTPS port that the edge talks to. */
  gatewayPort?: number;
  /** front only: the mTLS HTTPS port of media, that the edge talks to. */
  mediaPort?: number;
  /** control only: path of the operators' unix socket. */
  controlSocket?: string;
}

const port = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535));
const path = v.pipe(v.string(), v.startsWith('/'), v.maxLength(4096));

const processConfig = v.strictObject({
  process: v.picklist(['front', 'core', 'control']),
  island: v.strictObject({
    name: v.pipe(v.string(), v.minLength(1), v.maxLength(128)),
    address: v.pipe(v.string(), v.startsWith('https://'), v.url()),
    caFingerprint: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{43}$/)),
  }),
  natsPort: port,
  redisPort: port,
  gatewayPort: v.exactOptional(port),
  mediaPort: v.exactOptional(port),
  controlSocket: v.exactOptional(path),
  services: v.pipe(
    v.array(
      v.strictObject({
        name: v.picklist(services),
        data: path,
        pkidSocket: path,
        redisPassword: v.exactOptional(v.pipe(v.string(), v.minLength(16), v.maxLength(256))),
      }),
    ),
    v.minLength(1),
  ),
});

/** The JSON file (0600) that the appliance writes for one process. */
export type ProcessConfig = v.InferOutput<typeof processConfig>;

/** A configuration that can't be used. The message is one plain sentence for the operator. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

const largest = 1_048_576;

/**
 * Reads and checks a process's configuration. Refuses a file that others could read or write, or
 * that belongs to somebody else.
 * @throws ConfigError naming the file and the value
 */
export async function loadProcessConfig(file: string): Promise<ProcessConfig & { source: string }> {
  const result = v.safeParse(processConfig, await loadPrivateJson(file));
  if (!result.success) {
    const at = v.getDotPath(result.issues[0]) ?? 'the top level';
    throw new ConfigError(
      `${file}: the value at ${at} is not in the form it should be; correct it there.`,
    );
  }
  return { ...result.output, source: file };
}

/** JSON of a file that only its owner, who is us, can open. */
export async function loadPrivateJson(file: string): Promise<unknown> {
  await using handle = await open(file, 'r').catch(() => {
    throw new ConfigError(
      `${file}: the file can't be opened; check that it exists and belongs to this user.`,
    );
  });
  const { uid, mode, size } = await handle.stat();
  if ((mode & 0o077) !== 0) {
    throw new ConfigError(
      `${file}: others can open this file, which holds secrets; run chmod 600 on it.`,
    );
  }
  if (process.geteuid !== undefined && uid !== process.geteuid()) {
    throw new ConfigError(
      `${file}: the file belongs to another user; it must belong to the one who runs the island.`,
    );
  }
  if (size > largest)
    throw new ConfigError(`${file}: the file is too large to be a configuration.`);
  try {
    return JSON.parse(await handle.readFile('utf8'));
  } catch {
    throw new ConfigError(
      `${file}: this is not JSON; correct it or let the appliance write it anew.`,
    );
  }
}

export interface Sourced {
  value: string;
  /** For messages: where a person can change it. */
  source: string;
}

/** A value from the environment; an empty one counts as none. */
export function fromEnvironment(name: string): Sourced | undefined {
  // biome-ignore lint/style/noProcessEnv: this file is the one door to the environment.
  const value = process.env[name];
  return value === undefined || value === ''
    ? undefined
    : { value, source: `environment variable ${name}` };
}

/** What a child process gets of our environment: how to find programs and how to write text; nothing else. */
export function childEnvironment(
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR']) {
    const found = fromEnvironment(name);
    if (found !== undefined) kept[name] = found.value;
  }
  return { ...kept, ...more };
}
