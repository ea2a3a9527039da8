/** `island invite | invites | registration | people | oidc`: who may join. docs/operations.md §8 */
import {
  type RegistrationMode,
  type Role,
  registrationModes,
  roles,
} from '@island/protocol/wire/account-routes.ts';
import { formatIslandLink } from '@island/protocol/wire/island-link.ts';
import { fromBase64url } from '@island/protocol/wire/text.ts';
import { Stated } from '@island/provisioning/stated.ts';
import { Argument, type Command, type CommandOptions, Option } from 'commander';
import {
  type Applicant,
  formatInvites,
  formatProvider,
  formatRegistration,
  formatWaiting,
  type InviteRow,
  instant,
  type ProviderShown,
  type Registration,
} from './admission-messages.ts';
import { askControl, askInvite, askStatus, Refused } from './operator.ts';
import { readSecret } from './operator-secret.ts';
import {
  type Claim,
  toClaim,
  toCount,
  toHint,
  toIssuer,
  toSeconds,
  toTitle,
} from './option-values.ts';
import { qrCode } from './qr-code.ts';
import type { Streams } from './up-command.ts';

interface Flags {
  data: string;
  json?: true;
}

export interface Program {
  island: Command;
  /** A command below `parent`, with `--data` and `--json`. */
  commandOf(parent: Command, name: string, about: string, options?: CommandOptions): Command;
  /** What other commands need to find the same island, such as ` --data DIR`. */
  hintOf(data: string): string;
  streams: Streams;
}

/** What a group does when nothing more is said. */
const isDefault = { isDefault: true };

export function addAdmissionCommands(program: Program): void {
  addInvites(program);
  addRegistration(program);
  addPeople(program);
  addOidc(program);
  addAccounts(program);
}

const get = async <T>(data: string, path: string): Promise<T> =>
  (await askControl(data, { method: 'GET', path })) as T;
const post = (data: string, path: string, body: object): Promise<unknown> =>
  askControl(data, { method: 'POST', path, body });

/** One line for programs, or sentences for people. */
const tell = ({ stdout }: Streams, json: true | undefined, data: object, text: string): void =>
  void stdout.write(json ? `${JSON.stringify(data)}\n` : `${text}\n`);

async function joinLink(data: string, invite?: string): Promise<string> {
  const { address, caFingerprint } = await askStatus(data);
  return formatIslandLink({
    kind: 'join',
    address,
    caFingerprint: fromBase64url(caFingerprint),
    ...(invite === undefined ? {} : { invite }),
  });
}

/** Says a refusal with this code in words that fit what was asked for. */
async function orElse<T>(asked: Promise<T>, code: string, text: string): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Refused && error.code === code) throw new Stated(text, { cause: error });
    throw error;
  }
}

function addInvites({ island, commandOf, hintOf, streams }: Program): void {
  commandOf(island, 'invite', 'makes an invite link')
    .option('--uses <n>', 'how many people it lets in', toCount, 1)
    .addOption(
      new Option('--expires <time>', 'how long it is good, such as 12h or 7d')
        .argParser(toSeconds)
        .default(604_800, '7d'),
    )
    .addOption(
      new Option('--role <role>', 'what it makes of people').choices(roles).default('member'),
    )
    .option('--qr', 'shows the link as a QR code, too')
    .action(async (flags: Flags & { uses: number; expires: number; role: Role; qr?: true }) => {
      const { data, json, uses, expires, role, qr } = flags;
      const made = await askInvite(data, uses, expires, role);
      const link = await joinLink(data, made.invite);
      const until = new Date(made.expires * 1000).toISOString();
      const code = qr ? `\n\n${qrCode(link, streams.stdout.isTTY)}` : '';
      tell(streams, json, { invite: link, uses, expires: until, role }, `${link}${code}`);
      const { registration } = await get<Registration>(data, '/registration');
      if (registration === 'closed') {
        streams.stderr.write(
          `The island takes in nobody at the moment, not even with an invite. Open it with: npx island registration invite${hintOf(data)}\n`,
        );
      }
    });

  const invites = island.command('invites').description('lists invites, and withdraws them');
  commandOf(invites, 'list', 'lists the invites that are still good', isDefault).action(
    async ({ data, json }: Flags) => {
      const listed = await get<{ invites: InviteRow[] }>(data, '/invites');
      const rows = listed.invites.map((one) => ({ ...one, expires: instant(one.expires) }));
      tell(streams, json, { invites: rows }, formatInvites(listed.invites, hintOf(data)));
    },
  );
  commandOf(invites, 'withdraw', 'makes an invite good for nobody else')
    .addArgument(new Argument('<hint>', 'as island invites shows it').argParser(toHint))
    .action(async (hint: string, { data, json }: Flags) => {
      await orElse(
        post(data, '/invites/withdraw', { hint }),
        'not_found',
        `No invite that is still good has the hint ${hint}. npx island invites${hintOf(data)} lists them.`,
      );
      tell(streams, json, { withdrawn: hint }, 'The invite is withdrawn. Who joined by it stays.');
    });
}

function addRegistration({ island, commandOf, hintOf, streams }: Program): void {
  commandOf(island, 'registration', 'shows or changes who may join')
    .addArgument(new Argument('[mode]', 'who may join from now on').choices(registrationModes))
    .action(async (mode: RegistrationMode | undefined, { data, json }: Flags) => {
      if (mode !== undefined) await post(data, '/registration', { registration: mode });
      const now = await get<Registration>(data, '/registration');
      const link = await joinLink(data);
      tell(streams, json, { ...now, link }, formatRegistration(now, link, hintOf(data)));
    });
}

function addPeople({ island, commandOf, hintOf, streams }: Program): void {
  const people = island.command('people').description('who waits for your word, and your word');
  commandOf(people, 'waiting', 'lists who waits to be let in', isDefault).action(
    async ({ data, json }: Flags) => {
      const { applicants } = await get<{ applicants: Applicant[] }>(data, '/applicants');
      const waiting = applicants.map(({ name, since }) => ({ name, since: instant(since) }));
      tell(streams, json, { waiting }, formatWaiting(applicants, hintOf(data)));
    },
  );
  for (const [word, about, admit, done] of [
    [
      'admit',
      'lets somebody in who waits',
      true,
      'is let in, and joins when their client asks again.',
    ],
    [
      'refuse',
      'does not let somebody in who waits',
      false,
      'is not let in. The name is free in a day.',
    ],
  ] as const) {
    commandOf(people, word, about)
      .argument('<name>', 'as island people waiting shows it')
      .action(async (name: string, { data, json }: Flags) => {
        await orElse(
          post(data, '/applicants', { name, admit }),
          'not_found',
          `Nobody by the name of ${name} waits. npx island people waiting${hintOf(data)} lists who does.`,
        );
        tell(streams, json, { name, admitted: admit }, `${name} ${done}`);
      });
  }
}

function addOidc({ island, commandOf, hintOf, streams }: Program): void {
  const oidc = island
    .command('oidc')
    .description("the organisation's own sign-in (OpenID Connect)");
  const show = async ({ data, json }: Flags): Promise<void> => {
    const shown = await get<ProviderShown>(data, '/oidc');
    tell(streams, json, shown, formatProvider(shown, hintOf(data)));
  };
  commandOf(oidc, 'show', 'shows what is set up', isDefault).action(show);
  commandOf(oidc, 'set', 'lets people join and sign in with the organisation')
    .requiredOption('--title <text>', 'what people call the organisation', toTitle)
    .requiredOption('--issuer <url>', 'address of the provider', toIssuer)
    .requiredOption('--client <id>', 'what the provider calls this island')
    .requiredOption(
      '--secret-file <file>',
      'file with the secret of the client, for its owner alone',
    )
    .option('--require <claim=value>', 'lets in only who has this claim', toClaim)
    .action(
      async (
        flags: Flags & {
          title: string;
          issuer: string;
          client: string;
          secretFile: string;
          require?: Claim;
        },
      ) => {
        const { data, json, secretFile, ...rest } = flags;
        const { title, issuer, client, require } = rest;
        const secret = await readSecret(secretFile);
        const provider = { title, issuer, client, secret, ...(require && { require }) };
        await orElse(
          post(data, '/oidc', { provider }),
          'oidc_unavailable',
          `Nothing at ${issuer} answers as the OpenID provider of that name. Check the address, and that this machine reaches it; nothing was changed.`,
        );
        await show({ data, ...(json && { json }) });
      },
    );
  commandOf(oidc, 'off', 'ends joining and signing in with the organisation').action(
    async ({ data, json }: Flags) => {
      await post(data, '/oidc', { provider: null });
      tell(
        streams,
        json,
        { provider: null },
        'Nobody joins or signs in with the organisation any more. Who is signed in stays signed in.',
      );
    },
  );
}

function addAccounts({ island, commandOf, streams }: Program): void {
  const account = island.command('account').description('accounts of people');
  commandOf(account, 'end <name>', 'ends the account of somebody, for good')
    .option('--yes', 'ends it without asking for the name once more')
    .action(async (name: string, { data, json, yes }: Flags & { yes?: true }) => {
      if (yes !== true)
        throw new Stated(
          `This ends the account of ${name} for good: keys, archive, mail that waits and sessions go, and nobody gets that name again. Everybody who knows ${name} sees that it ended, and so does ${name}. To do it: npx island account end ${name} --yes`,
        );
      await orElse(
        post(data, '/accounts/end', { name }),
        'unknown_person',
        `Nobody on this island has the name ${name}: it was ended already, or never was.`,
      );
      const text = `The account of ${name} has ended. What others received from it stays with them.`;
      tell(streams, json, { name, ended: true }, text);
    });
}
