/** Media: attachments as clients sealed them, for whoever knows their names. docs/decisions/070-media.md */
import { tokenClasses } from '@island/protocol/wire/token.ts';
import { delivery } from '../delivery/contract.ts';
import { defineService } from '../kit/service.ts';
import { media } from './contract.ts';
import { openMedia } from './media.ts';
import type { Spend } from './uploads.ts';

export const mediaService = defineService({
  contract: media,
  async start({ identity, bus, settings, data, keys, clock, log }) {
    const port = settings.mediaPort;
    if (port === undefined) throw new Error('media needs its port');
    const spend: Spend = async (tokens, context) => {
      await bus.call(delivery, 'spend', { tokens, class: tokenClasses.media, context });
    };
    return openMedia({ identity, port, data, spend, keys, clock, log });
  },
});
