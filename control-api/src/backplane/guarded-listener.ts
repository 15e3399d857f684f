/** The listener of a backplane, with the guard that the contract of {@link BackplaneListener} asks for. */
import type { Containment } from '../runtime/faults.js';
import type { BackplaneListener, Gap, Message } from './backplane.js';

/**
 * Passes everything on to a listener. What that throws is a fault of this node: it is reported, and reaches neither the
 * publisher nor the messages that follow. Made once for each start, so that nothing is allocated for a message.
 */
export class GuardedListener implements BackplaneListener {
  readonly #listener: BackplaneListener;
  readonly #faults: Containment;

  constructor(listener: BackplaneListener, faults: Containment) {
    this.#listener = listener;
    this.#faults = faults;
  }

  onMessage(message: Message): void {
    try {
      this.#listener.onMessage(message);
    } catch (error) {
      this.#faults.caught('backplane', error);
    }
  }

  onGap(gap: Gap): void {
    try {
      this.#listener.onGap(gap);
    } catch (error) {
      this.#faults.caught('backplane', error);
    }
  }
}
