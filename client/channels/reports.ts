/**
 * Reports: posts shown to those who moderate, with the keys that open these and nothing else.
 * docs/protocol/channel.md §9.2
 */

import { messageKeyAt } from '@island/protocol/crypto/chain-keys.ts';
import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import { decodePost, type Post } from '@island/protocol/crypto/post.ts';
import { decodePostPlaintext } from '@island/protocol/crypto/post-plaintext.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import {
  openReportedPost,
  type Report,
  type ReportedPost,
  type ReportReason,
} from '@island/protocol/crypto/report.ts';
import {
  openReport,
  type ReportReader,
  reportReaders,
  sealReport,
} from '@island/protocol/crypto/sealed-report.ts';
import { may, rankOf } from '@island/protocol/space/permissions.ts';
import { hashAt, type SpaceState } from '@island/protocol/space/space-state.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId, ChannelId, DeviceId, SpaceId } from '@island/protocol/wire/ids.ts';
import { base64url, hex } from '@island/protocol/wire/text.ts';
import type { Account } from '../account/account.ts';
import { Problem } from '../problem.ts';
import type { Session } from '../sign-in/session.ts';
import type { Spaces } from '../spaces/spaces.ts';
import type { Storage } from '../storage/storage.ts';
import { readChain } from './received-chains.ts';

export interface Reporting {
  account: Account;
  storage: Storage;
  session: Session;
  spaces: Spaces;
}

/** What is shown of a post in a report. */
export interface ReportShown {
  seq: number;
  author: AccountId | undefined;
  /** `undefined`: the island has it no more, or the key that was shown does not open it. */
  text: string | undefined;
  /** By the signature of the author's device; else the reporter may have had the island's help. */
  proved: boolean;
}

export interface ReportOpened {
  /** In hex. */
  id: string;
  number: number;
  by: AccountId;
  /** Days since 1970-01-01 UTC. */
  day: number;
  /** `undefined` where it was not sealed to this device. */
  report: Report | undefined;
  posts: readonly ReportShown[];
}

interface Fetched {
  author: AccountId;
  device: DeviceId;
  post: Post;
}

async function fetchPost(
  { session }: Pick<Reporting, 'session'>,
  channel: ChannelId,
  seq: number,
  signal?: AbortSignal,
): Promise<Fetched | undefined> {
  const wanted = { channel, after: seq - 1, count: 1 };
  const { items } = await session.call('posts', wanted, signal && { signal });
  const item = items.find((each) => each.seq === seq);
  if (!item || !('post' in item)) return undefined;
  const { author, device, post } = item;
  return { author, device, post: decodePost(post) };
}

/** Who reads reports: those who stand highest first, as many devices as have room. */
async function readersOf(
  { spaces }: Reporting,
  state: SpaceState,
  signal?: AbortSignal,
): Promise<ReportReader[]> {
  const accounts = [...state.members.keys()]
    .filter((account) => may(state, account, 'reports'))
    .sort((one, other) => rankOf(state, other) - rankOf(state, one));
  const found: ReportReader[] = [];
  for (const account of accounts) {
    if (found.length >= reportReaders) break;
    const person = await spaces.reader(state.space, account, signal);
    for (const { device, dik } of person?.list.devices ?? []) found.push({ account, device, dik });
  }
  return found.slice(0, reportReaders);
}

/** Throws `message_gone` for a post that can't be opened here, `no_moderator`. Resolves with the id of the report. */
export async function reportPosts(
  parts: Reporting,
  { space, channel, seqs }: { space: SpaceId; channel: ChannelId; seqs: readonly number[] },
  { reason, comment }: { reason: ReportReason; comment: string },
  signal?: AbortSignal,
): Promise<string> {
  const state = await parts.spaces.follow(space, signal);
  const posts: ReportedPost[] = [];
  for (const seq of [...new Set(seqs)].sort((a, b) => a - b)) {
    const found = await fetchPost(parts, channel, seq, signal);
    const whose = found && {
      channel,
      author: found.author,
      device: found.device,
      id: found.post.chain,
    };
    const known = whose && (await readChain(parts.storage, whose));
    if (!found || !known) throw new Problem('message_gone');
    posts.push({ seq, messageKey: messageKeyAt(known.chain.keys, found.post.iteration) });
  }
  const readers = await readersOf(parts, state, signal);
  if (readers.length === 0) throw new Problem('no_moderator', { title: state.title });
  const report = randomBytes(16);
  const sealed = sealReport({ space, channel, posts, reason, comment }, readers);
  const request = { space, report: base64url(report), sealed: base64url(sealed) };
  await parts.session.call('report', request, signal && { signal });
  return hex(report);
}

/** Those that nobody has closed, the oldest first, with what can be opened of them. */
export async function openReports(
  parts: Reporting,
  space: SpaceId,
  signal?: AbortSignal,
): Promise<ReportOpened[]> {
  const state = await parts.spaces.follow(space, signal);
  const found: ReportOpened[] = [];
  for (let after = 0; ; ) {
    const asked = { space, after };
    const { reports } = await parts.session.call('reports', asked, signal && { signal });
    for (const { number, report: id, by, day, sealed } of reports) {
      const report = opened(parts.account, space, sealed);
      const posts = report ? await shown(parts, state, report, signal) : [];
      found.push({ id: hex(id), number, by, day, report, posts });
    }
    const last = reports.at(-1)?.number;
    if (last === undefined || last <= after) return found;
    after = last;
  }
}

function opened(account: Account, space: SpaceId, sealed: Uint8Array): Report | undefined {
  try {
    const report = openReport(sealed, account);
    return report.space === space ? report : undefined;
  } catch (error) {
    if (error instanceof Fault || error instanceof CryptoFault) return undefined;
    throw error;
  }
}

async function shown(
  parts: Reporting,
  state: SpaceState,
  { channel, posts }: Report,
  signal?: AbortSignal,
): Promise<ReportShown[]> {
  const found: ReportShown[] = [];
  for (const { seq, messageKey } of posts) {
    const nothing = { seq, author: undefined, text: undefined, proved: false };
    try {
      const fetched = await fetchPost(parts, channel, seq, signal);
      const logHash = fetched && hashAt(state, fetched.post.logSeq);
      if (!fetched || !logHash) {
        found.push(nothing);
        continue;
      }
      const { author, device, post } = fetched;
      const known = await readChain(parts.storage, { channel, author, device, id: post.chain });
      // A chain that somebody passed on proves nothing of its author.
      const signing = known?.chain.sharedBy === undefined ? known?.chain.signing : undefined;
      const context = { author, device, logHash };
      const { plaintext, proved } = openReportedPost(post, context, messageKey, signing);
      const { body } = decodePostPlaintext(plaintext);
      const text = 'text' in body ? body.text : `(${body.kind})`;
      found.push({ seq, author, text, proved });
    } catch (error) {
      if (!(error instanceof Fault || error instanceof CryptoFault)) throw error;
      found.push(nothing);
    }
  }
  return found;
}
