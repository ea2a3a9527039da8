/** Every file of vectors. */
import { vectors as archive } from './archive-vectors.ts';
import { vectors as attachments } from './attachment-vectors.ts';
import { vectors as certificates } from './certificate-vectors.ts';
import { vectors as channel } from './channel-vectors.ts';
import { vectors as devices } from './device-vectors.ts';
import { vectors as dm } from './dm-vectors.ts';
import { vectors as evidence } from './evidence-vectors.ts';
import { vectors as handshake } from './handshake-vectors.ts';
import { vectors as keys } from './key-vectors.ts';
import { vectors as linking } from './link-vectors.ts';
import { vectors as log } from './log-vectors.ts';
import { vectors as map } from './map-vectors.ts';
import { vectors as password } from './password-vectors.ts';
import { vectors as prekeys } from './prekey-vectors.ts';
import { vectors as ratchet } from './ratchet-vectors.ts';
import { vectors as safety } from './safety-vectors.ts';
import { vectors as space } from './space-vectors.ts';
import { vectors as tokens } from './token-vectors.ts';
import type { VectorFile } from './vector-file.ts';
import { vectors as wire } from './wire-vectors.ts';

export const vectorFiles: readonly VectorFile[] = [
  archive,
  attachments,
  certificates,
  channel,
  devices,
  dm,
  evidence,
  handshake,
  keys,
  linking,
  log,
  map,
  password,
  prekeys,
  ratchet,
  safety,
  space,
  tokens,
  wire,
];
