/** What others write cannot steer the terminal; what a program reads is one object a line. */
import { PassThrough } from 'node:stream';
import { Fault } from '@island/protocol/wire/fault.ts';
import t from 'tap';
import type { Happening } from '../conversation/happenings.ts';
import { Problem, problems } from '../problem.ts';
import {
  arrivalLine,
  arrivalObject,
  departureObject,
  eventStatus,
  happeningLine,
  openTerminal,
  plain,
  type Streams,
  statedFailure,
} from './terminal.ts';

function streams(): Streams & { out: () => string; err: () => string } {
  const made = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  const read = (stream: PassThrough) => () => String(stream.read() ?? '');
  return { ...(made as unknown as Streams), out: read(made.stdout), err: read(made.stderr) };
}

t.test(
  'escape sequences, bidirectional marks and forged lines lose their power, scripts and emoji do not',
  async (t) => {
    t.equal(plain('\u001b[2J\u001b]0;title\u0007'), '\ufffd[2J\ufffd]0;title\ufffd');
    t.equal(plain('a\rb\u009bc\u202ed'), 'a\ufffdb\ufffdc\ufffdd');
    t.equal(plain('one\n12:00 bob: forged'), 'one\n      12:00 bob: forged');
    for (const text of ['👩‍👩‍👧', 'שלום', 'नमस्ते', 'naïve', 'tab\there']) t.equal(plain(text), text);
  },
);

t.test('lines for people, objects for programs', async (t) => {
  const receivedAt = Date.now();
  const message = {
    type: 'message',
    key: '1',
    id: 'ab',
    from: 'alice',
    text: 'hi',
    sentAt: 5,
    receivedAt,
  } as const;
  t.match(arrivalLine(message), /^\d\d:\d\d alice: hi$/);
  t.same(arrivalObject(message), {
    type: 'message',
    from: 'alice',
    text: 'hi',
    sentAt: 5,
    id: 'ab',
  });
  t.match(arrivalLine(message, true), /^\d\d:\d\d alice \(request\): hi$/);
  t.match(arrivalObject(message, true), { from: 'alice', request: true });
  const unreadable = {
    type: 'unreadable',
    key: '2',
    id: 'cd',
    from: 'alice',
    reason: 'Damaged.',
    receivedAt,
  } as const;
  t.match(
    arrivalLine(unreadable),
    /^\d\d:\d\d \(a message from alice cannot be read: Damaged\.\)$/,
  );
  t.match(arrivalObject(unreadable), {
    type: 'unreadable',
    from: 'alice',
    reason: 'Damaged.',
    id: 'cd',
  });
  const { from: claims, ...rest } = unreadable;
  t.match(
    arrivalLine({ ...rest, claims }),
    /^\d\d:\d\d \(something that claims to be from alice cannot be read: Damaged\.\)$/,
    'M2: what no session opened is not said to be anybody’s',
  );
  t.match(
    arrivalLine({ ...rest, claims, state: 'recovering' }),
    /\(a message that claims to be from alice cannot be read yet; asking for it again…\)$/,
  );
  t.match(
    arrivalLine({ ...rest, claims, state: 'lost', count: 3 }),
    /\(from alice: 3 messages could not be recovered\)$/,
  );
  t.match(arrivalObject({ ...rest, claims }), { from: undefined, claims: 'alice' });
  const sent = {
    type: 'sent',
    key: '3',
    id: 'ef',
    to: 'bob',
    text: 'x',
    sentAt: 1,
    state: 'accepted',
  } as const;
  t.same(departureObject(sent), { type: 'sent', to: 'bob', id: 'ef' });
  t.same(departureObject({ ...sent, state: 'failed', reason: 'No.' }), {
    type: 'failed',
    to: 'bob',
    id: 'ef',
    reason: 'No.',
  });
  const answer = { ...message, reply: { whose: 'yours' as const, id: '12' }, timer: 60 };
  t.match(arrivalLine(answer), /^\d\d:\d\d alice: \(an answer\) hi$/);
  t.match(arrivalObject(answer), { reply: { to: 'you', id: '12' }, timer: 60 });
  const old = arrivalLine({ ...message, receivedAt: 0 });
  t.match(old, /^\d{4}-\d\d-\d\d \d\d:\d\d alice: hi$/);
});

t.test('what others do to messages is a line, and none of it steers the terminal', async (t) => {
  const by = { from: 'bob', sentAt: Date.now(), id: 'ab' };
  const line = (happening: Happening) => happeningLine(happening).replace(/^\d\d:\d\d /, '');
  t.equal(line({ ...by, type: 'edited', text: 'a\u001bb' }), '(bob changed a message) a\ufffdb');
  t.equal(line({ ...by, type: 'deleted' }), '(bob took a message back)');
  const reaction = { ...by, type: 'reaction', emoji: '👍', ours: true } as const;
  t.equal(line({ ...reaction, put: true }), '(bob put 👍 on your message)');
  t.equal(line({ ...reaction, put: false }), '(bob took 👍 off your message)');
  const timer = { ...by, type: 'timer' } as const;
  t.match(line({ ...timer, seconds: 3_600 }), /disappear after 1 hour from now on/);
  t.match(line({ ...timer, seconds: 0 }), /messages stay from now on/);
});

t.test('a state is said once, however often it is tried', async (t) => {
  const human = streams();
  const on = eventStatus(openTerminal(human, false));
  const error = new Problem('unreachable', { address: 'https://x' });
  for (let i = 0; i < 3; i++) {
    on({ type: 'offline', error });
    on({ type: 'waiting', to: 'bob', error });
  }
  on({ type: 'online' });
  on({ type: 'offline', error });
  t.equal(human.out(), '');
  t.same(human.err().trim().split('\n'), [
    `Reconnecting… (${error.message})`,
    `Not sent to bob yet, trying again… (${error.message})`,
    'Connected.',
    `Reconnecting… (${error.message})`,
  ]);
  const program = streams();
  eventStatus(openTerminal(program, true))({ type: 'offline', error });
  t.same(JSON.parse(program.out()), {
    type: 'status',
    state: 'reconnecting',
    text: `Reconnecting… (${error.message})`,
  });
});

t.test(
  'every problem is a plain sentence, and only mistakes of the program are not stated',
  async (t) => {
    for (const [code, text] of Object.entries(problems)) t.match(text, /^[A-Z{].*[^ ]$/, code);
    t.same(statedFailure(new Problem('password_missing')), {
      code: 'password_missing',
      text: problems.password_missing,
    });
    t.match(statedFailure(new Fault('invite_used')), { code: 'invite_used' });
    t.equal(statedFailure(new TypeError('x')), undefined);
  },
);
