/** Redis commands that the cache uses: all that a service's Redis user is allowed (provisioning/redis-conf.ts). */
export const cacheCommands = ['get', 'set', 'del', 'incr', 'multi', 'exec', 'ping'] as const;
