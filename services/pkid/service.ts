/**
 * pkid: holds the issuing keys and nothing else, sealed on the disk, and signs one certificate a request. It listens on
 * unix sockets, not mTLS, so that certificates that ran out while the power was off can't lock it out.
 */
import { lifetimes } from '@island/pki/policy.ts';
import { Refusal } from '@island/pki/refusal.ts';
import { checkPrivate, orMissing } from '@island/pki/store.ts';
import * as v from 'valibot';
import type { CertificateName } from '../kit/certificate-request.ts';
import { type Clock, systemClock } from '../kit/clock.ts';
import { ConfigError } from '../kit/config.ts';
import { type Log, openLog } from '../kit/log.ts';
import { engines, services } from '../kit/names.ts';
import type { ServiceKeys } from '../kit/service-keys.ts';
import { openAuthorities } from './authorities.ts';
import { adoptFormerKeys, keepSealed } from './ca-keys.ts';
import { openIssuance } from './issuance.ts';
import { decodeRequest } from './request.ts';
import { faultOf, listenAll } from './sockets.ts';

const folder = v.pipe(v.string(), v.startsWith('/'));
const seconds = v.exactOptional(v.pipe(v.number(), v.minValue(1)));

/** The JSON file (0600) that the appliance writes for this process. */
export const pkidConfig = v.strictObject({
  process: v.literal('pkid'),
  /** The folder with the CA. */
  pki: folder,
  /** The folder for the sockets, 0700; made if need be. */
  sockets: folder,
  /** DNS names and IP addresses of the public certificate. */
  hosts: v.pipe(v.array(v.string()), v.minLength(1)),
  /** Lives in seconds, for tests: of a leaf, of a revocation list, and until the next list. */
  leafSeconds: seconds,
  crlSeconds: seconds,
  crlEverySeconds: seconds,
});
export type PkidConfig = v.InferOutput<typeof pkidConfig>;

const names: readonly CertificateName[] = [...services, ...engines, 'public', 'probe'];

/**
 * Starts pkid; resolves when every socket listens. Throws a ConfigError or a Refusal, each with a
 * plain sentence: wrong configuration, no CA, a folder open to others, keys that don't open, another pkid at work.
 */
export async function startPkid(
  config: unknown,
  given: { keys: ServiceKeys; log?: Log; clock?: Clock },
): Promise<AsyncDisposable> {
  const parsed = v.safeParse(pkidConfig, config);
  if (!parsed.success) {
    throw new ConfigError(
      `pkid: the value at ${v.getDotPath(parsed.issues[0]) ?? 'the top level'} is not in the form it should be.`,
    );
  }
  const { pki: dir, sockets, hosts, leafSeconds, crlSeconds, crlEverySeconds } = parsed.output;
  const log = given.log ?? openLog({ process: 'pkid' });
  const clock = given.clock ?? systemClock;
  const lives = {
    leaf: milliseconds(leafSeconds) ?? lifetimes.leaf,
    crl: milliseconds(crlSeconds) ?? lifetimes.crl,
    crlEvery: milliseconds(crlEverySeconds) ?? lifetimes.crlEvery,
  };
  await checkPrivate(dir).catch(orMissing(dir));
  await adoptFormerKeys(dir, given.keys);
  const authorities = await openAuthorities(dir, given.keys, lives);
  const issuance = openIssuance({ dir, authorities, hosts, lives, now: () => clock.now() });
  const listening = await listenAll(sockets, names, async (name, line) => {
    try {
      const certified = await issuance.issue(name, decodeRequest(line));
      log.info('certificate_issued', { peer: name, until: certified.notAfter });
      return certified;
    } catch (error) {
      const fault = faultOf(error);
      const reason = error instanceof Refusal ? error.code : undefined;
      if (fault.code === 'internal') log.error('issuance_failed', error, { peer: name, reason });
      else log.warn('request_refused', { peer: name, code: fault.code });
      return { fault: fault.code };
    }
  });
  await using held = new AsyncDisposableStack();
  held.use(listening);
  held.use(await keepSealed(dir, given.keys, log));
  log.info('pkid_ready', { count: names.length });
  const running = held.move();
  return { [Symbol.asyncDispose]: () => running.disposeAsync() };
}

const milliseconds = (value: number | undefined): number | undefined =>
  value === undefined ? undefined : value * 1000;
