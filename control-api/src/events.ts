/** What there is to count about publishing. The counters are the proxy's metrics. */

/**
 * Receives successes from `Publisher` and refusals from each ingress. Implementations must be cheap and must not throw.
 */
export interface PublishEvents {
  /** The backplane accepted one call with this many items (0 for an empty batch). */
  published(items: number): void;
  /** The backplane accepted a recover. */
  recovered(): void;
  /**
   * An ingress refused a request, or could not get it accepted: once per request. `reason` is an `ERR_…` code of this
   * package or of @holdfast/grip, hence from a bounded set and fit for a label.
   */
  rejected(reason: string): void;
  /**
   * A request that needs a permission was answered: for this scope, by the key with this id, or with none (the empty text), and
   * how. Ids are those of configured keys.
   */
  requested(action: string, key: string, result: ControlResult): void;
}

/** How a request of the control API ended. */
export type ControlResult = 'ok' | 'unauthenticated' | 'forbidden' | 'rate' | 'refused' | 'failed';

/** The result of a status. */
export function controlResult(status: number): ControlResult {
  if (status < 400) return 'ok';
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'forbidden';
  if (status === 429) return 'rate';
  return status < 500 ? 'refused' : 'failed';
}

/** Counts nothing. */
export const noPublishEvents: PublishEvents = {
  published() {},
  recovered() {},
  rejected() {},
  requested() {},
};
