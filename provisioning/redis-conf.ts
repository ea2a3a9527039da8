/**
 * Configuration of redis-server and its users: TLS 1.3 with a certificate of the island, one user
 * per service that keeps a cache, with its own keys and the commands the cache uses. docs/architecture.md §1
 */
import { createHash } from 'node:crypto';
import { cacheCommands } from '@island/services/kit/cache-commands.ts';
import type { ServiceName } from '@island/services/kit/names.ts';

export interface RedisConfOptions {
  /** On 127.0.0.1. */
  port: number;
  /** Paths: leaf and issuing CA, its key, the roots. Renewed by CONFIG SET over the admin socket. */
  cert: string;
  key: string;
  ca: string;
  /** Unix socket (0700) of the appliance, in a folder that only it can enter. */
  adminSocket: string;
  /** The file with the text of `redisAcl`, 0600. */
  aclFile: string;
  /** Redis' working folder. */
  dir: string;
  pidFile: string;
}

/** Redis reads C escapes in double quotes; a path with a control character is nobody's. */
function quoted(path: string): string {
  if (/[\p{Cc}]/u.test(path)) throw new TypeError('a path must not contain control characters');
  return `"${path.replace(/["\\]/g, '\\$&')}"`;
}

/** The text of `redis.conf`. Holds no secret. */
export function redisConf(options: RedisConfOptions): string {
  return `# Written by the appliance at each start; changes here are lost.
bind 127.0.0.1
port 0
tls-port ${options.port}
tls-cert-file ${quoted(options.cert)}
tls-key-file ${quoted(options.key)}
tls-ca-cert-file ${quoted(options.ca)}
tls-auth-clients yes
tls-protocols "TLSv1.3"
tls-session-caching no
unixsocket ${quoted(options.adminSocket)}
unixsocketperm 700
aclfile ${quoted(options.aclFile)}
acllog-max-len 32
protected-mode yes
enable-debug-command no
enable-module-command no
enable-protected-configs no
dir ${quoted(options.dir)}
pidfile ${quoted(options.pidFile)}
daemonize no
logfile ""
loglevel notice
always-show-logo no
save ""
appendonly no
maxmemory 134217728
maxmemory-policy volatile-lru
# Places are taken before a certificate is shown: many, and not for long. The cache pings every two seconds.
maxclients 2000
timeout 6
tcp-keepalive 60
slowlog-max-len 0
`;
}

/**
 * The text of the ACL file. Passwords are 32 random bytes as text, so their plain SHA-256 tells nothing.
 * The appliance's own user is \`appliance\`; the user \`default\` is off.
 */
export function redisAcl(options: {
  services: readonly { name: ServiceName; password: string }[];
  appliancePassword: string;
}): string {
  const hash = (password: string): string =>
    `#${createHash('sha256').update(password).digest('hex')}`;
  const commands = cacheCommands.map((command) => `+${command}`).join(' ');
  return [
    'user default off resetpass resetkeys resetchannels -@all',
    `user appliance on ${hash(options.appliancePassword)} resetkeys resetchannels -@all +config|set +acl|setuser +client|kill +ping +shutdown`,
    ...options.services.map(
      ({ name, password }) =>
        `user ${name} on ${hash(password)} resetchannels ~${name}:* -@all ${commands}`,
    ),
    '',
  ].join('\n');
}
