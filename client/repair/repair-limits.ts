/** How much a repair may cost. docs/protocol/ratchet.md §9.4; times in milliseconds. */

const minute = 60_000;
export const day = 86_400_000;

export const repairLimits = {
  /** A device asks after a random time up to this, counted from the newest failure. */
  delay: 2_000,
  /** Failures that keep coming are waited for no longer than this. */
  gather: 10_000,
  /** Between two repairs of one device: this, then twice as long each time, up to `longest`. */
  first: 10 * minute,
  longest: 360 * minute,
  /** Repairs of one device in 24 hours. */
  asksPerDay: 5,
  /** Further questions in the session that a repair has made, about what was on its way meanwhile. */
  supplements: 2,
  /** Resyncs in one question, of 64 messages each. */
  bodies: 8,
  /** Failures of one device that are asked about; further ones are counted as lost. */
  failures: 512,
  /** What has not come by then is lost. */
  patience: 25 * 60 * minute,
  /** Resyncs of one device that are answered in 24 hours. */
  answersPerDay: 64,
  /** And of all devices of one account. */
  answersPerAccount: 128,
  /** What was sent within this time, and of it the newest, can be sent again. */
  sentFor: day,
  sentMost: 500,
  /** How often one message is sent again to one device. */
  resends: 3,
} as const;

/** Times that still count: those of the last 24 hours, and those that a clock put back left ahead. */
export const lately = (times: readonly number[], now: number): number[] =>
  times.filter((time) => time > now - day);
