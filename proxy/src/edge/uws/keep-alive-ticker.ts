/**
 * Owns: keeping transfers alive that uWebSockets.js would cut: it gives each 10 s to make progress that it can see. Does not
 * own: how long a transfer may take; that is for whoever asks for the pulse.
 */
import type { Containment } from '@holdfast/control-api';
import type { Clock, Timer } from '../../runtime/clock.js';

/** The library looks every 4 s and cuts after 8 s at the earliest. */
export const PULSE_MS = 4_000;

/** A transfer that waits for its client. */
export interface Beating {
  /** Tells the library that the transfer is wanted. */
  beat(): void;
}

/** Beats for all transfers of an edge, by one timer that runs only while there are some. */
export class UwsPulse {
  readonly #clock: Clock;
  readonly #faults: Containment;
  readonly #transfers = new Set<Beating>();
  #timer: Timer | undefined;

  constructor(clock: Clock, faults: Containment) {
    this.#clock = clock;
    this.#faults = faults;
  }

  /** Beats for this one every `PULSE_MS` until it is deleted. */
  add(transfer: Beating): void {
    this.#transfers.add(transfer);
    this.#timer ??= this.#clock.after(PULSE_MS, this.#run);
  }

  delete(transfer: Beating): void {
    this.#transfers.delete(transfer);
  }

  readonly #run = (): void => {
    this.#timer = undefined;
    for (const transfer of [...this.#transfers]) this.#faults.run('timer', () => transfer.beat());
    if (this.#transfers.size > 0) this.#timer = this.#clock.after(PULSE_MS, this.#run);
  };
}
