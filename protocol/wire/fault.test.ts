import t from 'tap';
import { Fault, faults, isFaultCode } from './fault.ts';

t.test('every fault has an HTTP status, a close code and a sentence that ends', async (t) => {
  for (const [code, { status, close, text }] of Object.entries(faults)) {
    t.match(code, /^[a-z]+(_[a-z]+)*$/, code);
    t.ok(status >= 400 && status < 600, `${code}: ${status}`);
    t.ok((close >= 1000 && close <= 1013) || (close >= 4000 && close < 5000), `${code}: ${close}`);
    t.match(text, /^[A-Z].*\.$/, text);
    t.notMatch(text, /undefined|Error|null/);
  }
});

t.test('a fault carries its code and its sentence, and no more than it is given', async (t) => {
  const fault = new Fault('stale_devices', { missing: [2], epoch: 3 });
  t.equal(fault.message, faults.stale_devices.text);
  t.same(fault.details, { missing: [2], epoch: 3 });
  t.equal(new Fault('internal').details, undefined);
});

t.test('only own codes are fault codes', async (t) => {
  t.ok(isFaultCode('malformed'));
  for (const other of [
    'toString',
    '__proto__',
    'constructor',
    '',
    7,
    undefined,
    null,
    ['malformed'],
  ]) {
    t.notOk(isFaultCode(other), String(other));
  }
});
