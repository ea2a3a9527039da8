/** What stands for an address. */
import t from 'tap';
import { network, openOrigin } from './origin.ts';

t.test('an origin is an IPv4 address or 64 bits of IPv6, under a key of its own', async (t) => {
  t.equal(network('192.0.2.7'), '192.0.2.7');
  t.equal(network('::ffff:192.0.2.7'), '192.0.2.7');
  t.equal(network('2001:DB8:0:1:aaaa::1'), '2001:db8:0:1');
  t.equal(network('2001:db8:0:1::'), '2001:db8:0:1');
  t.equal(network('2001:db8::1'), '2001:db8:0:0');
  t.equal(network('::1'), '0:0:0:0');
  t.equal(network('fe80::1%eth0'), 'fe80:0:0:0');
  const [one, other] = [openOrigin(), openOrigin()];
  t.strictSame(one('192.0.2.7'), one('192.0.2.7'));
  t.strictSame(one('2001:db8::1'), one('2001:db8::2'));
  t.notSame(one('192.0.2.7'), one('192.0.2.8'));
  t.notSame(one('192.0.2.7'), other('192.0.2.7'));
  t.equal(one('192.0.2.7').length, 16);
});
