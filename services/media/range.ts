/** One range of bytes of a request (RFC 9110 §14.2). Several in one, and suffixes, are not answered here: the whole is. */

export interface ByteRange {
  from: number;
  /** Not included. */
  to: number;
  partial: boolean;
}

/** `undefined` for a range that lies behind the end. */
export function rangeOf(header: string | undefined, size: number): ByteRange | undefined {
  const [, first, last] = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (first === undefined) return { from: 0, to: size, partial: false };
  const from = Number(first);
  const to = last === undefined || last === '' ? size : Math.min(size, Number(last) + 1);
  return from >= size || to <= from ? undefined : { from, to, partial: true };
}
