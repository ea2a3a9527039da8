/**
 * `island witness request | cosign | take`: a witness without a line. What it is to sign is carried there as a file, and
 * its signatures come back as one. docs/operations.md §8
 */
import { existsSync } from 'node:fs';
import { parseVkey } from '@island/protocol/transparency/note.ts';
import { Stated } from '@island/provisioning/stated.ts';
import { Argument, type Command } from 'commander';
import { toSize } from './option-values.ts';
import { inWords, isVkey, readCard, readText } from './witness-input.ts';
import { type CarriedRequest, formatTaken, type Taken } from './witness-messages.ts';

interface Flags {
  data: string;
  json?: true;
}

interface Group {
  group: Command;
  commandOf(group: Command, name: string, description: string): Command;
  hintOf(data: string): string;
  post(data: string, path: string, body: object): Promise<unknown>;
  tell(json: true | undefined, data: object, text: string): void;
}

export function addHandCommands({ group, commandOf, hintOf, post, tell }: Group): void {
  commandOf(group, 'request', 'writes what a witness without a line is to sign')
    .addArgument(new Argument('<witness>', 'its name in the policy, its card, or its key'))
    .option('--old <size>', 'the size that it says it has signed last', toSize)
    .action(async (witness: string, { data, json, old }: Flags & { old?: number }) => {
      const asked = { witness: await namedOf(witness), ...(old !== undefined && { old }) };
      const made = (await inWords(post(data, 'request', asked), {
        not_found: `No witness is called ${witness}: npx island witness${hintOf(data)}`,
        malformed: 'That is no key of a witness.',
      })) as CarriedRequest;
      tell(json, made, made.request.replace(/\n$/, ''));
    });

  commandOf(group, 'cosign', 'signs an add-checkpoint request that came by hand')
    .addArgument(new Argument('[file]', 'the request; without it, what is piped in').default('-'))
    .action(async (file: string, { data, json }: Flags) => {
      const request = await readText(file);
      const came = (await post(data, 'cosign', { request })) as { status: number; body: string };
      if (came.status === 409)
        throw new Stated(
          `This witness has signed that log up to size ${came.body.trim()}: the request has to begin there (old ${came.body.trim()}).`,
        );
      if (came.status !== 200) throw new Stated(`${came.body.trim()} (${came.status})`);
      tell(json, { signatures: came.body }, came.body.replace(/\n$/, ''));
    });

  commandOf(group, 'take', 'takes the signatures that a witness without a line has sent back')
    .addArgument(
      new Argument('[file]', 'the signatures; without it, what is piped in').default('-'),
    )
    .option('--witness <card>', 'card or key of one that is not in the policy yet')
    .action(async (file: string, { data, json, witness }: Flags & { witness?: string }) => {
      const named = witness === undefined ? {} : { witness: await namedOf(witness) };
      const asked = { signatures: await readText(file), ...named };
      const { taken } = (await inWords(post(data, 'take', asked), {
        malformed: 'Those are no signature lines, as island witness cosign writes them.',
        not_found: `None of these signatures is of a witness of this island and of its present checkpoint, so nothing was taken. The checkpoint may have been overtaken: npx island witness request${hintOf(data)} WITNESS makes a new request.`,
      })) as { taken: Taken[] };
      tell(json, { taken }, taken.map(formatTaken).join('\n'));
    });
}

/** The key of a card: the Ed25519 one, which a policy takes unless it is told otherwise. */
async function namedOf(witness: string): Promise<string> {
  const isCard = witness.startsWith('island://') || existsSync(witness);
  if (isVkey(witness) || !isCard) return witness;
  const { witness: keys } = await readCard(witness);
  const key = keys.find((one) => parseVkey(one).type === 4) ?? keys[0];
  if (key === undefined) throw new Stated('The card has no key of a witness.');
  return key;
}
