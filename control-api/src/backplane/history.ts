/** The capability of a backplane to read what has passed on a channel. */
import type { Backplane, ItemMessage, Position } from './backplane.js';

/** Where to begin: after an item that the reader has, named by its position or by its publisher's id. */
export type HistoryStart = { readonly after: Position } | { readonly afterId: string };

/** A part of a channel's history without holes. */
export interface HistoryPage {
  /** In order, each with its position. */
  readonly messages: readonly ItemMessage[];
  /**
   * Where the page ends: the position of its last message, or the start where it has none. A reader whose interest was live
   * before it asked gets the items after it from its listener; others read again.
   */
  readonly end: Position;
  /** The page reaches up to the newest item that was accepted when it was read; false when the limit cut it off. */
  readonly complete: boolean;
}

/** Reads history. Implemented by backplanes that keep any. */
export interface History {
  /**
   * Reads at most `limit` items of a channel that follow `start`. Resolves with undefined when that cannot be done without
   * a hole: the start, or an item after it, is not kept any more, or the epoch has changed. Rejects with `ControlError`
   * as `Backplane.publish` does. Interest in the channel is not needed.
   */
  read(channel: string, start: HistoryStart, limit: number): Promise<HistoryPage | undefined>;

  /**
   * Where the newest item of a channel stands, of those that have reached this node's listener or were accepted before
   * it had interest: a reader that has nothing yet may ask later for what it missed since. Offset 0 where there was none.
   * Resolves with undefined where the channel is not counted. Rejects as {@link read} does.
   */
  head(channel: string): Promise<Position | undefined>;
}

/** The history of a backplane, if it keeps any. */
export function historyOf(backplane: Backplane): History | undefined {
  const { read, head } = backplane as Partial<History>;
  if (typeof read !== 'function' || typeof head !== 'function') return undefined;
  return { read: read.bind(backplane), head: head.bind(backplane) };
}
