/** `islander server role`: what members may do. docs/protocol/channel.md §4 */
import { rankOf } from '@island/protocol/space/permissions.ts';
import type { AddCommand, CommandGroup } from '../../command.ts';
import { given } from '../../credentials.ts';
import { rows } from '../../rows.ts';
import { type AtServer, atServer } from '../../servers/act.ts';
import { memberNamed, permissionSum, roleNamed } from '../../servers/naming.ts';
import { membersWith, roleObject, rolesInOrder, roleText, titleOf } from '../../servers/shown.ts';
import { usage } from '../../usage.ts';

function listCommand(add: AddCommand): void {
  add(
    'list <server>',
    'the roles of a server, the highest first, and what they may',
    ["islander server role list 'Book club'"],
    (command) => command,
    async (context, [server = '']) => {
      await atServer(context, server, async ({ state, terminal }) => {
        const all = rolesInOrder(state);
        if (terminal.json) {
          for (const each of all) terminal.say('', roleObject(state, each));
          return;
        }
        const table = all.map((each) => [
          String(each.position).padStart(3),
          roleText(each),
          String(membersWith(state, each.role)),
          roleObject(state, each).permissions.join(', ') || '—',
        ]);
        terminal.say(rows([['', 'role', 'members', 'may'], ...table]), {});
      });
    },
  );
}

/** Above all others, and below whoever makes it. */
function nextPosition({ state, islander }: Pick<AtServer, 'state' | 'islander'>): number {
  const positions = [...state.roles.values()].map(({ position }) => position);
  const below = rankOf(state, islander.account.account) - 1;
  return Math.max(0, Math.min(Math.max(0, ...positions) + 1, below));
}

function addCommand(add: AddCommand): void {
  add(
    'add <server> <role>',
    'makes a role; without --position it stands above everybody who has none',
    [
      "islander server role add 'Book club' moderators --allow kick,timeout,manage-posts,reports",
      "islander server role add 'Book club' readers",
    ],
    (command) =>
      command
        .option('--allow <permissions>', 'what it may, between commas')
        .option('--position <n>', 'how high it stands; who stands higher acts on who stands lower'),
    async (context, [server = '', name = ''], options) => {
      await atServer(context, server, async ({ state, act, terminal, islander }) => {
        const position = positionOf(context, options) ?? nextPosition({ state, islander });
        const permissions = permissionSum(words(options['allow']));
        const role = Math.max(0, ...state.roles.keys()) + 1;
        await act({ op: 'role', role, name, position, permissions });
        terminal.say(`There is a role ${name} on ${titleOf(state)} now.`, {
          ...roleObject(state, { role, name, position, permissions }),
        });
      });
    },
  );
}

function setCommand(add: AddCommand): void {
  add(
    'set <server> <role>',
    'changes what a role may, how it is called, how high it stands; "everyone" is the role that all have',
    [
      "islander server role set 'Book club' moderators --allow ban --deny kick",
      "islander server role set 'Book club' everyone --deny invite",
      "islander server role set 'Book club' moderators --name keepers --position 3",
    ],
    (command) =>
      command
        .option('--allow <permissions>', 'what it may besides')
        .option('--deny <permissions>', 'what it may no more')
        .option('--name <name>', 'what it is called')
        .option('--position <n>', 'how high it stands'),
    async (context, [server = '', called = ''], options) => {
      await atServer(context, server, async ({ state, act, terminal }) => {
        const there = roleNamed(state, called);
        const allow = permissionSum(words(options['allow']));
        const deny = permissionSum(words(options['deny']));
        const changed = {
          role: there.role,
          name: given(options['name']) ?? there.name,
          position: positionOf(context, options) ?? there.position,
          permissions: (there.permissions | allow) & ~deny,
        };
        await act({ op: 'role', ...changed });
        terminal.say(`${roleText(changed)} is changed.`, roleObject(state, changed));
      });
    },
  );
}

function removeCommand(add: AddCommand): void {
  add(
    'remove <server> <role>',
    'removes a role from the server and from all who have it',
    ["islander server role remove 'Book club' readers"],
    (command) => command,
    async (context, [server = '', called = '']) => {
      await atServer(context, server, async ({ state, act, terminal }) => {
        const there = roleNamed(state, called);
        await act({ op: 'roleGone', role: there.role });
        terminal.say(`${roleText(there)} is gone.`, {
          ...roleObject(state, there),
          type: 'role-removed',
        });
      });
    },
  );
}

function giveCommands(add: AddCommand): void {
  for (const gives of [true, false])
    add(
      `${gives ? 'give' : 'take'} <server> <name> <role>`,
      gives ? 'gives a member a role' : 'takes a role from a member',
      [`islander server role ${gives ? 'give' : 'take'} 'Book club' bob moderators`],
      (command) => command,
      async (context, [server = '', name = '', called = '']) => {
        await atServer(context, server, async ({ state, act, terminal }) => {
          const { account, roles: had } = memberNamed(state, name);
          const { role } = roleNamed(state, called);
          if (role === 0) throw usage(terminal, 'Everybody has that role.');
          const without = had.filter((each) => each !== role);
          const roles = (gives ? [...without, role] : without).sort((a, b) => a - b);
          await act({ op: 'memberRoles', account, roles });
          const names = roles.map((each) =>
            roleText(state.roles.get(each) ?? { role: each, name: '' }),
          );
          terminal.say(`${name}: ${names.join(', ') || 'no role'}.`, {
            ...{
              type: 'member-roles',
              server: state.space,
              title: state.title,
              name,
              roles: names,
            },
          });
        });
      },
    );
}

const words = (value: unknown): string[] => (typeof value === 'string' ? [value] : []);

function positionOf({ terminal }: Pick<AtServer, 'terminal'>, options: Record<string, unknown>) {
  if (options['position'] === undefined) return undefined;
  const position = Number(options['position']);
  if (!Number.isInteger(position) || position < 0 || position > 65_535)
    throw usage(terminal, '--position is a whole number from 0 to 65535.');
  return position;
}

export const roleGroup: CommandGroup = {
  name: 'role',
  about: 'roles: what members may do',
  commands: [listCommand, addCommand, setCommand, removeCommand, giveCommands],
};
