/** `islander directory`: what this device has seen of the island's directory of keys, and whether it was caught. */
import { writeFile } from 'node:fs/promises';
import { witnessClass } from '@island/protocol/transparency/member-witness.ts';
import { parsePolicy } from '@island/protocol/transparency/policy.ts';
import { transparencyFaults } from '@island/protocol/transparency/transparency-fault.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { Problem } from '../../problem.ts';
import { type AnotherLog, anotherLog, follows } from '../../transparency/another-log.ts';
import { type Difference, differences, markTold } from '../../transparency/comparing.ts';
import { readHead } from '../../transparency/head.ts';
import { type Latch, readLatch, unlatch } from '../../transparency/latch.ts';
import { logCode } from '../../transparency/log-code.ts';
import { readPins } from '../../transparency/pins.ts';
import { goOnWith } from '../../transparency/successor.ts';
import { changeOf, quorumOf } from '../../transparency/witness-change.ts';
import type { AddCommand, Context } from '../command.ts';
import { minute } from '../dates.ts';
import { type Home, openHome } from '../home.ts';
import { placeOf, tellProof } from '../proof-file.ts';
import { openQuestions } from '../questions.ts';
import { usage } from '../usage.ts';

export function directoryCommand(add: AddCommand): void {
  add(
    'directory [action] [argument]',
    'what was seen of the island\'s directory of keys; "proof" NAME prints what it proves, "evidence" FILE writes what convicts it, "go-on" uses it again',
    [
      'islander directory',
      'islander directory proof > me.tlog-proof',
      'islander directory evidence island.kt-evidence',
      'islander directory go-on',
    ],
    (command) => command,
    async (context, [action = 'show', argument = '']) => {
      const { terminal, signal } = context;
      await using home = await openHome(context);
      const { storage } = home;
      if (action === 'proof') return await tellProof(terminal, home, argument, signal);
      const latch = await readLatch(storage);
      if (action === 'evidence') {
        const file = argument;
        if (file === '') throw usage(terminal, 'It is: directory evidence FILE.');
        if (!latch?.evidence) throw usage(terminal, 'There is nothing that would convince others.');
        await write(file, latch.evidence);
        terminal.say(
          `What convicts the island is in ${file}. Whoever has it can check it: npx island evidence verify ${file} --vkey ${(await readPins(storage))?.vkey}`,
          { type: 'evidence', file },
        );
        return;
      }
      if (action === 'go-on') {
        await goOn(context, home);
        return;
      }
      if (action !== 'show')
        throw usage(
          terminal,
          'It is: directory, directory proof [NAME], directory evidence FILE, or directory go-on.',
        );
      const pins = await readPins(storage);
      const head = await readHead(storage);
      if (!pins || !head) {
        terminal.say('Nothing was seen of the directory yet.', { type: 'directory' });
        return;
      }
      const { witnesses, quorum } = parsePolicy(pins.policy);
      const names = quorum === undefined ? [] : witnesses.map(({ name }) => name);
      const members = witnesses.filter((one) => witnessClass(one) === 'member');
      const code = logCode(head);
      const place = await placeOf(storage, home.islander.account.list.account);
      const differing = await Promise.all(
        (await differences(storage)).map(async (each) => {
          const person = await home.islander.people.known(each.account);
          return { ...each, name: person?.name ?? each.account };
        }),
      );
      const lines = [
        `Log       ${pins.vkey.slice(0, pins.vkey.indexOf('+'))}`,
        names.length > 0
          ? `Witnesses ${names.join(', ')}; the newest state counts when these have signed: ${quorumOf(parsePolicy(pins.policy))}`
          : 'Witnesses none: nobody but the island vouches for its directory yet',
        ...(members.length > 0
          ? [
              `Of these  ${members.map(({ name }) => name).join(', ')}: devices of people of this island, no witnesses of another operator`,
            ]
          : []),
        `Seen      ${head.size} entries, the newest of ${minute(head.epoch)} (UTC)`,
        `Code      ${code.join(' ')}`,
        ...(place === undefined ? [] : [`Place     ${place} (yours; island monitor watches it)`]),
        'Whoever sees the same code at the same number of entries has been shown the same directory.',
        ...(latch
          ? [
              '',
              `⚠ ${latch.code === 'log_succeeded' ? 'Seen' : 'Caught'} on ${minute(latch.found)} (UTC): ${transparencyFaults[latch.code]}`,
              `No new key is taken over.${latch.evidence ? ' To show it to others: islander directory evidence FILE.' : ''}`,
              latch.code === 'log_succeeded'
                ? 'What it says of itself, and how to go on with it: islander directory go-on.'
                : 'To use the directory again all the same: islander directory go-on.',
            ]
          : []),
        ...differing.flatMap(differenceLines),
      ];
      terminal.say(lines.join('\n'), {
        type: 'directory',
        members: members.map(({ name }) => name),
        ...{ log: pins.vkey, witnesses: names, size: head.size, root: base64url(head.root) },
        ...{ epoch: head.epoch, code: code.join(''), ...(place !== undefined && { place }) },
        ...(latch && { caught: latch.code, found: latch.found, evidence: Boolean(latch.evidence) }),
        ...(differing.length > 0 && { differs: differing.map(differenceObject) }),
      });
      for (const { account } of differing) await markTold(storage, account);
    },
  );
}

/** Where the island shows another log, a person has to say that they know what that means. */
async function goOn({ terminal, signal }: Context, { storage, islander }: Home): Promise<void> {
  const another = await anotherLog(storage, islander.transport, signal);
  if (!another) {
    await unlatch(storage);
    terminal.say('The directory is used again.', { type: 'directory-used' });
    return;
  }
  const { log, pins } = another;
  const latch = await readLatch(storage);
  const caught = latch && !anew.has(latch.code) ? latch : undefined;
  const removed = changeOf(parsePolicy(pins.policy), parsePolicy(log.policy))?.removed ?? [];
  terminal.say([...anewLines(another), ...warnings(caught, removed)].join('\n'), {
    type: 'directory-anew',
    ...(caught && { caught: caught.code, evidence: Boolean(caught.evidence) }),
    ...(removed.length > 0 && { removed }),
    ...{ before: pins.vkey, log: log.vkey, follows: follows(another) },
    ...(another.head && { size: another.head.size }),
    ...(log.follows && { left: log.follows.size, signed: log.follows.seen }),
  });
  using questions = openQuestions(terminal);
  if ((await questions.line('To go on with it, type yes: ')).trim() !== 'yes')
    throw new Problem('not_agreed');
  await goOnWith(storage, islander.transport, another, signal);
  terminal.say(
    'You go on with the new directory. Compare safety numbers again with whom it matters.',
    {
      type: 'directory-used',
      log: log.vkey,
    },
  );
}

/** What another log by itself is seen as; everything else the directory was caught in. */
const anew = new Set<Latch['code']>(['log_succeeded', 'unknown_origin']);

/** What an island might hope to be rid of by another log. */
const warnings = (caught: Latch | undefined, removed: readonly string[]): string[] => [
  ...(removed.length > 0
    ? ['', `⚠ These watched the one before and do not watch this one: ${removed.join(', ')}`]
    : []),
  ...(caught
    ? [
        '',
        `⚠ This device caught the directory before that, on ${minute(caught.found)} (UTC): ${transparencyFaults[caught.code]}`,
        caught.evidence
          ? 'What convicts it is gone from here once you go on. To keep it: islander directory evidence FILE.'
          : 'That is forgotten once you go on.',
      ]
    : []),
];

function anewLines(another: AnotherLog): string[] {
  const { log, pins, head } = another;
  const before = follows(another) ? log.follows : undefined;
  const { quorum, witnesses } = parsePolicy(log.policy);
  const names = quorum === undefined ? [] : witnesses.map(({ name }) => name);
  return [
    '⚠ The island has begun its directory of keys anew.',
    '',
    `Before    ${pins.vkey}`,
    ...(head
      ? [
          `          ${head.size} entries seen here, the newest of ${minute(head.epoch)} (UTC), code ${logCode(head).join(' ')}`,
        ]
      : []),
    `Now       ${log.vkey}`,
    `Witnesses ${names.length > 0 ? names.join(', ') : 'none'}`,
    ...(before
      ? [
          `It says   that it had ${before.size} entries left of the one before, of which ${before.seen} had been signed: it was put back from an older copy.`,
          `          Code of what was left: ${logCode(before).join(' ')}`,
        ]
      : ['It says   nothing of the directory that this device knows.']),
    '',
    'An honest island does this when it was restored from a backup, and its operator can tell you so. One that was caught lying would do the same to be rid of what it signed.',
    'Ask the operator by another way. The keys of people that this device knows stay as they are, and nobody is taken over in an older state than is known here; whose devices changed since the copy may have to begin anew.',
    'New people and new devices you will know by the word of the new directory alone: compare safety numbers.',
  ];
}

type Named = Difference & { name: string };

/** Whoever compares by voice needs both codes, for one number of entries. */
const differenceLines = ({ name, size, theirs, ours, found }: Named): string[] => [
  '',
  `⚠ ${name} has been shown another directory than this device, or says so (${minute(found)} UTC).`,
  `At ${size} entries ${name} says ${logCode({ size, root: theirs }).join(' ')}`,
  `and this device has seen ${logCode({ size, root: ours }).join(' ')}`,
  'Compare them by another way than this island.',
];

const differenceObject = ({ name, size, theirs, ours, found }: Named) => ({
  ...{ name, size, found },
  theirs: logCode({ size, root: theirs }).join(''),
  ours: logCode({ size, root: ours }).join(''),
});

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    if (reason === 'EEXIST') throw new Problem('file_exists', { file }, { cause });
    throw new Problem('file_unwritable', { file, reason }, { cause });
  }
}
