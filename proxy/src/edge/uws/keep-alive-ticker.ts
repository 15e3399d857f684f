/** Keeps slow transfers alive: uWebSockets.js cuts one that makes no progress that it can see for 10 s. */
import type { Containment } from '@holdfast/control-api';
import type { Clock, Timer } from '../../runtime/clock.js';

/** The library looks every 4 s and cuts after 8 s at the earliest. */
export const TICK_MS = 4_000;

/** A transfer that waits for its client. */
export interface Transfer {
  /** Resets the library's time limit for this transfer. */
  tick(): void;
}

/** Ticks for all transfers of an edge, by one timer that runs only while there are some. */
export class KeepAliveTicker {
  readonly #clock: Clock;
  readonly #faults: Containment;
  readonly #transfers = new Set<Transfer>();
  #timer: Timer | undefined;

  constructor(clock: Clock, faults: Containment) {
    this.#clock = clock;
    this.#faults = faults;
  }

  /** Ticks for this one every `TICK_MS` until it is deleted. */
  add(transfer: Transfer): void {
    this.#transfers.add(transfer);
    this.#timer ??= this.#clock.after(TICK_MS, this.#run);
  }

  delete(transfer: Transfer): void {
    this.#transfers.delete(transfer);
  }

  readonly #run = (): void => {
    this.#timer = undefined;
    for (const transfer of [...this.#transfers]) this.#faults.run('timer', () => transfer.tick());
    if (this.#transfers.size > 0) this.#timer = this.#clock.after(TICK_MS, this.#run);
  };
}
