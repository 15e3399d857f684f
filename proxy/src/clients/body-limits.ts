/** What bounds the request bodies of clients: how long they may be (`request_size_max`), and how slow (`request_min_rate`). */
import type { Containment } from '@holdfast/control-api';
import type { RawHeaders } from '@holdfast/grip';
import type { Options } from '../config/table.js';
import type { BodySink, ClientBody, ClientRequest } from '../edge/port.js';
import { RequestError } from '../errors.js';
import type { OriginWarnings } from '../origin/warnings.js';
import type { Route } from '../routes/route.js';
import type { Clock, Timer } from '../runtime/clock.js';

/** The windows of slow bodies are looked at so often in each, and once in so many ms at least. */
const LOOKS = 4;
const LOOK_MAX_MS = 15_000;

/** The limits; those of 0 do not hold. */
export type BodyLimitSettings = Pick<Options, 'requestSizeMax' | 'requestMinRate' | 'requestMinRateWindow'>;

/** The collaborators. */
export interface BodyLimitDeps {
  readonly clock: Clock;
  readonly faults: Containment;
  /** A body has broken the limit of this name; counts it. */
  readonly limited: (limit: string) => void;
  /** So many bytes of a body have come. Left out: they are not counted. */
  readonly received?: (bytes: number) => void;
  readonly warnings?: Pick<OriginWarnings, 'failed'> | undefined;
}

/** Keeps the limits for all bodies of a process. One timer serves them all, and runs only while some are read. */
export class BodyLimits {
  readonly #settings: BodyLimitSettings;
  readonly #deps: BodyLimitDeps;
  /** Those that are read now, or held back. */
  readonly #reading = new Set<LimitedBody>();
  readonly #pause: number;
  #timer: Timer | undefined;
  #looked = 0;

  constructor(settings: BodyLimitSettings, deps: BodyLimitDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#pause = Math.min(settings.requestMinRateWindow / LOOKS, LOOK_MAX_MS);
  }

  /**
   * The body of a request within the limits of its route; undefined where it has none. `refused` is called once at most, with
   * the answer's error, when the body breaks one: nothing more of it comes then.
   */
  limit(request: ClientRequest, route: Route, refused: (error: RequestError) => void): LimitedBody | undefined {
    const { body, id } = request;
    if (body === undefined) return undefined;
    const max = (route.requestSizeMax ?? this.#settings.requestSizeMax) || Number.POSITIVE_INFINITY;
    return new LimitedBody(body, max, this, (error, limit) => {
      this.#deps.limited(limit);
      this.#deps.warnings?.failed({ id, route, target: undefined, marks: request }, error);
      refused(error);
    });
  }

  /** The body is read from here on. Returns the time. */
  begin(body: LimitedBody): number {
    const now = this.#deps.clock.monotonic();
    if (this.#settings.requestMinRate === 0) return now;
    this.#reading.add(body);
    if (this.#timer === undefined) {
      this.#looked = now;
      this.#timer = this.#deps.clock.after(this.#pause, this.#look);
    }
    return now;
  }

  /** So many bytes of a body have come. */
  received(bytes: number): void {
    this.#deps.received?.(bytes);
  }

  /** The body has come to its end, or is not wanted. */
  end(body: LimitedBody): void {
    this.#reading.delete(body);
  }

  get now(): number {
    return this.#deps.clock.monotonic();
  }

  readonly #look = (): void => {
    const { clock, faults } = this.#deps;
    const { requestMinRate, requestMinRateWindow } = this.#settings;
    const now = clock.monotonic();
    // The process was stopped, or had something else to do: what clients have sent meanwhile has not been read.
    const isLate = now - this.#looked > 2 * this.#pause;
    this.#looked = now;
    this.#timer = this.#reading.size === 0 ? undefined : clock.after(this.#pause, this.#look);
    for (const body of this.#reading) {
      if (isLate) body.restart(now);
      else faults.run('timer', () => body.judge(now, requestMinRate, requestMinRateWindow));
    }
  };
}

/** A body that counts what comes, and for how long it has been waited for. */
export class LimitedBody implements ClientBody, BodySink {
  readonly length: number | undefined;
  readonly #source: ClientBody;
  readonly #max: number;
  readonly #limits: BodyLimits;
  readonly #broken: (error: RequestError, limit: string) => void;
  #sink: BodySink | undefined;
  /** Bytes so far. */
  #bytes = 0;
  /** Bytes up to the beginning of the present window. */
  #before = 0;
  /** How long it was waited for in this window, in ms, up to `since`. */
  #waited = 0;
  /** Undefined while its reader takes nothing. */
  #since: number | undefined;
  #isRefused = false;
  #isReleased = false;

  /** `broken` gets the error and the name of the limit. */
  constructor(
    source: ClientBody,
    max: number,
    limits: BodyLimits,
    broken: (error: RequestError, limit: string) => void,
  ) {
    this.length = source.length;
    this.#source = source;
    this.#max = max;
    this.#limits = limits;
    this.#broken = broken;
  }

  /** Refuses a body whose declared length is too long; returns whether it may be read. */
  admits(): boolean {
    if (this.length !== undefined && this.length > this.#max) this.#refuse(tooLarge(this.#max), 'request_size_max');
    return !this.#isRefused;
  }

  read(sink: BodySink): void {
    this.#sink = sink;
    this.#since = this.#limits.begin(this);
    this.#source.read(this);
  }

  pause(): void {
    if (this.#since !== undefined) this.#waited += this.#limits.now - this.#since;
    this.#since = undefined;
    this.#source.pause();
  }

  resume(): void {
    if (this.#sink !== undefined) this.#since ??= this.#limits.now;
    this.#source.resume();
  }

  /** Its request is over: what still comes is bounded by other limits. */
  release(): void {
    this.#isReleased = true;
    this.#limits.end(this);
  }

  onData(chunk: Buffer): void {
    this.#limits.received(chunk.length);
    if (this.#isRefused) return;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#max && !this.#isReleased) this.#refuse(tooLarge(this.#max), 'request_size_max');
    else this.#sink?.onData(chunk);
  }

  onEnd(trailers?: RawHeaders): void {
    this.#limits.end(this);
    if (!this.#isRefused) this.#sink?.onEnd(trailers);
  }

  onAbort(): void {
    this.#limits.end(this);
    if (!this.#isRefused) this.#sink?.onAbort();
  }

  /** Begins a new window. */
  restart(now: number): void {
    this.#before = this.#bytes;
    this.#waited = 0;
    if (this.#since !== undefined) this.#since = now;
  }

  /** At the end of a window: refuses the body where less than `rate` bytes a second came while they were waited for. */
  judge(now: number, rate: number, window: number): void {
    const waited = this.#waited + (this.#since === undefined ? 0 : now - this.#since);
    if (waited < window) return;
    const isSlow = (this.#bytes - this.#before) * 1_000 < rate * waited;
    if (isSlow) this.#refuse(tooSlow(rate), 'request_min_rate');
    else this.restart(now);
  }

  #refuse(error: RequestError, limit: string): void {
    this.#isRefused = true;
    this.#limits.end(this);
    this.#broken(error, limit);
    this.#sink?.onAbort();
  }
}

/** What is left of a body that was refused, as `ClientResponse.closeAfter` has it. */
export function restOf(error: RequestError, body: ClientBody | undefined): 'bounded' | 'unbounded' {
  return error.code === 'ERR_REQUEST_TOO_SLOW' || body?.length === undefined ? 'unbounded' : 'bounded';
}

function tooLarge(max: number): RequestError {
  const text = `Request body too large: request_size_max is ${max} bytes.`;
  return new RequestError('ERR_REQUEST_BODY_TOO_LARGE', text);
}

function tooSlow(rate: number): RequestError {
  const text = `Request body too slow: request_min_rate is ${rate} bytes per second.`;
  return new RequestError('ERR_REQUEST_TOO_SLOW', text);
}
