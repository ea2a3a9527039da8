/** `islander witness`: this device signs how far it has seen its island's directory of keys. docs/protocol/transparency.md §7.6 */

import { formatVkey } from '@island/protocol/transparency/note.ts';
import { parsePolicy } from '@island/protocol/transparency/policy.ts';
import type { Storage } from '../../storage/storage.ts';
import { pinsOf, readPins } from '../../transparency/pins.ts';
import { readWitness, turnOff, turnOn } from '../../transparency/witness-key.ts';
import type { AddCommand } from '../command.ts';
import { minute } from '../dates.ts';
import { openHome } from '../home.ts';
import { rows } from '../rows.ts';
import { usage } from '../usage.ts';

export function witnessCommand(add: AddCommand): void {
  add(
    'witness [action]',
    'this device as a witness of the directory: "on" makes it one while listen or a chat runs, "off" ends that, "status"',
    ['islander witness on', 'islander witness', 'islander witness off'],
    (command) => command,
    async (context, [action = 'status']) => {
      const { terminal, signal } = context;
      if (!['on', 'off', 'status'].includes(action))
        throw usage(terminal, 'It is: witness on, witness off, or witness status.');
      await using home = await openHome(context);
      const { storage, islander } = home;
      if (action === 'on')
        await turnOn(storage, (await pinsOf(storage, islander.transport, signal)).vkey);
      if (action === 'off') await turnOff(storage);
      const { text, object } = await shown(storage, action === 'on');
      terminal.say(text, { type: 'witness', ...object });
    },
  );
}

/** What this device signs with, how far it has, and whether the policy that it knows asks for it. */
async function shown(storage: Storage, fresh: boolean) {
  const pins = await readPins(storage);
  const log = pins?.vkey.slice(0, pins.vkey.indexOf('+'));
  const witness = await readWitness(storage, log);
  if (!witness)
    return {
      text: 'This device is no witness. To make it one: islander witness on',
      object: { on: false },
    };
  const { on, vkey, cosigner, signed } = witness;
  const asked =
    pins !== undefined &&
    parsePolicy(pins.policy).witnesses.some((one) => formatVkey(one.vkey) === vkey);
  const object = { on, vkey, asked, size: signed.size, signed: signed.signed };
  if (!cosigner)
    return {
      text: 'This home was put back from a copy, so its key as a witness signs nothing any more. For a new one, which the operator has to add: islander witness on',
      object: { ...object, retired: true },
    };
  const far =
    signed.size === 0
      ? 'nothing yet'
      : `${signed.size} entries, on ${minute(signed.signed * 1000)} (UTC)`;
  const lines = [
    rows([
      ['Witness', on ? 'on, while islander listen or a chat runs here' : 'off'],
      ['Key', vkey],
      ['Signed', far],
      [
        'Asked',
        asked ? 'yes: the island names this key' : 'not by the policy that this device knows',
      ],
    ]),
    ...(fresh && !asked
      ? [
          '',
          'Whoever runs the island adds it while listen or a chat runs here:',
          `npx island witness add --member '${vkey}'`,
        ]
      : []),
    ...(on
      ? [
          'The key is public, and says when this device was on. It is not your name; the operator should not call it so.',
        ]
      : []),
  ];
  return { text: lines.join('\n'), object };
}
