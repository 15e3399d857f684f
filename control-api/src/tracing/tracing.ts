/** The port of tracing: what is recorded of requests, publishes and deliveries, and the implementation that records nothing. */
import { newTraceContext, type TraceContext } from './trace-context.js';

/**
 * How much a span has of what clients and publishers have named: a path, a host, a channel, an item.
 *
 * @limit {} characters of a path, host, channel or item id in a span
 * @over the rest is left out
 */
export const ATTRIBUTE_CHARS = 256;

/** What a span is about, in OpenTelemetry's words. */
export type SpanKind = 'server' | 'client' | 'producer' | 'consumer';

/** Facts about a span, by the names of OpenTelemetry's semantic conventions. Those that are undefined are left out. */
export type SpanAttributes = Readonly<Record<string, string | number | undefined>>;

/** How a span begins. */
export interface SpanStart {
  readonly kind: SpanKind;
  /** From a bounded set: never what a client or publisher has named. */
  readonly name: string;
  /** Undefined: a new trace. */
  readonly parent?: TraceContext | undefined;
  /** What brought it about, in another trace. */
  readonly link?: TraceContext | undefined;
  readonly attributes?: SpanAttributes;
}

/** Something that takes time. */
export interface Span {
  /** What others continue the trace with. */
  readonly context: TraceContext;
  /** It is over; only the first call counts. `error` says what kind of failure it was, in a word. */
  end(attributes?: SpanAttributes, error?: string): void;
}

/** Begins spans. Implementations never throw. */
export interface Tracing {
  /** Whether spans are recorded. Without, only those are begun whose context is passed on. */
  readonly records: boolean;
  start(start: SpanStart): Span;
  /** Sends what has been recorded, as far as that can be done soon: before the process ends. Never rejects. */
  flush(): Promise<void>;
}

/**
 * Passes contexts on, and begins traces that have none: a share of them marked as sampled, from 0 to 1. `random` gives numbers
 * from 0 to below 1.
 */
export class Propagation implements Tracing {
  readonly records = false;
  readonly #share: number;
  readonly #random: () => number;

  constructor(share: number, random: () => number) {
    this.#share = share;
    this.#random = random;
  }

  start({ parent }: SpanStart): Span {
    return new Unrecorded(parent ?? newTraceContext(this.#random() < this.#share));
  }

  async flush(): Promise<void> {}
}

class Unrecorded implements Span {
  readonly context: TraceContext;

  constructor(context: TraceContext) {
    this.context = context;
  }

  end(): void {}
}
