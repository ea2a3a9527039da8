/** For tests: what a good island answers to each route, from the memory of an odd one. */
import { hashSegment, readSegment } from '@island/protocol/crypto/archive-segment.ts';
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { ed25519, randomBytes } from '@island/protocol/crypto/primitives.ts';
import {
  type CertifiedSender,
  issueCertificate,
  signSenderKey,
} from '@island/protocol/crypto/sender-certificate.ts';
import { deriveIssuer, type TokenIssuer } from '@island/protocol/crypto/token-issuer.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { leastKdf, limits } from '@island/protocol/wire/limits.ts';
import { nonceBytes } from '@island/protocol/wire/route.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import { type TokenClass, tokenClasses } from '@island/protocol/wire/token.ts';
import { boxOf, bundleOf, type Json, keep, type Member, newBox, newMember } from './member.ts';
import type { OddLog } from './odd-log.ts';

export interface Asker {
  name: string;
  device: number;
}

/** Who has which token. */
export interface Tokens {
  /** A session. */
  issue(asker: Asker): Json;
  joining(name: string): string;
  /** Whose refresh token it is. */
  renews(refresh: string): Asker;
}

const zeros = (bytes: number): string => base64url(new Uint8Array(bytes));
/** A point that is canonical and not of small order. */
const x25519Base = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 9 : 0));
const hashing = { salt: zeros(16), kdf: leastKdf };

const today = (): number => Math.floor(Date.now() / 86_400_000);
const tokenSeed = randomBytes(32);
const issuerOf = (kind: TokenClass, day: number): TokenIssuer => deriveIssuer(tokenSeed, kind, day);

const senderRoot = ed25519.generate();
const senderPair = ed25519.generate();
/** For whomever a test says; from `notBefore` (Unix seconds) on, under a root that may be another. */
export function certify(
  sender: CertifiedSender,
  notBefore = Math.floor(Date.now() / 1000),
  root = senderRoot,
): Uint8Array {
  const first = Math.floor(notBefore / 86_400);
  const key = { kid: 1, public: senderPair.public, nbfDay: first - 1, expDay: first + 2 };
  const signer = { bytes: signSenderKey(root, key), pair: senderPair };
  return issueCertificate(signer, sender, notBefore);
}

export interface Memory {
  fingerprint: Uint8Array;
  members: Map<string, Member>;
  tokens: Tokens;
  log: OddLog['pins'];
}

export function answerTo(
  { fingerprint, members, tokens, log }: Memory,
  { method, path, body, who }: { method: string; path: string; body: Json; who: Asker | undefined },
): Json {
  const named = (name: unknown): Member => {
    const found = members.get(String(name));
    if (!found) throw new Fault('unknown_person');
    return found;
  };
  const self = (): Member => named(who?.name);
  const [, person, after] = /^\/v1\/people\/([^/]+)(?:\/lists\/(\d+))?$/.exec(path) ?? [];
  if (person !== undefined) {
    const { account, list, lists } = named(person);
    if (after === undefined) return { account, list };
    const epochs = [...lists.keys()].filter((epoch) => epoch > Number(after));
    const given = epochs.sort((a, b) => a - b).slice(0, limits.listsPerAnswer);
    return { account, lists: given.map((epoch) => lists.get(epoch)) };
  }
  if (method === 'GET' && path === '/v1/record') {
    const { record, used } = self();
    return { record, used };
  }
  if (method === 'GET' && path === '/v1/archive') {
    const { archive } = self();
    const last = archive.at(-1);
    return {
      seq: archive.length,
      hash: last ? base64url(hashSegment(fromBase64url(last))) : zeros(32),
    };
  }
  const behind = /^\/v1\/archive\/(\d+)$/.exec(path)?.[1];
  if (behind !== undefined) return { segments: self().archive.slice(Number(behind)) };
  switch (path) {
    case '/.well-known/island':
      return {
        name: 'Odd',
        versions: [1],
        registration: 'invite',
        caFingerprint: base64url(fingerprint),
        limits,
        kdf: leastKdf,
        retention: {},
        senderRoot: base64url(senderRoot.public),
        log: { ...log, vrf: base64url(log.vrf) },
      };
    case '/v1/nonce':
      return { nonce: base64url(randomBytes(nonceBytes)) };
    case '/v1/token-keys':
      return {
        keys: [today(), today() + 1].flatMap((day) =>
          Object.values(tokenClasses).map((kind) => ({
            class: kind,
            day,
            public: base64url(issuerOf(kind, day).public),
          })),
        ),
      };
    case '/v1/tokens': {
      const blinded = fromBase64url(String(body['blinded']));
      const issuer = issuerOf(body['class'] as TokenClass, Number(body['day']));
      const { evaluated, proof } = issuer.evaluate(blinded);
      return { evaluated: base64url(evaluated), proof: base64url(proof) };
    }
    case '/v1/sender-certificate': {
      const list = openDeviceList(fromBase64url(self().list));
      const cert = list.devices.find(({ device }) => device === who?.device);
      if (!cert) throw new Fault('unauthenticated');
      const sender = { ...cert, name: list.name, listEpoch: list.epoch };
      return { certificate: base64url(certify(sender)) };
    }
    case '/v1/challenge':
      return { challenge: base64url(x25519Base) };
    case '/v1/register': {
      const name = String(body['name']);
      if (!members.has(name)) members.set(name, newMember(body));
      return tokens.issue({ name, device: 1 });
    }
    case '/v1/prelogin': {
      const found = members.get(String(body['name']));
      const { salt = hashing.salt, kdf = hashing.kdf } = found?.password ?? {};
      return { salt, kdf, codes: hashing };
    }
    case '/v1/login': {
      const { name, account } = named(body['name']);
      return { account, ...tokens.issue({ name, device: Number(body['device']) }) };
    }
    case '/v1/joining': {
      const { name, account } = named(body['name']);
      return { account, joining: tokens.joining(name) };
    }
    case '/v1/join': {
      const member = self();
      const device = Number(body['device']);
      member.others.set(device, newBox(body));
      keep(member, body);
      return tokens.issue({ name: member.name, device });
    }
    case '/v1/refresh':
      return tokens.issue(tokens.renews(String(body['refresh'])));
    case '/v1/account': {
      const { name, shares, used } = self();
      const codes = shares.length - used.length;
      return { name, role: 'member', since: 0, totp: false, oidc: false, codes, record: 1 };
    }
    case '/v1/record':
    case '/v1/devices':
      keep(self(), body);
      return {};
    case '/v1/archive': {
      const { archive } = self();
      const segment = String(body['segment']);
      const { seq } = readSegment(fromBase64url(segment));
      if (archive[seq - 1] === segment) return {};
      if (seq !== archive.length + 1) throw new Fault('archive_moved', { seq: archive.length });
      archive.push(segment);
      return {};
    }
    case '/v1/prekeys': {
      const box = boxOf(self(), who?.device ?? 1);
      if (box) Object.assign(box, body);
      return { oneTime: 100 - (box?.handed ?? 0) };
    }
    case '/v1/bundles': {
      const member = [...members.values()].find(({ account }) => account === body['account']);
      const devices = body['devices'] as number[];
      const known = devices.filter((device) => member && boxOf(member, device));
      return { bundles: known.map((device) => bundleOf(member, 'one-time', device)) };
    }
    default:
      return {};
  }
}
