/** Identity of keys: device lists and prekeys. The transparency log commits to what is stored here. */
import { policyBytesMax, policyLinesMax } from '@island/protocol/transparency/policy.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { memberLine, memberNote, memberVkey } from '@island/protocol/wire/member-witness-routes.ts';
import { structureBytes } from '@island/protocol/wire/route.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { defineContract } from '../kit/contract.ts';

const devices = v.pipe(v.array(s.device), v.maxLength(limits.devices));
const stock = v.strictObject({ oneTime: s.count });
const list = s.bytesUpTo(structureBytes.list);
const signedPrekey = s.bytesUpTo(structureBytes.signedPrekey);
const lastResort = s.bytesUpTo(structureBytes.lastResort);
const batch = s.bytesUpTo(structureBytes.batch);
const logStep = v.strictObject({ event: s.bytes(102), opening: s.bytes(16), state: list });

const policyText = v.pipe(v.string(), v.maxLength(policyBytesMax));
const byNameOrKey = v.pipe(v.string(), v.minLength(1), v.maxLength(2_560));
const numberedPolicy = { number: s.count, text: policyText };

/** Of two policies at once, the present one and the next. */
const mostAsked = 2 * policyLinesMax;

/** Why a witness has not signed: witness-ask.ts. */
export const witnessProblems = [
  'unreachable',
  'untrusting',
  'ahead',
  'refused',
  'unsigned',
] as const;

/** Why the log publishes nothing new: log/epoch-work.ts. */
export const epochProblems = ['rolled_back', 'unanswered', 'failing', 'succeeding'] as const;

/** The first device of a new account with its proof and its prekeys; also a part of a registration. */
export const enrolment = {
  name: v.string(),
  account: s.account,
  device: s.device,
  list,
  challenge: s.bytes(32),
  proof: s.bytes(32),
  signedPrekey,
  lastResort,
  batch,
};

/** The account of the session that asks: one without has paid with a token (session-questions.ts). */
const asker = v.optional(s.account);

export const directory = defineContract({
  service: 'directory',
  cache: true,
  calls: {
    challenge: {
      request: s.empty,
      answer: v.strictObject({ challenge: s.bytes(32) }),
      callers: ['gateway'],
    },
    /** First device of a new account. Repeating the same enrolment changes nothing. */
    enrol: {
      request: v.strictObject(enrolment),
      answer: s.empty,
      callers: ['accounts'],
    },
    /**
     * The next list of an account, with the enrolment of the device that it adds, if any. A list with a reset is
     * taken only where `reset` allows it. The same list again changes nothing.
     */
    update: {
      request: v.strictObject({
        account: s.account,
        list,
        reset: v.boolean(),
        joining: v.optional(
          v.strictObject({
            device: s.device,
            challenge: s.bytes(32),
            proof: s.bytes(32),
            signedPrekey,
            lastResort,
            batch,
          }),
        ),
      }),
      answer: s.empty,
      callers: ['accounts'],
    },
    /** The stored lists after an epoch, ascending, at most `limits.listsPerAnswer`: for whoever knows the hash of each. */
    lists: {
      request: v.strictObject({ name: v.string(), after: s.count, asker }),
      answer: v.strictObject({ account: s.account, lists: v.array(list) }),
      callers: ['gateway'],
    },
    /** What the published log proves of a name and of the account that it leads to: that it is there, or that it is not. */
    lookup: {
      request: v.strictObject({ name: v.string(), asker }),
      answer: v.strictObject({ answer: s.bytesUpTo(structureBytes.proof) }),
      callers: ['gateway'],
    },
    /** The published versions of a name's account after one, ascending, at most `limits.listsPerAnswer`. */
    history: {
      request: v.strictObject({ name: v.string(), after: s.count, asker }),
      answer: v.strictObject({ steps: v.array(logStep) }),
      callers: ['gateway'],
    },
    /** The present list of an account: what accounts and the archive check signatures with. */
    current: {
      request: v.strictObject({ account: s.account }),
      answer: v.strictObject({ list }),
      callers: ['accounts', 'archive', 'spaces'],
    },
    /** The list of an account at an epoch, also one that is over. Throws `unknown_person`. */
    listAt: {
      request: v.strictObject({ account: s.account, epoch: s.count }),
      answer: v.strictObject({ list }),
      callers: ['spaces'],
    },
    /** As `lookup`, of an account alone. */
    account: {
      request: v.strictObject({ account: s.account }),
      answer: v.strictObject({ answer: s.bytesUpTo(structureBytes.proof) }),
      callers: ['accounts'],
    },
    /**
     * The account is over: its labels are erased in the log, nobody finds it any more, and all that is kept of it
     * goes once the log shows that. The same again, or of an account that is not there, changes nothing.
     */
    end: {
      request: v.strictObject({ account: s.account }),
      answer: s.empty,
      callers: ['accounts'],
    },
    /** Of an account that the published log shows as ended: that it is, and its versions after one, without what they said. Throws `not_found` of any other. */
    ended: {
      request: v.strictObject({ account: s.account, after: s.count }),
      answer: v.strictObject({
        answer: s.bytesUpTo(structureBytes.proof),
        steps: v.array(logStep),
      }),
      callers: ['gateway'],
    },
    /** The newest published checkpoint, with the signatures of witnesses. */
    checkpoint: {
      request: s.empty,
      answer: v.strictObject({ note: v.string() }),
      callers: ['gateway'],
    },
    /** That the log went on to a policy, c2sp.org/tlog-proof. Throws `not_found`. */
    policyProof: {
      request: v.strictObject({ number: s.count }),
      answer: v.strictObject({ text: v.string() }),
      callers: ['gateway'],
    },
    /** Hashes or entries of the published log, c2sp.org/tlog-tiles. */
    tile: {
      request: v.strictObject({
        level: v.union([v.literal('entries'), s.count]),
        index: s.count,
        width: s.count,
      }),
      answer: v.strictObject({ bytes: s.bytesUpTo(65_536) }),
      callers: ['gateway'],
    },
    /** The policy of the log in force, and the one that waits for the witnesses of its epoch. */
    policy: {
      request: s.empty,
      answer: v.strictObject({
        ...numberedPolicy,
        pending: v.optional(v.strictObject(numberedPolicy)),
      }),
      callers: ['control'],
    },
    /**
     * The next policy after number `after`. `policy_unmet` when its witnesses have not signed the present checkpoint
     * in time, `policy_moved` when another one is the newest or waits, `policy_weaker` for one without witnesses
     * behind one that has some, `policy_large` when its checkpoints could get too long, `policy_doubled` when it counts two keys of
     * one name twice: nothing was changed.
     */
    setPolicy: {
      request: v.strictObject({
        after: s.count,
        text: policyText,
        /** Of islands: SHA-256 of the root certificate of each, by the address of its witness. */
        roots: v.pipe(
          v.array(v.strictObject({ url: v.string(), ca: s.bytes(32) })),
          v.maxLength(policyLinesMax),
        ),
      }),
      answer: v.strictObject({ number: s.count }),
      callers: ['control'],
    },
    /** The witnesses of the policy in force, and how it went with them. */
    witnesses: {
      request: s.empty,
      answer: v.strictObject({
        /** Of the published log. */
        size: s.count,
        /** Unix milliseconds of its newest epoch. */
        epoch: s.count,
        /** The size of the checkpoint that is signed by the log and not yet by its witnesses. */
        waiting: v.optional(s.count),
        problem: v.optional(v.picklist(epochProblems)),
        /** Verifier key of the log that is to follow, while it waits for its witnesses. */
        successor: v.optional(v.string()),
        witnesses: v.array(
          v.strictObject({
            name: v.string(),
            vkey: v.string(),
            url: v.optional(v.string()),
            /** The size that it signed last, and when, Unix seconds; 0 when it never did. */
            size: s.count,
            signed: s.count,
            /** Why it did not sign when it was asked last. */
            problem: v.optional(v.picklist(witnessProblems)),
            /** Nothing was heard of it since this process began. */
            silent: v.optional(v.boolean()),
          }),
        ),
      }),
      callers: ['control'],
    },
    /**
     * The body of an add-checkpoint request for a witness that is asked by hand: of the checkpoint that waits for its
     * witnesses, or of the published one. `witness`: its name in the policy, or its key.
     */
    witnessRequest: {
      request: v.strictObject({ witness: byNameOrKey, old: v.optional(s.count) }),
      answer: v.strictObject({ request: v.string(), size: s.count, published: v.boolean() }),
      callers: ['control'],
    },
    /**
     * Signature lines that came by hand, of witnesses of the policy or of the one that is named. `not_found` where
     * none verifies for the checkpoint that waits, or the published one: nothing was changed.
     */
    takeSignatures: {
      request: v.strictObject({
        signatures: v.pipe(v.string(), v.maxLength(limits.witnessRequestBytes)),
        witness: v.optional(byNameOrKey),
      }),
      answer: v.strictObject({
        taken: v.array(v.strictObject({ name: v.string(), size: s.count, published: v.boolean() })),
      }),
      callers: ['control'],
    },
    /** What a member's device is to sign with this key, the body of an add-checkpoint request from its size; or nothing. */
    memberRequest: {
      request: v.strictObject({ vkey: memberVkey, old: s.count }),
      answer: v.strictObject({ request: v.optional(v.string()) }),
      callers: ['gateway'],
    },
    /**
     * Its signature line for the checkpoint of that size. `not_found` for a key that is asked for nothing or a checkpoint
     * that was overtaken, `bad_signature`: nothing was changed.
     */
    memberSignature: {
      request: v.strictObject({ vkey: memberVkey, size: s.count, signature: memberLine }),
      answer: s.empty,
      callers: ['gateway'],
    },
    /** A larger checkpoint than the one that it was asked to sign. Throws as `memberSignature`. */
    memberNewest: {
      request: v.strictObject({ vkey: memberVkey, newest: memberNote }),
      answer: s.empty,
      callers: ['gateway'],
    },
    /** What clients pin of the log. */
    log: {
      request: s.empty,
      answer: v.strictObject({
        vkey: v.string(),
        vrf: s.bytes(32),
        policy: v.string(),
        policyNumber: s.count,
        policyEntry: s.count,
        witnessed: v.boolean(),
        follows: v.optional(
          v.strictObject({ vkey: v.string(), size: s.count, root: s.bytes(32), seen: s.count }),
        ),
      }),
      callers: ['gateway', 'control'],
    },
    /**
     * Another log in place of the present one, which was put back to an earlier state; where a witness has not shown
     * that, only if it is `forced`: `forbidden` otherwise, and nothing was changed. Where the policy has witnesses it
     * takes over once they have signed its first checkpoint. The same again changes nothing.
     */
    succeed: {
      request: v.strictObject({ forced: v.boolean() }),
      answer: v.strictObject({
        vkey: v.string(),
        /** What is left of the log before it, and what witnesses have signed of that. */
        size: s.count,
        seen: s.count,
        /** It waits for its witnesses. */
        waiting: v.boolean(),
      }),
      callers: ['control'],
    },
    /**
     * Ids and epoch of an account's current device list. `published` is the newest epoch of it that the log shows,
     * 0 for none, and `required` are the devices that both have: senders know these for certain.
     */
    devices: {
      request: v.strictObject({ account: s.account }),
      answer: v.strictObject({
        epoch: s.count,
        devices,
        published: s.count,
        required: devices,
      }),
      callers: ['delivery', 'accounts'],
    },
    bundles: {
      request: v.strictObject({ account: s.account, devices }),
      answer: v.strictObject({
        bundles: v.array(
          v.strictObject({
            device: s.device,
            signedPrekey,
            oneTime: v.optional(s.bytesUpTo(structureBytes.oneTime)),
            lastResort: v.optional(lastResort),
          }),
        ),
      }),
      callers: ['gateway'],
    },
    prekeyCount: {
      request: v.strictObject({ account: s.account, device: s.device }),
      answer: stock,
      callers: ['gateway'],
    },
    replenish: {
      request: v.strictObject({
        account: s.account,
        device: s.device,
        signedPrekey: v.optional(signedPrekey),
        lastResort: v.optional(lastResort),
        batch: v.optional(batch),
      }),
      answer: stock,
      callers: ['gateway'],
    },
    /** Public half of the root of sender certificates. */
    senderRoot: {
      request: s.empty,
      answer: v.strictObject({ root: s.bytes(32) }),
      callers: ['gateway'],
    },
    /** For a device of the present list: `unknown_device` for any other. */
    certificate: {
      request: v.strictObject({ account: s.account, device: s.device }),
      answer: v.strictObject({ certificate: s.bytes(structureBytes.senderCertificate) }),
      callers: ['gateway'],
    },
  },
  events: {
    /** key: AccountId. The device list has a new epoch. */
    changed: {
      payload: v.strictObject({ epoch: s.count }),
      listeners: ['delivery', 'accounts', 'spaces'],
    },
    /** key: AccountId. The published log shows that epoch of the device list. */
    published: { payload: v.strictObject({ epoch: s.count }), listeners: ['delivery'] },
    /** key: `all`. Members' devices with these keys are to sign a checkpoint of this size. */
    asked: {
      payload: v.strictObject({
        size: s.count,
        vkeys: v.pipe(v.array(memberVkey), v.maxLength(mostAsked)),
      }),
      listeners: ['gateway'],
    },
  },
});
