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
}

/** Counts nothing. */
export const noPublishEvents: PublishEvents = {
  published() {},
  recovered() {},
  rejected() {},
};
