// Lists of lines of one height, of which only those in view are in the document.

/** Lines from the first of these on, and before the last, are drawn: those in view, and a few `around` them. */
export function drawn(top: number, height: number, line: number, around: number): [first: number, last: number] {
  return [Math.max(0, Math.floor(top / line) - around), Math.ceil((top + height) / line) + around];
}

/** Where a list is scrolled to, whose line `at` is to be wholly in view; `room` is the height in which lines show. */
export function revealed(at: number, line: number, top: number, room: number): number {
  const from = at * line;
  return Math.max(Math.min(from, top), from + line - room);
}

/** The line that a key leads to from the one under the cursor, -1 if there is none; undefined for any other key. */
export function ledTo(key: string, cursor: number, lines: number, line: number, room: number): number | undefined {
  const page = Math.max(1, Math.floor(room / line) - 1);
  const end = lines - 1;
  const steps: Record<string, number> = {
    ArrowDown: cursor + 1,
    ArrowUp: cursor < 0 ? end : cursor - 1,
    PageDown: cursor + page,
    PageUp: cursor - page,
    Home: 0,
    End: end,
  };
  const to = steps[key];
  return to === undefined ? undefined : Math.min(end, Math.max(0, to));
}
