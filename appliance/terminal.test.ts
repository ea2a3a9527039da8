import t from 'tap';
import { parseDuration } from './duration.ts';
import { formatStatus, formatWelcome } from './messages-for-people.ts';
import { columns, openProgress, styleFor } from './terminal.ts';
import { formatWitnesses, type WitnessStanding } from './witness-messages.ts';

const pipe = () => {
  const written: string[] = [];
  return { written, stream: { write: (text: string) => written.push(text) > 0 } };
};

t.test('without a terminal: plain lines, no colours, nothing that changes twice', async (t) => {
  const { written, stream } = pipe();
  const progress = openProgress(stream);
  progress.step('Looking');
  progress.detail('Fetching caddy (1.0 of 12.2 MB)');
  progress.detail('Fetching caddy (2.0 of 12.2 MB)');
  progress.detail('Fetching redis');
  progress.step('Starting');
  progress.done();
  t.same(written, [
    'Looking\n',
    '  Fetching caddy (1.0 of 12.2 MB)\n',
    '  Fetching redis\n',
    'Starting\n',
  ]);
  t.equal(styleFor(stream).bold('x'), 'x');
});

t.test('on a terminal: one living line that ends with a mark', async (t) => {
  const { written, stream } = pipe();
  const progress = openProgress({ ...stream, isTTY: true, columns: 60 });
  progress.step('Looking');
  progress.cut();
  const text = written.join('');
  t.match(text, /✗/);
  t.ok(text.endsWith('\n'));
  progress.done();
  t.equal(written.join(''), text, 'what has ended does not end again');
});

t.test('times as people write them', async (t) => {
  t.equal(parseDuration('7d'), 604_800);
  t.equal(parseDuration('12h'), 43_200);
  t.equal(parseDuration('60s'), 60);
  for (const bad of ['', '7', 'd', '59s', '366d', '1w', '-1d', '1.5h', '7d ', '99999999999d']) {
    t.equal(parseDuration(bad), undefined, bad);
  }
});

t.test('the welcome tells what is unused, and what to do next', async (t) => {
  const plain = styleFor(pipe().stream);
  const welcome = {
    address: 'https://localhost:8443',
    caFingerprint: 'abc',
    caFile: '/data/pki/root.crt',
    setupToken: 'token',
    invite: 'island://localhost:8443/join?ca=abc&invite=code',
    data: '/data',
  };
  const first = formatWelcome(welcome, '', plain);
  t.match(first, /Setup token +token/);
  t.match(
    first,
    /npx islander register 'island:\/\/localhost:8443\/join\?ca=abc&invite=code' alice/,
  );
  const later = formatWelcome(
    { ...welcome, setupToken: null, invite: null },
    ' --data /data',
    plain,
  );
  t.notMatch(later, /Setup token/);
  t.match(later, /npx island invite --data \/data/);
});

t.test('the status says when a certificate has run out and a unit is down', async (t) => {
  const text = formatStatus(
    {
      name: 'Isle',
      address: 'https://localhost:8443',
      caFingerprint: 'abc',
      data: '/data',
      ready: false,
      pid: 1,
      uptime: 7300,
      listeners: [],
      units: [
        {
          name: 'nats',
          kind: 'engine',
          version: '2.15.1',
          services: [],
          state: 'restarting',
          pid: null,
          uptime: 0,
          restarts: 3,
          listeners: [],
        },
        {
          name: 'front',
          kind: 'process',
          services: ['gateway'],
          state: 'ready',
          pid: 7,
          uptime: 5,
          restarts: 0,
          listeners: [{ protocol: 'tcp', address: '127.0.0.1:1' }],
        },
      ],
      certificates: [{ name: 'gateway', kind: 'leaf', notAfter: '2020-01-01T00:00:00.000Z' }],
    },
    styleFor(pipe().stream),
  );
  t.match(text, /Log of keys\n +state +does not answer/);
  t.match(text, /not ready \(supervisor 1, 2 h\)/);
  t.match(text, /nats +restarting +engine 2\.15\.1 +, restarted 3 times|nats +restarting/);
  t.match(text, /gateway +until 2020-01-01 00:00 UTC \(expired\)/);
  t.match(text, /front +tcp 127\.0\.0\.1:1/);
});

t.test('K1 the status says how the log of keys goes on, and why it does not', async (t) => {
  const report = {
    ...{ name: 'Isle', address: 'https://localhost:8443', caFingerprint: 'abc', data: '/data' },
    ...{ ready: true, pid: 1, uptime: 1, listeners: [], units: [], certificates: [] },
  };
  const log = {
    ...{ size: 24, epoch: new Date(Date.now() - 300_000).toISOString() },
    ...{ witnessed: false, quorum: 0, witnesses: 0 },
  };
  const style = styleFor(pipe().stream);
  const alone = formatStatus(report, style, log, ' --data /data');
  t.match(alone, /published +24 entries, the newest epoch 5 min old/);
  t.match(alone, /witnesses +nobody: .*\(npx island witness --data \/data\)/);
  const witnessed = { ...log, witnessed: true, quorum: 2, witnesses: 3 };
  const stuck = { ...witnessed, waiting: 27, problem: 'rolled_back' as const };
  const text = formatStatus(report, style, stuck);
  t.match(text, /witnesses +2 of 3 have to sign/);
  t.match(text, /waiting +27 entries, for the witnesses/);
  t.match(text, /problem +IT SIGNS NOTHING: a witness has signed more/);
  const one = { class: 'other' as const, vkey: '', size: 24, signed: 1_800_000_000 };
  const standing: WitnessStanding = {
    ...{ size: 24, epoch: 0, trusted: [], problem: 'unanswered' },
    policy: { number: 2, text: '', quorum: 2, needs: [{ class: 'witnesses', quorum: 2, of: 4 }] },
    witnesses: [
      { ...one, name: 'here' },
      { ...one, name: 'early', size: 29 },
      { ...one, name: 'far', class: 'hand', silent: true },
      { ...one, name: 'there', problem: 'unreachable' },
      { ...one, name: 'liar', problem: 'ahead' },
    ],
  };
  const shown = formatWitnesses(standing, '');
  t.match(
    shown,
    /too few witnesses answer\.\nHave not said how far they are.*: far, there, liar\.\n/,
  );
  t.match(shown, /early +signed 29, of which 24 are published, 20/);
  t.match(shown, /liar +signed 24 of 24, .*; CLAIMS A LARGER LOG than this island has: one word/);
  const custom = formatStatus(report, style, { ...witnessed, quorum: null });
  t.match(custom, /witnesses +3, as the policy says/);
});

t.test('columns line up', async (t) => {
  t.equal(
    columns([
      ['a', '1'],
      ['long', '2'],
    ]),
    '  a     1\n  long  2',
  );
});
