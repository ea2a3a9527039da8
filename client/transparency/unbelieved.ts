/**
 * The directory shows nothing that counts: for now, or since it was caught. It says nothing about anybody, so
 * whatever needs an answer waits, and holds up nothing else. docs/protocol/transparency.md §8.5
 */
import { Problem } from '../problem.ts';

const codes = new Set([
  'directory_contradicted',
  'directory_anew',
  'directory_stale',
  'directory_ahead',
  'unwitnessed',
  'log_unproved',
  'absence_unproved',
]);

export const isUnbelieved = (error: unknown): error is Problem =>
  error instanceof Problem && codes.has(error.code);
