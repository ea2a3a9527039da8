/**
 * Routes of members' devices that witness the log, each one call. Whose session it is stays here: the directory is told
 * the key alone. docs/protocol/transparency.md §7.6
 */
import type { memberWitnessRoutes } from '@island/protocol/wire/member-witness-routes.ts';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';
import type { Handlers } from '../kit/http.ts';
import type { Asking } from './access.ts';

export const memberWitnessHandlers = (
  bus: Bus,
): Required<Handlers<typeof memberWitnessRoutes, Asking>> => ({
  witnessRequest: (request) => bus.call(directory, 'memberRequest', request),
  witnessSignature: (request) => bus.call(directory, 'memberSignature', request),
  witnessNewest: (request) => bus.call(directory, 'memberNewest', request),
});
