/** Members' devices as witnesses of their island, with real services. docs/protocol/transparency.md §7.6 */

import { memberCosigner } from '@island/protocol/transparency/member-witness.ts';
import { formatVkey, parseNote, signatureLine } from '@island/protocol/transparency/note.ts';
import { parsePolicy, satisfied } from '@island/protocol/transparency/policy.ts';
import t from 'tap';
import { directory } from '../../services/directory/contract.ts';
import { eventually, faultCode } from '../../services/kit/testing/outcome.ts';
import { type Islander, openIslander } from '../islander.ts';
import { register } from '../joining/registration.ts';
import { credentials, type DeviceHome, home, registered } from '../testing/member-home.ts';
import { type RealIsland, realIsland } from '../testing/real-island.ts';
import { turnOff, turnOn } from './witness-key.ts';

t.setTimeout(120_000);

interface Witness extends DeviceHome {
  vkey: string;
  islander: Islander;
  stop(): Promise<void>;
  start(): Promise<void>;
}

async function witness(island: RealIsland, name: string): Promise<Witness> {
  const person = await registered(island, name);
  const { vkey: log } = await island.control.call(directory, 'log', {});
  const { vkey } = await turnOn(person.storage, log);
  const open = () =>
    openIslander({
      ...person,
      now: island.clock.now,
      on: () => undefined,
    });
  const made: Witness = {
    ...{ ...person, vkey, islander: await open() },
    async start() {
      made.islander = await open();
      made.islander.startReceiving();
    },
    stop: async () => made.islander[Symbol.asyncDispose](),
  };
  made.islander.startReceiving();
  return made;
}

const policyOf = (log: string, k: number, vkeys: readonly string[]): string =>
  [
    `log ${log}`,
    ...vkeys.map((vkey, n) => `witness m${n} ${vkey}`),
    `group members ${k} ${vkeys.map((_, n) => `m${n}`).join(' ')}`,
    'quorum members',
    '',
  ].join('\n');

t.test(
  "K1: two of three members' devices witness the log, and one more or less does not matter",
  async (t) => {
    await using island = await realIsland();
    const { control } = island;
    const three = [];
    for (const name of ['alice', 'bob', 'carol']) three.push(await witness(island, name));
    const [alice, bob, carol] = three as [Witness, Witness, Witness];
    const { vkey: log } = await control.call(directory, 'log', {});
    const text = policyOf(
      log,
      2,
      three.map(({ vkey }) => vkey),
    );
    // A session is opened, and its key said, soon after a program starts.
    await eventually(
      async () =>
        (await faultCode(control.call(directory, 'setPolicy', { after: 1, text, roots: [] }))) ===
        'resolved',
      30_000,
    );
    const standing = () => control.call(directory, 'witnesses', {});
    const join = async (name: string) =>
      register(home(island).joining, await island.link(), name, credentials);
    const published = async () => {
      const note = new TextDecoder().decode(
        (await carol.transport.apart({ method: 'GET', path: '/log/checkpoint' })).body,
      );
      return { note, ...satisfied(parsePolicy(text), note) };
    };
    await eventually(async () => (await control.call(directory, 'log', {})).policyNumber === 2);
    await eventually(async () => (await published()).ok);
    await join('dora');
    await eventually(async () => (await standing()).waiting === undefined);
    t.equal((await published()).cosigners.length >= 2, true);

    await alice.stop();
    const before = (await standing()).size;
    await join('erin');
    await eventually(async () => (await standing()).size > before);
    t.equal((await published()).cosigners.length, 2, 'one is off: two have signed');

    await bob.stop();
    const stuck = (await standing()).size;
    await join('frank');
    await eventually(async () => (await standing()).waiting !== undefined);
    t.equal((await standing()).size, stuck, 'two are off: nothing new is published');
    await t.rejects(carol.lookups.person('frank'), 'nobody is told of what is not witnessed');

    await bob.start();
    await eventually(async () => (await standing()).size > stuck, 30_000);
    t.equal((await published()).ok, true);
    await alice.start();

    // The directory forgets what it heard: it asks them before it signs anything.
    await island.restart('directory');
    await join('grace');
    await eventually(
      async () =>
        (await standing()).problem === undefined && (await standing()).waiting === undefined,
      30_000,
    );
    t.equal((await published()).ok, true);

    const { session } = bob;
    const call = (name: 'witnessSignature', asked: object) =>
      faultCode(session.call(name, asked as never));
    const own = memberCosigner(
      parseNote((await published()).note).text.split('\n')[0] ?? '',
      new Uint8Array(32).fill(9),
    );
    const { note } = await published();
    const size = Number(note.split('\n')[1]);
    const line = signatureLine(own.cosign(parseNote(note).text, 1_800_000_000));
    const stranger = formatVkey(own.vkey);
    const was = await published();
    t.equal(await call('witnessSignature', { vkey: stranger, size, signature: line }), 'not_found');
    t.equal(await call('witnessSignature', { vkey: bob.vkey, size, signature: line }), 'malformed');
    const posing = `— ${bob.vkey.slice(0, bob.vkey.indexOf('+'))} ${Buffer.concat([Buffer.from(bob.vkey.split('+')[1] ?? '', 'hex'), Buffer.from([0, 0, 0, 0, 99, 0, 0, 0]), Buffer.alloc(64)]).toString('base64')}\n`;
    t.equal(
      await call('witnessSignature', { vkey: bob.vkey, size, signature: posing }),
      'bad_signature',
    );
    t.equal(
      await call('witnessSignature', { vkey: bob.vkey, size: size + 1, signature: posing }),
      'not_found',
    );
    t.equal((await published()).note, was.note, 'nothing was changed');
    await turnOff(bob.storage);
    for (const each of three) await each.stop();
  },
);
