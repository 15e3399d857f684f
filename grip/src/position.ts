/** Where an item stands on its channel, as it is written, and what a new subscription begins with. */

/** An offset within an epoch. */
export interface PositionText {
  readonly epoch: string;
  readonly offset: number;
}

/** Reads `<epoch>:<offset>`; undefined for a text that is none. */
export function parsePosition(text: string): PositionText | undefined {
  const [, epoch, digits] = /^(.*):(\d{1,16})$/s.exec(text) ?? [];
  const offset = Number(digits);
  return epoch === undefined || !Number.isSafeInteger(offset) ? undefined : { epoch, offset };
}

/** The inverse of {@link parsePosition}. */
export function formatPosition({ epoch, offset }: PositionText): string {
  return `${epoch}:${offset}`;
}

/** What a client that is new on a channel gets of its history: the last so many items, at least 1, or those since a position. */
export type Initial = { readonly last: number } | { readonly since: PositionText };

/**
 * Items that a new subscription may begin with: each of them is written to each client that comes.
 *
 * @limit {} items that a client which is new on a channel gets of its history
 * @over the last of them
 */
export const MAX_INITIAL_ITEMS = 1_000;

/**
 * Reads `initial` (`last`, or how many) and `since` (a position, which counts before it). Undefined where there is nothing to
 * begin with: neither, or `0`. The text says what is wrong.
 */
export function parseInitial(initial: string | undefined, since: string | undefined): Initial | string | undefined {
  if (since !== undefined) {
    const position = parsePosition(since);
    return position === undefined ? "'since' must be a position: <epoch>:<offset>" : { since: position };
  }
  if (initial === undefined) return undefined;
  if (initial === 'last') return { last: 1 };
  if (!/^\d{1,9}$/.test(initial)) return "'initial' must be 'last' or a whole number";
  const last = Math.min(Number(initial), MAX_INITIAL_ITEMS);
  return last === 0 ? undefined : { last };
}
