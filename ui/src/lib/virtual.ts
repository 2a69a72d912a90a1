/** Which rows of a long table need to exist. Below the threshold all of them do, so that Ctrl+F of a reader works. */
export const virtualFrom = 1000;

export type Window = { from: number; to: number; before: number; after: number };

export function visibleRows(
  count: number,
  rowHeight: number,
  scrollTop: number,
  height: number,
  overscan = 12,
): Window {
  if (count < virtualFrom) return { from: 0, to: count, before: 0, after: 0 };
  const first = Math.min(count, Math.max(0, Math.floor(scrollTop / rowHeight) - overscan));
  const shown = Math.ceil(height / rowHeight) + 2 * overscan;
  const to = Math.min(count, first + shown);
  return { from: first, to, before: first * rowHeight, after: (count - to) * rowHeight };
}

/** Where to scroll so that the row is whole in view below a sticky head; `null` when it already is. */
export function scrollFor(
  index: number,
  rowHeight: number,
  scrollTop: number,
  height: number,
  head: number,
): number | null {
  const top = index * rowHeight;
  if (top < scrollTop) return top;
  const bottom = top + rowHeight + head;
  return bottom > scrollTop + height ? bottom - height : null;
}
