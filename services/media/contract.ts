/** Attachments as clients sealed them. Knows no people: it is asked over its own door, and asks only that tokens be spent. */
import { defineContract } from '../kit/contract.ts';

export const media = defineContract({ service: 'media', cache: false, calls: {}, events: {} });
