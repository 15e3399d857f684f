/** How often each key of the control API was used, for what, and how that ended. */
import type { ControlResult } from '@holdfast/control-api';

/**
 * Keys of the control API that are counted by their ids; reloads may bring others again and again.
 *
 * @limit {} keys of the control API that metrics tell apart
 * @over counted under `other`
 */
const MAX_KEY_LABELS = 2_000;

/** What a map has for a key, made where it has nothing. */
function entryOf<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

/** Plain numbers, since one is added for each publish; they are read when metrics are scraped. */
export class ControlRequestCounts {
  readonly #counts = new Map<string, Map<string, Map<ControlResult, number>>>();

  /** Every label set that has occurred, with its count. */
  *rows(): Iterable<[labels: { action: string; key: string; result: ControlResult }, count: number]> {
    for (const [key, actions] of this.#counts)
      for (const [action, results] of actions)
        for (const [result, count] of results) yield [{ action, key, result }, count];
  }

  /** Counts one; `key` is the id of a configured key, or empty. */
  add(action: string, key: string, result: ControlResult): void {
    const keys = this.#counts;
    const name = keys.has(key) || keys.size < MAX_KEY_LABELS ? key : 'other';
    const actions = entryOf(keys, name, () => new Map<string, Map<ControlResult, number>>());
    const results = entryOf(actions, action, () => new Map<ControlResult, number>());
    results.set(result, (results.get(result) ?? 0) + 1);
  }
}
