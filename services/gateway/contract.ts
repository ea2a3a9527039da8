/** The client's door: public HTTP and sockets. Offers nothing to other services; it only asks. */
import { defineContract } from '../kit/contract.ts';

export const gateway = defineContract({ service: 'gateway', cache: true, calls: {}, events: {} });
