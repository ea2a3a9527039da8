/** Days that things are kept, by name: what the services go by and what an island publishes. docs/protocol/limits.md §4 */
import { limits } from '@island/protocol/wire/limits.ts';

export const retentionDays = {
  /** Envelopes that nobody fetched, and the ids of those that are gone. */
  envelopes: limits.envelopeDays,
  envelopeIds: limits.tombstoneDays,
  /** Tokens that were spent, after the day of their key; delivery keys that others replaced. */
  spentTokens: 1,
  deliveryKeys: limits.deliveryKeyDays,
  /** One-time prekeys that were handed out (D4), and prekeys that others replaced. */
  usedPrekeys: 7,
  replacedPrekeys: limits.prekeyKeptDays,
  /** Attachments, and uploads that were not finished: from the day on which they were begun. */
  attachments: limits.blobDays,
  uploads: limits.uploadDays,
  /** Sessions that nobody used. */
  sessions: limits.refreshSeconds / 86_400,
  /** Invites, past their end. */
  invites: 7,
  /** Applications that no operator answered, and word for somebody to come who did not; refusals. */
  applicants: 30,
  refusals: 1,
  /** Reports to moderators that nobody closed; servers, after their end. */
  reports: 90,
  closedSpaces: 7,
} as const;
