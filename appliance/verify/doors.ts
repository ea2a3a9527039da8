/** The doors with a TCP port behind the edge: whose they are, who has business there and who has none. */
import type { Door } from './refusals.ts';
import type { Scene } from './scene.ts';

export async function doorsOf(
  scene: Scene,
): Promise<Record<'gateway' | 'media' | 'nats' | 'redis', Door>> {
  const { nats, redis, gateway, media } = scene.island.internal;
  const password = (await scene.redisPasswords())['gateway'] ?? '';
  return {
    gateway: {
      name: 'gateway',
      port: gateway,
      protocol: 'https',
      guest: 'edge',
      stranger: 'accounts',
    },
    media: {
      name: 'media',
      port: media,
      protocol: 'https',
      guest: 'edge',
      stranger: 'gateway',
    },
    nats: { name: 'nats', port: nats, protocol: 'nats', guest: 'gateway', stranger: 'edge' },
    redis: {
      name: 'redis',
      port: redis,
      protocol: 'redis',
      guest: 'gateway',
      stranger: 'delivery',
      script: { say: `AUTH gateway ${password}\r\nPING\r\n`, until: /^\+PONG|^-/m },
    },
  };
}
