/** `islander devices`: which devices your account has; names that only this home knows; removing one. */
import { nameDevice, ownDevices, revokeDevice, syncOwn } from '../../account/own-devices.ts';
import { willPass } from '../../problem.ts';
import type { AddCommand, Context } from '../command.ts';
import { day } from '../dates.ts';
import { type Home, openHome } from '../home.ts';
import { rows } from '../rows.ts';
import { usage } from '../usage.ts';

export function devicesCommand(add: AddCommand): void {
  add(
    'devices [action] [number] [name...]',
    'your devices; "name" calls one something, here only; "revoke" removes one',
    ['islander devices', 'islander devices name 2 Laptop', 'islander devices revoke 3'],
    (command) => command,
    async (context, [action = 'list', number, ...words]) => {
      const act = { list, name, revoke }[action];
      if (!act)
        throw usage(context.terminal, 'It is: devices, devices name N NAME, or devices revoke N.');
      await using home = await openHome(context);
      await act(context, home, Number(number), words.join(' '));
    },
  );
}

type Act = (context: Context, home: Home, device: number, text: string) => Promise<void>;

const list: Act = async ({ terminal }, { keeping, storage }) => {
  await syncOwn(keeping);
  const devices = await ownDevices(storage);
  const lines = devices.map(({ device, name, addedDay, current }) => [
    String(device),
    name ?? '',
    `since ${day(addedDay)}`,
    current ? 'this one' : '',
  ]);
  terminal.say(rows(lines), { type: 'devices', devices });
};

const name: Act = async ({ terminal }, { keeping, storage }, device, text) => {
  if (!Number.isInteger(device))
    throw usage(terminal, 'Which device? Say its number: devices name N NAME.');
  await syncOwn(keeping);
  await nameDevice(storage, device, text);
  terminal.say(text === '' ? `Device ${device} has no name.` : `Device ${device} is ${text}.`, {
    type: 'device-named',
    device,
    name: text,
  });
};

const revoke: Act = async ({ terminal }, { keeping, islander }, device) => {
  if (!Number.isInteger(device))
    throw usage(terminal, 'Which device? Say its number: devices revoke N.');
  terminal.status('revoking', `Removing device ${device}, and replacing the keys that it knows…`);
  await revokeDevice(keeping, device, {
    async sync(signal) {
      try {
        return await islander.archive.sync(signal);
      } catch (error) {
        // It is out; that the archive is closed to it follows with the next look into it.
        if (!willPass(error)) throw error;
        return 0;
      }
    },
  });
  terminal.say(
    `Device ${device} is removed: it gets nothing any more. What it has stored already stays on it.`,
    { type: 'device-revoked', device },
  );
};
