/** A rate limiter under a manual clock, connections that note what they are given, and items for them. */
import { type ConnectionView, type Log, silentLog } from '@holdfast/control-api';
import type { Formats } from '@holdfast/grip';
import { Delivery } from '../../dist/channels/delivery.js';
import type { Subscriber, SubscriberKind } from '../../dist/channels/subscriber.js';
import { RateLimiter, type RateLimiterOptions } from '../../dist/delivery/rate-limiter.js';
import { ManualClock } from '../kit/manual-clock.js';

/** One line of the log. */
export interface Line {
  readonly level: 'warn' | 'debug';
  readonly fields: object;
  readonly message: string;
}

/** What an item is, other than 1 byte for streams. */
export interface Sketch {
  readonly bytes?: number;
  readonly size?: number;
  readonly formats?: Formats;
}

/** An item by its name, as it is delivered. */
export function delivery(name: string, { bytes = 1, size, formats }: Sketch = {}): Delivery {
  const item = {
    channel: 'c',
    id: name,
    formats: formats ?? { httpStream: { action: 'send', content: Buffer.alloc(bytes) } },
    meta: {},
    ...(size !== undefined && { size }),
    noSeq: false,
  } as const;
  return new Delivery(item, 0);
}

/** A connection that says what it was given, until it goes. */
export class Connection implements Subscriber {
  gone = false;
  onDeliver: (() => void) | undefined;

  constructor(
    private readonly fixture: LimiterFixture,
    readonly id: string,
    readonly routeKey: string,
    readonly kind: SubscriberKind,
  ) {}

  deliver(delivery: Delivery): boolean {
    if (this.gone) return false;
    this.fixture.went.push({
      to: this.id,
      item: delivery.item.id ?? '',
      at: this.fixture.clock.monotonic() - this.fixture.start,
    });
    this.onDeliver?.();
    return true;
  }

  recover(): void {}

  missed(): void {}

  expire(): void {}

  expiryDue(): void {}

  drain(): void {}

  fault(): void {}

  disconnect(): void {}

  view(): ConnectionView {
    return { id: this.id, kind: this.kind, client: '', since: '', channels: [], items: 0, waiting: 0 };
  }
}

/** A limiter and what is known of it. */
export class LimiterFixture {
  readonly clock = new ManualClock();
  readonly start = this.clock.monotonic();
  readonly limiter: RateLimiter;
  /** All deliveries, in order; `at` in ms from the start. */
  readonly went: { readonly to: string; readonly item: string; readonly at: number }[] = [];
  readonly lines: Line[] = [];
  readonly dropped: { readonly kind: string; readonly reason: string }[] = [];
  debug = false;

  /** 100 a second, 3 each 25 ms, without limits, if not told otherwise. */
  constructor(options: Partial<Pick<RateLimiterOptions, 'messageRate' | 'messageHwm' | 'messageBlockSize'>> = {}) {
    const note = (level: Line['level']) => (fields: object, message: string) =>
      void this.lines.push({ level, fields, message });
    const log: Log = { ...silentLog, isDebug: () => this.debug, warn: note('warn'), debug: note('debug') };
    this.limiter = new RateLimiter({
      clock: this.clock,
      messageRate: 100,
      messageHwm: Number.POSITIVE_INFINITY,
      messageBlockSize: Number.POSITIVE_INFINITY,
      ...options,
      events: { itemDropped: (kind, reason) => void this.dropped.push({ kind, reason }) },
      log,
    });
  }

  /** So many connections of one route: `a1`, `a2` and so on for the name `a`. */
  connections(count: number, name = 'a', route = '', kind: SubscriberKind = 'stream'): Connection[] {
    return Array.from({ length: count }, (_, i) => new Connection(this, `${name}${i + 1}`, route, kind));
  }

  /** How many deliveries were made at each time, in ms from the start. */
  get pace(): Record<number, number> {
    const pace: Record<number, number> = {};
    for (const { at } of this.went) pace[at] = (pace[at] ?? 0) + 1;
    return pace;
  }

  /** To whom deliveries went, in order. */
  get order(): string {
    return this.went.map(({ to }) => to).join(' ');
  }
}
