/** For tests: accounts, directory, archive, delivery and spaces that answer whatever they are asked, and remember it. The bus is real. */

import { randomBytes } from 'node:crypto';
import { limits } from '@island/protocol/wire/limits.ts';
import type { RouteName } from '@island/protocol/wire/routes.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { accounts } from '../../accounts/contract.ts';
import { archive } from '../../archive/contract.ts';
import { delivery } from '../../delivery/contract.ts';
import { directory } from '../../directory/contract.ts';
import type { Bus } from '../../kit/bus.ts';
import type { Contract } from '../../kit/contract.ts';
import type { TestIsland } from '../../kit/testing/kit.ts';
import { spaces } from '../../spaces/contract.ts';

const bytes = (length: number) => new Uint8Array(length).fill(length);
const kdf = { memory: 65_536, passes: 3, lanes: 1 };
const tokens = { access: 'an-access-token', refresh: 'a-refresh-token' };
export const someone = '0123456789abcdef0123456789abcdef';
const session = 'fedcba9876543210fedcba9876543210';
const list = bytes(300);

/** What each call answers; a function sees the request. */
const answers = {
  'accounts.nonce': { nonce: bytes(40) },
  'accounts.register': tokens,
  'accounts.prelogin': { salt: bytes(16), kdf, codes: { salt: bytes(16), kdf } },
  'accounts.login': { account: someone, ...tokens },
  'accounts.beginJoining': { account: someone, joining: 'a-joining-token' },
  'accounts.refresh': tokens,
  'accounts.logout': {},
  'accounts.account': {
    name: 'ann',
    role: 'member',
    since: 20_000,
    totp: true,
    oidc: false,
    codes: 7,
    record: 3,
  },
  'accounts.sessions': {
    sessions: [{ session, device: 1, begun: 20_000, used: 20_001, current: true }],
  },
  'accounts.endSession': { ended: 1 },
  'accounts.changePassword': {},
  'accounts.endAccount': {},
  'accounts.totpBegin': { secret: 'GEZDGNBVGY3TQOJQ' },
  'accounts.totpConfirm': {},
  'accounts.totpEnd': {},
  'accounts.oidcBegin': { url: 'https://id.example.org/auth?x=y', flow: bytes(32) },
  'accounts.oidcPoll': { grant: bytes(32), name: 'ann' },
  'accounts.record': { record: bytes(900), used: [bytes(16)] },
  'accounts.putRecord': {},
  'accounts.updateDevices': {},
  'accounts.recovery': { loc: bytes(16), share: bytes(32) },
  'accounts.join': tokens,
  'accounts.linkOpen': {},
  'accounts.linkPut': {},
  'accounts.linkGet': { message: bytes(100) },
  'accounts.resetBegin': { seconds: 259_200 },
  'accounts.resetCancel': {},
  'directory.challenge': { challenge: bytes(32) },
  'directory.lists': { account: someone, lists: [list, list] },
  'directory.lookup': { answer: bytes(900) },
  'directory.history': { steps: [{ event: bytes(102), opening: bytes(16), state: list }] },
  'directory.ended': {
    answer: bytes(900),
    steps: [{ event: bytes(102), opening: bytes(16), state: list }],
  },
  'directory.bundles': {
    bundles: [{ device: 1, signedPrekey: bytes(200), oneTime: bytes(1200) }],
  },
  'directory.prekeyCount': { oneTime: 5 },
  'directory.replenish': { oneTime: 6 },
  'directory.certificate': { certificate: bytes(348) },
  'directory.memberRequest': { request: 'old 0' },
  'directory.memberSignature': {},
  'directory.memberNewest': {},
  'spaces.create': {},
  'spaces.append': { seq: 2 },
  'spaces.log': { seq: 2, entries: [bytes(200), bytes(210)] },
  'spaces.mine': { spaces: [{ space: someone, seq: 2, lists: 0 }] },
  'spaces.lists': { lists: 1, accounts: [someone] },
  'spaces.post': { seq: 7 },
  'spaces.posts': {
    head: 2,
    feed: bytes(32),
    items: [
      { seq: 1, accepted: 2, author: someone, device: 1, post: bytes(100) },
      { seq: 2, accepted: 2, author: someone, device: 1, gone: bytes(32) },
    ],
  },
  'spaces.takeBack': {},
  'spaces.keys': {},
  'spaces.present': { members: [{ account: someone, state: 'online' }] },
  'spaces.report': {},
  'spaces.reports': {
    reports: [{ number: 1, report: bytes(16), by: someone, day: 20_000, sealed: bytes(300) }],
  },
  'archive.head': { seq: 2, hash: bytes(32) },
  'archive.append': {},
  'archive.read': { segments: [bytes(800), bytes(900)] },
  'delivery.tokenKeys': { keys: [{ class: 1, day: 20_000, public: bytes(32) }] },
  'delivery.issueTokens': { evaluated: bytes(64), proof: bytes(64) },
  'delivery.setKey': {},
  'delivery.spend': {},
} as const;

export interface Asked {
  call: string;
  request: Record<string, unknown>;
}

/** Answers every call above; @returns what was asked, in order */
export async function answerAll(island: TestIsland): Promise<Asked[]> {
  const asked: Asked[] = [];
  for (const contract of [accounts, directory, archive, delivery, spaces] as readonly Contract[]) {
    const { bus } = await island.kit(contract.service);
    for (const [name, answer] of Object.entries(answers)) {
      const [service, call = ''] = name.split('.');
      if (service !== contract.service) continue;
      (bus as Bus).handle(contract, call, async (request) => {
        asked.push({ call: name, request: request as Record<string, unknown> });
        return answer;
      });
    }
    await bus.settled();
  }
  return asked;
}

const text = (length: number) => base64url(new Uint8Array(randomBytes(length)));
const enrolment = {
  list: text(300),
  proof: text(32),
  challenge: text(32),
  signedPrekey: text(200),
  lastResort: text(1300),
  batch: text(5000),
};
const keeping = { record: text(1000), shares: [{ loc: text(16), share: text(32) }] };
const proven = { nonce: text(40), deviceProof: text(64) };
const password = { salt: text(16), kdf, auth: text(32), key: text(32) };
const shown = { auth: text(32), proof: text(64) };
const code = { code: { loc: text(16), proof: text(32) } };

/** A good body for each POST route. */
export const bodies: Partial<Record<RouteName, object>> = {
  register: {
    name: 'ann',
    account: someone,
    device: 1,
    credentials: password,
    ...enrolment,
    ...keeping,
    ...proven,
  },
  prelogin: { name: 'ann' },
  login: { name: 'ann', credentials: shown, second: { totp: '123456' }, device: 1, ...proven },
  beginJoining: { name: 'ann', credentials: { grant: text(32) }, second: code, nonce: text(40) },
  refresh: { refresh: 'a token', attempt: text(16), ...proven },
  logout: {},
  endSession: { session },
  changePassword: { authority: code, next: password, nonce: text(40) },
  endAccount: { credentials: { grant: text(32) }, nonce: text(40) },
  totpBegin: {},
  totpConfirm: { totp: '123456' },
  totpEnd: { second: code },
  oidcBegin: {},
  oidcPoll: { flow: text(32) },
  updateDevices: { list: text(300), ...keeping },
  putRecord: keeping,
  join: { device: 2, ...enrolment, ...keeping, ...proven },
  linkOpen: { offer: text(16) },
  linkPut: { offer: text(16), step: 1, message: text(200) },
  linkGet: { offer: text(16), step: 2 },
  lookUpProof: { token: text(101), name: 'ann' },
  lookUpHistory: { token: text(101), name: 'ann', after: 7 },
  endedAccount: { account: '00'.repeat(16), after: 1 },
  resetBegin: {},
  resetCancel: {},
  archiveAppend: { segment: text(800) },
  issueTokens: { class: 1, day: 20_000, blinded: text(64) },
  senderCertificate: {},
  deliveryKey: { epoch: 1, hash: text(32), cut: false },
  bundles: {
    tokens: Array.from({ length: limits.bundlePrice }, () => text(101)),
    account: someone,
    devices: [1],
  },
  replenish: {},
  witnessRequest: { vkey: 'a key', old: 0 },
  witnessSignature: { vkey: 'a key', size: 7, signature: 'a line' },
  witnessNewest: { vkey: 'a key', newest: 'a note' },
  createSpace: { entry: text(200) },
  appendEntry: { entry: text(200) },
  spaceLog: { space: someone, after: 0 },
  spaceLists: { space: someone, after: 0 },
  post: { lists: 0, post: text(464) },
  posts: { channel: someone, count: 10 },
  takeBackPosts: { channel: someone, seqs: [1] },
  sendKeys: {
    space: someone,
    to: someone,
    epoch: 1,
    envelopes: [{ device: 1, id: someone, body: text(300) }],
  },
  present: { space: someone },
  report: { space: someone, report: text(16), sealed: text(300) },
  reports: { space: someone, after: 0 },
};
