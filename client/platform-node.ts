/** The client's place in Node: undici, the TLS of Node, native Argon2. */
import { hashRaw } from '@node-rs/argon2';
import type { Platform } from './platform.ts';
import { fetchRoot } from './transport/first-contact.ts';
import { nodeTransport } from './transport/node.ts';

export const nodePlatform: Platform = {
  fetchRoot,
  transport: nodeTransport,
  argon2id: (password, salt, { memory, passes, lanes }) =>
    hashRaw(password, {
      salt,
      memoryCost: memory,
      timeCost: passes,
      parallelism: lanes,
      // Argon2id and version 0x13 are what it does unless told otherwise; a test holds it to that.
      outputLen: 32,
    }),
};
