/**
 * Which connection to a target takes the next request, which of them are kept, and for how long.
 *
 * undici's own pool looks through its connections twice for every request, and keeps what is left of those that are
 * closed. An item that answers thousands of polls brings thousands of requests at once, each on a connection of its own.
 */

/** A connection that takes one request at a time, and connects again where it has to: what is used of undici's `Client`. */
export interface Connection<Request, Handler> {
  dispatch(request: Request, handler: Handler): boolean;
  on(event: 'connect', run: () => void): unknown;
  on(event: 'disconnect', run: () => void): unknown;
  on(event: 'connectionError', run: () => void): unknown;
  /** The request is over, and the next may come. */
  on(event: 'drain', run: () => void): unknown;
  /** `size`: requests that were dispatched and are not over. */
  readonly stats: { readonly size: number };
  close(): Promise<void>;
  destroy(): Promise<void>;
}

/** One of the connections. */
interface Place<Request, Handler> {
  readonly connection: Connection<Request, Handler>;
  /** `unused`: it has had no request yet, and no event of it will come. */
  state: 'unused' | 'connecting' | 'connected' | 'broken';
  /** When it was connected, in ms of the monotonic clock. */
  since: number;
  /** Its index among those that are idle; -1 while it has a request, or is not connected. */
  index: number;
}

/** The connections to one target: as many as there are requests at a time, in constant time for each request. */
export class OriginConnections<Request, Handler> {
  readonly #open: () => Connection<Request, Handler>;
  readonly #maxAge: number;
  readonly #now: () => number;
  readonly #all = new Set<Place<Request, Handler>>();
  readonly #idle: Place<Request, Handler>[] = [];

  /** A connection that is older than `maxAge`, in ms, takes no further request. `now` is of a clock that is never set. */
  constructor(
    open: () => Connection<Request, Handler>,
    maxAge = Number.POSITIVE_INFINITY,
    now = () => performance.now(),
  ) {
    this.#open = open;
    this.#maxAge = maxAge;
    this.#now = now;
  }

  /** Connections that are open, being opened, or in use. */
  get size(): number {
    return this.#all.size;
  }

  /** Sends on the connection that was used last, so that those which are not needed time out, or on a new one. */
  dispatch(request: Request, handler: Handler): void {
    const place = this.#youngIdle() ?? this.#add();
    place.index = -1;
    place.connection.dispatch(request, handler);
    // What cannot be sent is refused at once.
    if (place.connection.stats.size === 0) this.#refused(place);
    else if (place.state === 'unused') place.state = 'connecting';
  }

  /**
   * Closes those that are idle. After one of them turned out to be closed by the other side: the others have been idle for
   * longer.
   */
  closeIdle(): void {
    for (const place of this.#idle.splice(0)) this.#retire(place);
  }

  /** Resolves when all requests are over. None may be dispatched any more. */
  async close(): Promise<void> {
    await Promise.all([...this.#all].map(({ connection }) => connection.close()));
  }

  /** Breaks off all requests. */
  async destroy(): Promise<void> {
    await Promise.all([...this.#all].map(({ connection }) => connection.destroy()));
  }

  #add(): Place<Request, Handler> {
    const connection = this.#open();
    const place: Place<Request, Handler> = { connection, state: 'unused', since: 0, index: -1 };
    this.#all.add(place);
    connection.on('connect', () => {
      place.state = 'connected';
      place.since = this.#now();
      this.#free(place);
    });
    connection.on('disconnect', () => this.#broken(place));
    connection.on('connectionError', () => this.#broken(place));
    connection.on('drain', () => this.#free(place));
    return place;
  }

  /** A connection that was made for a request that cannot be sent never connects: nothing else would ever let it go. */
  #refused(place: Place<Request, Handler>): void {
    if (place.state !== 'unused') this.#free(place);
    else {
      this.#all.delete(place);
      void place.connection.destroy();
    }
  }

  /** Keeps a connection for the next request unless it has one, or is none any more. */
  #free(place: Place<Request, Handler>): void {
    if (place.index >= 0 || place.connection.stats.size > 0) return;
    if (place.state === 'connected' && this.#isOld(place)) this.#retire(place);
    else if (place.state === 'connected') place.index = this.#idle.push(place) - 1;
    else if (place.state === 'broken') this.#all.delete(place);
  }

  /** The one that was used last of those that may still be used. */
  #youngIdle(): Place<Request, Handler> | undefined {
    for (let place = this.#idle.pop(); place !== undefined; place = this.#idle.pop()) {
      if (!this.#isOld(place)) return place;
      this.#retire(place);
    }
    return undefined;
  }

  #isOld({ since }: Place<Request, Handler>): boolean {
    return this.#now() - since >= this.#maxAge;
  }

  /** Closes one that has no request and is in none of the lists any more but that of all. */
  #retire(place: Place<Request, Handler>): void {
    place.index = -1;
    place.state = 'broken';
    this.#all.delete(place);
    // One that has been broken off meanwhile cannot be closed any more.
    void place.connection.close().catch(() => {});
  }

  #broken(place: Place<Request, Handler>): void {
    place.state = 'broken';
    if (place.index >= 0) this.#leave(place);
    this.#free(place);
  }

  /** Takes one out of those that are idle; the last of them gets its place. */
  #leave(place: Place<Request, Handler>): void {
    const last = this.#idle.pop() as Place<Request, Handler>;
    if (last !== place) {
      this.#idle[place.index] = last;
      last.index = place.index;
    }
    place.index = -1;
  }
}
