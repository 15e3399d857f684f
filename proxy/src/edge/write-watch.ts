/** Clients that take nothing of an answer, which are cut in time (`write_timeout`): on both edges. */
import type { Containment } from '@holdfast/control-api';
import type { Clock, Timer } from '../runtime/clock.js';

/** Writers are looked at so often within their time, and once in so many ms at least. */
const LOOKS = 4;
const LOOK_MAX_MS = 15_000;

/** What an edge knows of its writers. */
export interface WatchDeps<Writer> {
  readonly clock: Clock;
  readonly faults: Containment;
  /** Differs from what it was before once the client has taken something; undefined where nothing waits for it. */
  readonly progress: (writer: Writer) => string | undefined;
  /** Cuts the client, which has taken nothing for too long, and reports it. */
  readonly cut: (writer: Writer) => void;
}

interface Watched {
  progress: string | undefined;
  /** When the client was last seen to take something. */
  since: number;
}

/** One timer for all writers of an edge, which runs only while some are watched. */
export class WriteWatch<Writer> {
  readonly #timeout: number;
  readonly #deps: WatchDeps<Writer>;
  readonly #pause: number;
  readonly #watched = new Map<Writer, Watched>();
  #timer: Timer | undefined;
  #looked = 0;

  /** `timeout` in ms; 0 for none. */
  constructor(timeout: number, deps: WatchDeps<Writer>) {
    this.#timeout = timeout;
    this.#deps = deps;
    this.#pause = Math.min(timeout / LOOKS, LOOK_MAX_MS);
  }

  /** Something of an answer waits for the client: from here on, until nothing does, it has to move. */
  add(writer: Writer): void {
    if (this.#timeout === 0 || this.#watched.has(writer)) return;
    const { clock, progress } = this.#deps;
    const since = clock.monotonic();
    this.#watched.set(writer, { progress: progress(writer), since });
    if (this.#timer !== undefined) return;
    this.#looked = since;
    this.#timer = clock.after(this.#pause, this.#look);
  }

  /** The client has gone, or what waits for it is no ordinary answer. */
  delete(writer: Writer): void {
    this.#watched.delete(writer);
  }

  readonly #look = (): void => {
    const { clock, faults } = this.#deps;
    const now = clock.monotonic();
    // The process was stopped, or had something else to do, and did not write either.
    const isLate = now - this.#looked > 2 * this.#pause;
    this.#looked = now;
    this.#timer = undefined;
    for (const [writer, watched] of this.#watched) faults.run('timer', () => this.#judge(writer, watched, now, isLate));
    if (this.#watched.size > 0) this.#timer = clock.after(this.#pause, this.#look);
  };

  #judge(writer: Writer, watched: Watched, now: number, isLate: boolean): void {
    const progress = this.#deps.progress(writer);
    if (progress === undefined) this.#watched.delete(writer);
    else if (isLate || progress !== watched.progress) {
      watched.progress = progress;
      watched.since = now;
    } else if (now - watched.since >= this.#timeout) {
      this.#watched.delete(writer);
      this.#deps.cut(writer);
    }
  }
}
