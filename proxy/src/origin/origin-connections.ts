/** The connections to one target, over which requests are divided. */
import { Fifo } from '../runtime/fifo.js';

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
interface Slot<Request, Handler> {
  readonly connection: Connection<Request, Handler>;
  /** `unused`: it has had no request yet, and no event of it will come. */
  state: 'unused' | 'connecting' | 'connected' | 'broken';
  /** When it was connected, in ms of the monotonic clock. */
  since: number;
  /** Its index among those that are idle; -1 while it has a request, or is not connected. */
  index: number;
}

/** What {@link OriginConnections} are made of. */
export interface OriginConnectionsOptions<Request, Handler> {
  readonly open: () => Connection<Request, Handler>;
  /** Most connections at a time; left out: no limit. */
  readonly max?: number | undefined;
  /** Age in ms from which a connection takes no further request; left out: none. */
  readonly maxAge?: number | undefined;
  /** How long a request may wait for a connection, in ms; left out: for ever. */
  readonly patience?: number | undefined;
  /** Whether nobody waits for a request any more: it is not sent then. */
  readonly isOver?: (handler: Handler) => boolean;
  /** A request has waited too long, or too many do: it is not sent. */
  readonly refused?: (handler: Handler) => void;
  /** Of a clock that is never set, in ms. */
  readonly now?: () => number;
}

/**
 * Requests to one target that may wait for a connection.
 *
 * @limit {} requests to one target that wait for a connection, where it has as many as `origin_connections_max` allows
 * @over next target, then 502
 */
export const ORIGIN_WAITING_MAX = 65_536;

/** A request that waits for a connection. */
interface Waiting<Request, Handler> {
  readonly request: Request;
  readonly handler: Handler;
  /** By the clock. */
  readonly until: number;
}

/**
 * As many connections as there are requests at a time, up to a limit, in constant time for each request; beyond it requests wait their
 * turn. undici's own pool looks through its connections twice for every request, and keeps what is left of those that are closed; an item that
 * answers thousands of polls, or a node whose clients all come back, brings thousands of requests at once.
 */
export class OriginConnections<Request, Handler> {
  readonly #options: OriginConnectionsOptions<Request, Handler>;
  readonly #max: number;
  readonly #maxAge: number;
  readonly #now: () => number;
  readonly #all = new Set<Slot<Request, Handler>>();
  readonly #idle: Slot<Request, Handler>[] = [];
  readonly #waiting = new Fifo<Waiting<Request, Handler>>();
  #timer: NodeJS.Timeout | undefined;
  #isGiving = false;
  /** Is called when nothing waits any more. */
  #emptied: (() => void) | undefined;

  constructor(options: OriginConnectionsOptions<Request, Handler>) {
    this.#options = options;
    this.#max = options.max ?? Number.POSITIVE_INFINITY;
    this.#maxAge = options.maxAge ?? Number.POSITIVE_INFINITY;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Connections that are open, being opened, or in use. */
  get size(): number {
    return this.#all.size;
  }

  /** Requests that wait for a connection. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Sends on the connection that was used last, so that those which are not needed time out, or on a new one; where there are as many as
   * there may be, after those that wait for one.
   */
  dispatch(request: Request, handler: Handler): void {
    const slot = this.#waiting.length > 0 ? undefined : this.#slot();
    if (slot === undefined) this.#wait(request, handler);
    else this.#send(slot, request, handler);
  }

  #slot(): Slot<Request, Handler> | undefined {
    return this.#youngIdle() ?? (this.#all.size < this.#max ? this.#add() : undefined);
  }

  #send(slot: Slot<Request, Handler>, request: Request, handler: Handler): void {
    slot.index = -1;
    slot.connection.dispatch(request, handler);
    // What cannot be sent is refused at once.
    if (slot.connection.stats.size === 0) this.#refused(slot);
    else if (slot.state === 'unused') slot.state = 'connecting';
  }

  #wait(request: Request, handler: Handler): void {
    const { patience = Number.POSITIVE_INFINITY, refused } = this.#options;
    if (this.#waiting.length >= ORIGIN_WAITING_MAX) {
      // As any other request that cannot be sent: not from within.
      queueMicrotask(() => refused?.(handler));
      return;
    }
    this.#waiting.push({ request, handler, until: this.#now() + patience });
    this.#arm();
  }

  /** One timer for all: those that came first give up first. */
  #arm(): void {
    const first = this.#waiting.first;
    if (this.#timer !== undefined || first === undefined || first.until === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        for (
          let late = this.#waiting.first;
          late !== undefined && late.until <= this.#now();
          late = this.#waiting.first
        ) {
          this.#waiting.shift();
          this.#options.refused?.(late.handler);
        }
        if (this.#waiting.length === 0) this.#emptied?.();
        this.#arm();
      },
      Math.max(1, first.until - this.#now()),
    );
  }

  /** A connection is free, or another may be opened. Called again by what it does, it does nothing. */
  #next(): void {
    if (this.#waiting.length === 0 || this.#isGiving) return;
    this.#isGiving = true;
    this.#give();
    this.#isGiving = false;
  }

  #give(): void {
    const { isOver } = this.#options;
    while (this.#waiting.length > 0) {
      if (isOver?.((this.#waiting.first as Waiting<Request, Handler>).handler)) {
        this.#waiting.shift();
        continue;
      }
      const slot = this.#slot();
      if (slot === undefined) return;
      const { request, handler } = this.#waiting.shift() as Waiting<Request, Handler>;
      this.#send(slot, request, handler);
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#emptied?.();
  }

  /**
   * Closes those that are idle. After one of them turned out to be closed by the other side: the others have been idle for
   * longer.
   */
  closeIdle(): void {
    for (const slot of this.#idle.splice(0)) this.#retire(slot);
  }

  /** Resolves when all requests are over. None may be dispatched any more. */
  async close(): Promise<void> {
    if (this.#waiting.length > 0) {
      await new Promise<void>((resolve) => {
        this.#emptied = resolve;
      });
    }
    await Promise.all([...this.#all].map(({ connection }) => connection.close()));
  }

  /** Breaks off all requests. */
  async destroy(): Promise<void> {
    clearTimeout(this.#timer);
    for (let one = this.#waiting.shift(); one !== undefined; one = this.#waiting.shift())
      this.#options.refused?.(one.handler);
    await Promise.all([...this.#all].map(({ connection }) => connection.destroy()));
  }

  #add(): Slot<Request, Handler> {
    const connection = this.#options.open();
    const slot: Slot<Request, Handler> = { connection, state: 'unused', since: 0, index: -1 };
    this.#all.add(slot);
    connection.on('connect', () => {
      slot.state = 'connected';
      slot.since = this.#now();
      this.#free(slot);
    });
    connection.on('disconnect', () => this.#broken(slot));
    connection.on('connectionError', () => this.#broken(slot));
    connection.on('drain', () => this.#free(slot));
    return slot;
  }

  /** A connection that was made for a request that cannot be sent never connects: nothing else would ever let it go. */
  #refused(slot: Slot<Request, Handler>): void {
    if (slot.state !== 'unused') this.#free(slot);
    else {
      this.#all.delete(slot);
      void slot.connection.destroy();
      this.#next();
    }
  }

  /** Keeps a connection for the next request unless it has one, or is none any more. */
  #free(slot: Slot<Request, Handler>): void {
    if (slot.index >= 0 || slot.connection.stats.size > 0) return;
    if (slot.state === 'connected' && this.#isOld(slot)) this.#retire(slot);
    else if (slot.state === 'connected') slot.index = this.#idle.push(slot) - 1;
    else if (slot.state === 'broken') this.#all.delete(slot);
    this.#next();
  }

  /** The one that was used last of those that may still be used. */
  #youngIdle(): Slot<Request, Handler> | undefined {
    for (let slot = this.#idle.pop(); slot !== undefined; slot = this.#idle.pop()) {
      if (!this.#isOld(slot)) return slot;
      this.#retire(slot);
    }
    return undefined;
  }

  #isOld({ since }: Slot<Request, Handler>): boolean {
    return this.#now() - since >= this.#maxAge;
  }

  /** Closes one that has no request and is in none of the lists any more but that of all. */
  #retire(slot: Slot<Request, Handler>): void {
    slot.index = -1;
    slot.state = 'broken';
    this.#all.delete(slot);
    // One that has been broken off meanwhile cannot be closed any more.
    void slot.connection.close().catch(() => {});
  }

  #broken(slot: Slot<Request, Handler>): void {
    slot.state = 'broken';
    if (slot.index >= 0) this.#leave(slot);
    this.#free(slot);
  }

  /** Takes one out of those that are idle; the last of them gets its index. */
  #leave(slot: Slot<Request, Handler>): void {
    const last = this.#idle.pop() as Slot<Request, Handler>;
    if (last !== slot) {
      this.#idle[slot.index] = last;
      last.index = slot.index;
    }
    slot.index = -1;
  }
}
