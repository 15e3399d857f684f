/** What happened second by second. A long run has coarser rows, so that its report stays small. */

/** One row. */
export interface Second {
  /** When it begins, in s since the Unix epoch. */
  readonly at: number;
  /** Clients that were held at its end. */
  readonly open: number;
  readonly opened: number;
  readonly failed: number;
  readonly reconnected: number;
  readonly published: number;
  readonly received: number;
  /** Of the deliveries in it, in ms; 0 without any. Of several machines or seconds the worst. */
  readonly p99: number;
  readonly most: number;
}

/** Rows of equal width. */
export interface Timeline {
  /** Width of a row, in s. */
  readonly width: number;
  readonly rows: readonly Second[];
}

/**
 * Rows of a report.
 *
 * @limit {} rows in the timeline of `holdfast load`
 * @over two become one
 */
export const MAX_ROWS = 1_200;

/** One moment's row and a later one's, or those of two machines. */
function joined(a: Second, b: Second, isSameMachine: boolean): Second {
  return {
    at: Math.min(a.at, b.at),
    open: isSameMachine ? b.open : a.open + b.open,
    opened: a.opened + b.opened,
    failed: a.failed + b.failed,
    reconnected: a.reconnected + b.reconnected,
    published: a.published + b.published,
    received: a.received + b.received,
    p99: Math.max(a.p99, b.p99),
    most: Math.max(a.most, b.most),
  };
}

/** The same in rows of another width, a multiple of its own. */
function widened({ rows, width }: Timeline, to: number): Timeline {
  if (width === to) return { rows, width };
  const wide = new Map<number, Second>();
  for (const row of rows) {
    const at = Math.floor(row.at / to) * to;
    const before = wide.get(at);
    wide.set(at, before === undefined ? { ...row, at } : joined(before, { ...row, at }, true));
  }
  return { width: to, rows: [...wide.values()] };
}

/** A timeline with one more row of a second, which is no earlier than the last. */
export function withSecond(timeline: Timeline, second: Second): Timeline {
  const at = Math.floor(second.at / timeline.width) * timeline.width;
  const row = { ...second, at };
  const last = timeline.rows.at(-1);
  const rows = last?.at === at ? [...timeline.rows.slice(0, -1), joined(last, row, true)] : [...timeline.rows, row];
  const whole = { ...timeline, rows };
  return rows.length > MAX_ROWS ? widened(whole, timeline.width * 2) : whole;
}

/** What several machines did at the same time. */
export function together(parts: readonly Timeline[]): Timeline {
  const width = Math.max(1, ...parts.map((part) => part.width));
  const sums = new Map<number, Second>();
  for (const part of parts)
    for (const row of widened(part, width).rows) {
      const before = sums.get(row.at);
      sums.set(row.at, before === undefined ? row : joined(before, row, false));
    }
  const whole = { width, rows: [...sums.values()].sort((a, b) => a.at - b.at) };
  return whole.rows.length > MAX_ROWS ? widened(whole, width * 2) : whole;
}
