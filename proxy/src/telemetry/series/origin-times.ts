/** How long origins take, and how they fail, by the explicit ids of routes. */

import type { Series } from './series.js';
import { REQUEST_BUCKETS, Timings } from './timings.js';

/**
 * Ids of routes that have series of their own; a routes file that is loaded again and again with other ids could make any number.
 *
 * @limit {} ids of routes in metrics of origins
 * @over counted as routes without an id
 */
export const ROUTE_LABELS = 1_000;

/** What is counted of one route. */
interface RouteCounts {
  readonly times: Timings;
  /** By code. */
  readonly errors: Map<string, number>;
}

/** Plain numbers. The label is empty for routes without an id. */
export class OriginTimes {
  readonly #routes = new Map<string, RouteCounts>();

  constructor(series: Series) {
    // Of routes without an id there is a series from the start on.
    this.#of(undefined);
    series.histogram(
      'origin_request_seconds',
      'Time from sending a request to its origin to the head of the answer, by id of route.',
      'route',
      () => [...this.#routes].map(([route, { times }]) => [route, times] as const),
    );
    series.collected('origin_errors_total', 'Failures of origins, by id of route and code.', ['route', 'code'], () =>
      [...this.#routes].flatMap(([route, { errors }]) =>
        [...errors].map(([code, count]) => [{ route, code }, count] as const),
      ),
    );
  }

  /** An origin has answered with a head after so many ms. */
  answered(route: string | undefined, ms: number): void {
    this.#of(route).times.observe(ms);
  }

  /** An origin could not be asked, or has broken off. `code` is one of the error's stable codes. */
  failed(route: string | undefined, code: string): void {
    const { errors } = this.#of(route);
    errors.set(code, (errors.get(code) ?? 0) + 1);
  }

  #of(route: string | undefined): RouteCounts {
    const known = this.#routes.get(route ?? '');
    if (known !== undefined) return known;
    if (this.#routes.size > ROUTE_LABELS) return this.#of(undefined);
    const counts = { times: new Timings(REQUEST_BUCKETS), errors: new Map<string, number>() };
    this.#routes.set(route ?? '', counts);
    return counts;
  }
}
