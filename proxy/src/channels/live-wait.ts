/** How long a client waits for a subscription that is not live yet before it gets its head, or the origin's next message. */
import type { Containment, Faulty } from '@holdfast/control-api';
import type { Clock } from '../runtime/clock.js';

/**
 * How long what shows a client that it is subscribed (the head of a stream, the messages that follow a session's subscribe)
 * is held back for a subscription that is not live, in ms. It takes a round trip to the backplane; while the backplane is
 * away it takes as long, and what was accepted meanwhile follows once the subscription is live.
 *
 * @limit {s} that a stream's head or an origin's messages wait for interest to be live
 * @over they go out
 */
export const LIVE_WAIT_MS = 1_000;

/**
 * Calls `go` once: when the subscription is live, when it has failed, or when it takes too long. Never synchronously. A fault
 * of `go` ends `what`.
 */
export function waitForLive(
  live: Promise<void>,
  { clock, faults }: { readonly clock: Clock; readonly faults: Containment },
  go: () => void,
  what: Faulty,
): void {
  let gone = false;
  const once = () => {
    if (gone) return;
    gone = true;
    clock.clear(timer);
    go();
  };
  const timer = clock.after(LIVE_WAIT_MS, once, what);
  faults.watch('delivery', live.then(once, once), what);
}
