import * as fc from 'fast-check';
import t from 'tap';
import * as v from 'valibot';
import { Fault, isFaultCode } from './fault.ts';
import { limits } from './limits.ts';
import { routes } from './routes.ts';
import * as s from './schema.ts';
import { base64url } from './text.ts';

const text64 = (length: number) => base64url(new Uint8Array(length).fill(7));

const registration = {
  invite: 'abc',
  name: 'ann',
  account: '0a'.repeat(16),
  device: 1,
  credentials: {
    salt: text64(16),
    kdf: { memory: 65_536, passes: 3, lanes: 1 },
    auth: text64(32),
    key: text64(32),
  },
  list: text64(464),
  proof: text64(32),
  challenge: text64(32),
  signedPrekey: text64(110),
  lastResort: text64(1262),
  batch: text64(121_679),
  record: text64(2_000),
  shares: [{ loc: text64(16), share: text64(32) }],
  nonce: text64(40),
  deviceProof: text64(64),
};

t.test(
  'T6: tokens and secrets in answers have no characters that a line or a terminal obeys',
  async (t) => {
    const good = { access: 'aB0.-_~+/==', refresh: 'aB0-_' };
    t.same(s.decode(routes.refresh.answer, good), good);
    const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
    t.same(s.decode(routes.totpBegin.answer, { secret }), { secret });
    for (const odd of ['', 'a\nb', '\x1b]52;c;cm0gLXJm\x07', '\x9b2J', 'é', 'a b', 'abc\n', '=a']) {
      const refused = (name: keyof typeof routes, answer: object) =>
        t.throws(() => s.decode(routes[name].answer, answer), { code: 'malformed' }, odd);
      refused('refresh', { ...good, access: odd });
      refused('refresh', { ...good, refresh: odd });
      refused('beginJoining', { account: '0a'.repeat(16), joining: odd });
      refused('totpBegin', { secret: odd });
      refused('totpBegin', { secret: `${secret}${odd} ` });
    }
  },
);

t.test('bytes arrive as bytes, in exactly the length that was said', async (t) => {
  const decoded = s.decode(routes.register.request, registration);
  t.same(decoded.nonce, new Uint8Array(40).fill(7));
  t.equal(decoded.batch.length, 121_679);
  for (const length of [0, 39, 41]) {
    const input = { ...registration, nonce: text64(length) };
    t.throws(() => s.decode(routes.register.request, input), { code: 'malformed' }, `${length}`);
  }
});

t.test('a registration with everything at its largest fits into one JSON body', async (t) => {
  const shares = Array.from({ length: limits.backupCodes }, () => registration.shares[0]);
  const signed = { list: text64(4096), record: text64(limits.recordBytes), shares };
  const largest = { ...registration, ...signed, name: 'x'.repeat(32) };
  t.ok(JSON.stringify(largest).length <= limits.jsonBytes);
});

t.test('pitfall: JSON/varint malleability: bytes, names and ids have one spelling', async (t) => {
  const code = (schema: v.GenericSchema, input: unknown): string => {
    try {
      s.decode(schema, input);
      return 'none';
    } catch (error) {
      return error instanceof Fault ? error.code : String(error);
    }
  };
  const good = base64url(new Uint8Array(32).fill(0xff));
  t.equal(code(s.text64(32), good), 'none');
  const spare = `${good.slice(0, -1)}9`;
  for (const other of [`${good}=`, ` ${good}`, `${good}\n`, good.replaceAll('_', '/'), spare]) {
    t.equal(code(s.text64(32), other), 'malformed', JSON.stringify(other));
  }
  t.equal(code(s.account, 'A'.repeat(32)), 'malformed', 'hex is lower case');
  t.equal(code(s.person, 'Alice'), 'name_invalid');
  for (const other of ['1', 1.5, -1, 0, 2 ** 32, true, null, [1]]) {
    t.equal(code(s.device, other), 'malformed', JSON.stringify(other));
  }
});

t.test('a fault of a transform keeps its code', async (t) => {
  const input = { ...registration, name: 'Not A Name' };
  t.throws(() => s.decode(routes.register.request, input), { name: 'Fault', code: 'name_invalid' });
});

t.test('unknown fields, missing fields and wrong types are malformed', async (t) => {
  const { nonce, ...without } = registration;
  t.ok(nonce);
  const none: unknown[] = [];
  const wrong = [
    -7,
    null,
    undefined,
    true,
    none,
    {},
    '=',
    'x'.repeat(300_000),
    { length: 16 },
    1e300,
  ];
  const bad: unknown[] = [without, { ...registration, extra: 1 }, null, [], 'text', 7, undefined];
  /** An invite is any text or none, and an account may have no codes. */
  const right = (field: string, value: unknown): boolean =>
    field === 'invite'
      ? value === '=' || value === undefined
      : field === 'shares' && value === none;
  for (const field of Object.keys(registration)) {
    for (const value of wrong) {
      if (!right(field, value)) bad.push({ ...registration, [field]: value });
    }
  }
  for (const input of bad) {
    try {
      s.decode(routes.register.request, input);
      t.fail(`accepted ${JSON.stringify(input)?.slice(0, 80)}`);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      t.ok(['malformed', 'name_invalid'].includes(error.code));
    }
  }
});

t.test('__proto__ in JSON changes nothing and passes nowhere', async (t) => {
  const input: unknown = JSON.parse(
    JSON.stringify(registration).replace('{', '{"__proto__":{"polluted":true},'),
  );
  t.throws(() => s.decode(routes.register.request, input), { name: 'Fault', code: 'malformed' });
  t.notOk('polluted' in {});
  const inherited: unknown = Object.create(registration);
  t.throws(() => s.decode(routes.prelogin.request, inherited), { name: 'Fault' });
  const limitsInput = JSON.parse('{"__proto__":1,"constructor":2,"a":3}');
  const record = s.decode(v.record(v.string(), v.number()), limitsInput);
  t.equal(Object.getPrototypeOf(record), Object.prototype);
});

t.test('deep nesting is refused without recursion', async (t) => {
  const deep: unknown = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000));
  for (const input of [deep, { name: deep }, { ...registration, credentials: deep }]) {
    t.throws(() => s.decode(routes.register.request, input), { name: 'Fault', code: 'malformed' });
    t.throws(() => s.decode(routes.prelogin.request, input), { name: 'Fault', code: 'malformed' });
  }
});

t.test('a huge string is refused by its length and not decoded', async (t) => {
  const huge = 'A'.repeat(50_000_000);
  const started = performance.now();
  for (const field of ['nonce', 'batch', 'list', 'record', 'invite']) {
    const input = { ...registration, [field]: huge };
    t.throws(() => s.decode(routes.register.request, input), { code: 'malformed' });
  }
  t.ok(performance.now() - started < 500);
});

t.test('fuzz: no JSON value makes a schema throw anything but a fault', async () => {
  const value = fc.jsonValue({ maxDepth: 4 });
  const near = fc
    .tuple(fc.constantFrom(...Object.keys(registration)), value)
    .map(([field, other]) => ({ ...registration, batch: text64(100), [field]: other }));
  await fc.assert(
    fc.property(fc.oneof(value, near), (input) => {
      for (const route of Object.values(routes)) {
        for (const schema of [route.request, route.answer]) {
          try {
            s.decode(schema as v.GenericSchema, input);
          } catch (error) {
            if (!(error instanceof Fault) || !isFaultCode(error.code)) throw error;
          }
        }
      }
    }),
    { numRuns: 300 },
  );
});
