/** Where in a conversation the view is, in lines from its end: whoever reads further up stays there. */
export interface Scrolling {
  readonly offset: number;
  /** So many lines are there now; `mark`: the one that says what is new, come to once. */
  follow(lines: number, mark: number | undefined): void;
  /** So many lines have room. */
  laid(room: number): void;
  /** True when there was nothing above. */
  turn(pages: -1 | 1): boolean;
  /** Older lines were put above. */
  grown(): void;
  toEnd(): void;
}

export function openScrolling(): Scrolling {
  let [offset, room, count] = [0, 1, 0];
  let marked = false;
  const page = (): number => Math.max(1, room - 2);
  return {
    get offset() {
      return offset;
    },
    follow(lines, mark) {
      if (offset > 0 && count > 0) offset += lines - count;
      else if (mark !== undefined && !marked) offset = lines - room - mark;
      marked ||= mark !== undefined;
      count = lines;
      offset = Math.max(0, Math.min(offset, count - room));
    },
    laid(lines) {
      room = lines;
    },
    turn(pages) {
      const top = offset + room >= count;
      offset -= pages * page();
      return pages < 0 && top;
    },
    grown() {
      count = 0;
      offset += page();
    },
    toEnd() {
      offset = 0;
    },
  };
}
