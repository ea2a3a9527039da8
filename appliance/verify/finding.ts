/** What one look at a running island found. A promise holds when all findings about it are good. */

export interface Finding {
  good: boolean;
  text: string;
}

export const found = (good: boolean, text: string): Finding => ({ good, text });

/** What a check found, and the one sentence that sums it up when all is well. */
export interface Findings {
  summary: string;
  findings: Finding[];
}

export const count = (findings: readonly Finding[], pattern: RegExp): number =>
  findings.filter(({ text }) => pattern.test(text)).length;
