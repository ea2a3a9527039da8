/** Operators: for now the setup token and invites, over a unix socket that only the operator can open. */
import { defineContract } from '../kit/contract.ts';

export const control = defineContract({ service: 'control', cache: false, calls: {}, events: {} });
