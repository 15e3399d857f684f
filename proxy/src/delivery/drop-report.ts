/** Logs deliveries that a limit has dropped: at once, but not line by line in a flood. */
import type { Log } from '@holdfast/control-api';
import type { Clock } from '../runtime/clock.js';

/** Time between two lines about the same route, in ms. */
export const REPORT_MS = 10_000;

/** What was dropped on a route since its last line. */
interface Episode {
  dropped: number;
  /** Connection that missed an item last. */
  id: string;
}

/**
 * Logs the first drop of a route with its connection, then every {@link REPORT_MS} how many there were since; when
 * there were none the episode is over, and the next drop is a first one again. At level debug each drop has its line.
 * So the numbers of all lines of a route add up to its drops.
 */
export class DropReport {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #hwm: number;
  readonly #episodes = new Map<string, Episode>();

  /** `hwm` is what the lines name as the limit. */
  constructor(clock: Clock, log: Log, hwm: number) {
    this.#clock = clock;
    this.#log = log;
    this.#hwm = hwm;
  }

  /** A delivery on this route (empty for those without an id) to this connection was dropped. */
  dropped(route: string, id: string, channel: string): void {
    const episode = this.#episodes.get(route);
    if (episode === undefined) {
      this.#log.warn({ id, ...labelled(route), channel, dropped: 1 }, `${this.#text(route)}, dropping message`);
      this.#begin(route, id);
      return;
    }
    episode.dropped++;
    episode.id = id;
    if (this.#log.isDebug())
      this.#log.debug({ id, ...labelled(route), channel }, 'message dropped: exceeded publish hwm');
  }

  /** Logs what has not been logged, and ends all episodes. */
  finish(): void {
    for (const [route, episode] of this.#episodes) this.#write(route, episode);
    this.#episodes.clear();
  }

  #begin(route: string, id: string): void {
    const episode = { dropped: 0, id };
    this.#episodes.set(route, episode);
    const later = () => {
      if (this.#episodes.get(route) !== episode) return;
      if (episode.dropped === 0) {
        this.#episodes.delete(route);
        return;
      }
      this.#write(route, episode);
      this.#clock.after(REPORT_MS, later);
    };
    this.#clock.after(REPORT_MS, later);
  }

  #write(route: string, episode: Episode): void {
    const { dropped, id } = episode;
    if (dropped === 0) return;
    episode.dropped = 0;
    this.#log.warn(
      { ...labelled(route), dropped, lastId: id },
      `${this.#text(route)}: ${dropped} more messages dropped`,
    );
  }

  /** Pushpin's words. */
  #text(route: string): string {
    return `exceeded publish hwm (${this.#hwm})${route === '' ? '' : ` for route ${route}`}`;
  }
}

function labelled(route: string): { readonly route?: string } {
  return route === '' ? {} : { route };
}
