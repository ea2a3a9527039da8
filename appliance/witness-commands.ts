/** `island witness …`: who signs for the log of this island, and for whom this island signs. docs/operations.md §8 */
import { writeFile } from 'node:fs/promises';
import {
  formatCard,
  formatCardLink,
  type IslandCard,
} from '@island/protocol/transparency/island-card.ts';
import { isMemberWitness } from '@island/protocol/transparency/member-witness.ts';
import { parseVkey } from '@island/protocol/transparency/note.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import { Stated } from '@island/provisioning/stated.ts';
import { Argument, Option } from 'commander';
import type { Program } from './admission-commands.ts';
import { askControl, askStatus } from './operator.ts';
import { toFingerprint, toQuorum, toWitnessName } from './option-values.ts';
import { qrCode } from './qr-code.ts';
import { addHandCommands } from './witness-by-hand.ts';
import { inWords, isVkey, readCard, readText } from './witness-input.ts';
import {
  formatPolicySet,
  formatWitnesses,
  type PolicySet,
  type WitnessStanding,
} from './witness-messages.ts';

interface Flags {
  data: string;
  json?: true;
}

/** Kinds of keys that a witness has, by the type byte. */
const kinds = { ed25519: 4, 'ml-dsa-44': 6 } as const;
type Kind = keyof typeof kinds;

interface AddFlags extends Flags {
  name?: string;
  byHand?: true;
  member?: true;
  ca?: string;
  key: Kind;
  quorum?: number;
}

export function addWitnessCommands({ island, commandOf, hintOf, streams }: Program): void {
  const group = island
    .command('witness')
    .description('who signs for the log of this island, and for whom this island signs');
  const { stdout } = streams;
  const tell = (json: true | undefined, data: object, text: string): void =>
    void stdout.write(json ? `${JSON.stringify(data)}\n` : `${text}\n`);
  const post = (data: string, path: string, body: object) =>
    askControl(data, { method: 'POST', path: `/witness/${path}`, body });
  const told = async (flags: Flags, asked: Promise<unknown>): Promise<void> => {
    const set = (await asked) as PolicySet;
    tell(flags.json, set, formatPolicySet(set, hintOf(flags.data)));
  };
  const standing = async (data: string) =>
    (await askControl(data, { method: 'GET', path: '/witness' })) as WitnessStanding;

  commandOf(group, 'list', 'shows the witnesses, and the logs that this island signs for', {
    isDefault: true,
  }).action(async ({ data, json }: Flags) => {
    const shown = await standing(data);
    tell(json, shown, formatWitnesses(shown, hintOf(data)));
  });

  commandOf(group, 'card', 'shows the card of this island, for operators of others')
    .option('--out <file>', 'writes it into this file')
    .option('--link', 'one line in place of the file, with the Ed25519 key alone')
    .option('--qr', 'the same line as a QR code, too')
    .action(async (flags: Flags & { out?: string; link?: true; qr?: true }) => {
      const card = await ownCard(flags.data);
      const line = formatCardLink(card);
      if (flags.out !== undefined) await writeFile(flags.out, formatCard(card));
      if (flags.json) return tell(true, { ...JSON.parse(formatCard(card)), link: line }, '');
      if (flags.qr) return tell(undefined, {}, `${line}\n\n${qrCode(line, stdout.isTTY)}`);
      if (flags.link) return tell(undefined, {}, line);
      const written = `The card is in ${flags.out}. Hand it to the operator of the other island.`;
      tell(undefined, {}, flags.out === undefined ? formatCard(card).trimEnd() : written);
    });

  commandOf(group, 'add', 'adds a witness to the policy of this island')
    .addArgument(new Argument('<card>', 'file or line of a card, or the verifier key of a witness'))
    .addArgument(new Argument('[url]', 'where that key is asked, up to /add-checkpoint'))
    .option('--name <name>', 'what the policy calls it; its host unless given', toWitnessName)
    .option('--member', "the key is that of a member's device, as islander witness on shows it")
    .option('--by-hand', 'it is never asked over a line: request and take carry what it signs')
    .option('--ca <fingerprint>', 'SHA-256 of the root of an island, for a key', toFingerprint)
    .option(
      '--quorum <n>',
      'how many have to sign from now on; more than half unless given',
      toQuorum,
    )
    .addOption(
      new Option('--key <kind>', 'which of the keys on the card')
        .choices(Object.keys(kinds))
        .default('ed25519'),
    )
    .action(async (card: string, url: string | undefined, flags: AddFlags) => {
      const hint = hintOf(flags.data);
      const body = await witnessOf(card, url, flags);
      await told(
        flags,
        inWords(post(flags.data, 'add', body), {
          policy_unmet: flags.member
            ? `The device of that key has not signed the present checkpoint of this island; nothing was changed. It has to be connected: there, npx islander witness on, and npx islander listen or a chat that is open.`
            : body.url === undefined
              ? `${body.name} has not signed the present checkpoint of this island; nothing was changed. Carry it there, and its signatures back: npx island witness request${hint} CARD, and npx island witness take${hint} --witness CARD`
              : `${body.name} has not signed the present checkpoint of this island; nothing was changed. Its operator has to do this first, with the card of this island: npx island witness trust CARD. And this machine has to reach ${body.url}`,
          forbidden: ofItself,
          policy_doubled: `The operator of ${body.name} is in the policy already, by another key, and would count twice; nothing was changed. Two keys of one operator count as one where one of all is enough (--quorum 1), or in a group with any: npx island witness policy${hint} FILE`,
          name_taken: `There is a witness with that name or that key already: npx island witness${hint}`,
          method_not_allowed: byHand(hint),
          malformed:
            'That is no witness that a policy can name: check its key, address and quorum.',
        }),
      );
    });

  commandOf(group, 'remove', 'takes a witness out of the policy of this island')
    .addArgument(new Argument('<name>', 'as island witness shows it').argParser(toWitnessName))
    .action(async (name: string, flags: Flags) => {
      const hint = hintOf(flags.data);
      await told(
        flags,
        inWords(post(flags.data, 'remove', { name }), {
          not_found: `No witness is called ${name}: npx island witness${hint}`,
          malformed: `Fewer witnesses would be left than have to sign. Ask for fewer first: npx island witness quorum${hint} N`,
          method_not_allowed: byHand(hint),
        }),
      );
    });

  commandOf(group, 'quorum', 'says how many witnesses have to sign each checkpoint')
    .addArgument(new Argument('<n>', 'at most as many as there are').argParser(toQuorum))
    .option('--members', "of the members' devices, and not of the others")
    .action(async (quorum: number, flags: Flags & { members?: true }) => {
      const hint = hintOf(flags.data);
      await told(
        flags,
        inWords(post(flags.data, 'quorum', { quorum, ...(flags.members && { members: true }) }), {
          malformed: `There are fewer ${flags.members ? 'members' : 'witnesses'} than ${quorum}: npx island witness${hint}`,
          method_not_allowed: byHand(hint),
        }),
      );
    });

  commandOf(group, 'policy', 'shows the text of the policy, or sets another one')
    .addArgument(
      new Argument('[file]', 'a policy as c2sp.org/tlog-policy has it; - for what is piped in'),
    )
    .action(async (file: string | undefined, { data, json }: Flags) => {
      const { policy } = await standing(data);
      if (file === undefined) return tell(json, policy, policy.text.trimEnd());
      const text = await readText(file);
      const set = (await inWords(post(data, 'policy', { after: policy.number, text }), {
        forbidden: ofItself,
        malformed: `That is no policy of this log: it has the line of the log as the present one has it, and addresses with https. npx island witness policy${hintOf(data)} shows the present one.`,
      })) as { policy: number };
      tell(json, set, `Policy ${set.policy} is in force when the next checkpoint is published.`);
    });

  commandOf(group, 'trust', 'makes this island a witness of another log')
    .addArgument(new Argument('<card>', 'file or line of a card, or the verifier key of a log'))
    .action(async (card: string, { data, json }: Flags) => {
      const vkey = isVkey(card) ? card : (await readCard(card)).log;
      const trusted = (await inWords(post(data, 'trust', { vkey }), {
        malformed: 'That is no verifier key of a log: its type is Ed25519 (0x01).',
      })) as { origin: string };
      tell(json, trusted, `This island signs for ${trusted.origin} from now on.`);
    });

  commandOf(group, 'distrust', 'signs for a log no more, and remembers how far it was')
    .addArgument(new Argument('<origin>', 'as island witness shows it'))
    .action(async (origin: string, { data, json }: Flags) => {
      await inWords(post(data, 'distrust', { origin }), {
        not_found: `This island has never signed for ${origin}: npx island witness${hintOf(data)}`,
      });
      tell(json, { origin }, `This island signs for ${origin} no more.`);
    });
  addHandCommands({ group, commandOf, hintOf, post, tell });
}

const ofItself =
  'That is the witness of this island itself: who could forge the log could sign for it, too. Nothing was changed: name witnesses of others.';

const byHand = (hint: string): string =>
  `The policy of this island was written by hand. Change its text, which npx island witness policy${hint} shows, and set that.`;

async function ownCard(data: string): Promise<IslandCard> {
  const { name, address, caFingerprint } = await askStatus(data);
  const { log, keys } = (await askControl(data, { method: 'GET', path: '/witness/card' })) as {
    log: string;
    keys: string[];
  };
  const ca = fromBase64url(caFingerprint);
  return { name, url: `${address}/witness`, ca, log, witness: keys };
}

/** What control is asked for. */
interface Added {
  name: string;
  vkey: string;
  url?: string;
  ca?: string;
  quorum?: number;
}

async function witnessOf(
  from: string,
  at: string | undefined,
  { name, ca, key, quorum, byHand, member }: AddFlags,
): Promise<Added> {
  const more = quorum === undefined ? {} : { quorum };
  if (member) {
    const vkey = isVkey(from) ? parseVkey(from) : undefined;
    if (vkey === undefined || !isMemberWitness(vkey))
      throw new Stated("That is no key of a member's device: islander witness on shows it there.");
    // Made of the key: nobody's name goes into a policy that everybody reads.
    return { name: name ?? `member-${vkey.name.slice(-26, -18)}`, vkey: from, ...more };
  }
  if (isVkey(from) && byHand) {
    if (name === undefined) throw new Stated('A witness without an address needs a --name.');
    return { name, vkey: from, ...more };
  }
  if (isVkey(from)) {
    if (at === undefined)
      throw new Stated('A key needs the address of its witness behind it, or --by-hand.');
    const pinned = ca === undefined ? {} : { ca };
    return {
      name: name ?? nameOf(at),
      vkey: from,
      url: at.replace(/\/+$/, ''),
      ...pinned,
      ...more,
    };
  }
  const card = await readCard(from);
  const vkey = card.witness.find((one) => parseVkey(one).type === kinds[key]);
  if (vkey === undefined) throw new Stated(`The card has no ${key} key; its file may have one.`);
  if (byHand) return { name: name ?? nameOf(card.url), vkey, ...more };
  const pinned = card.ca === undefined ? {} : { ca: base64url(card.ca) };
  return { name: name ?? nameOf(card.url), vkey, url: card.url, ...pinned, ...more };
}

const nameOf = (url: string): string => {
  const host = URL.parse(url)?.hostname ?? '';
  return host.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+|-+$/g, '') || 'witness';
};
