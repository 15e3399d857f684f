/** What goes between clients and this process: connections and for how long, bytes, messages and closes. */
import { zeroCounts } from '@holdfast/grip';
import type { SubscriberKind } from '../../channels/subscriber.js';
import type { TrafficEvents } from '../../channels/subscriber-deps.js';
import type { Series } from './series.js';

/** Codes that have a meaning of their own (RFC 6455 §7.4.1); the ranges above them are each one label. */
const FIRST_CODE = 1000;
const LAST_CODE = 1015;

/** The label of a Close frame: its code, the range of one that applications choose, or that it had none. */
export function closeLabel(code: number | undefined): string {
  if (code === undefined) return 'none';
  if (code >= FIRST_CODE && code <= LAST_CODE) return String(code);
  if (code >= 3000 && code < 5000) return code < 4000 ? '3xxx' : '4xxx';
  return 'other';
}

/** Plain numbers; `now` is in ms, of a clock that is never set. */
export class Traffic implements TrafficEvents {
  readonly #sent = { ...zeroCounts(), relay: 0 };
  readonly #received = { all: 0 };
  readonly #messages = { ws: 0 };
  readonly #closes: Record<string, number> = {};
  readonly #opened = { all: 0 };
  readonly #now: () => number;
  #open = 0;
  /** Milliseconds of all connections together, up to `#since`. */
  #connected = 0;
  #since = 0;

  constructor(series: Series, now: () => number = () => performance.now()) {
    this.#now = now;
    series.tally(
      'bytes_sent_total',
      'Bytes of content written to clients, before compression, framing and TLS, by kind.',
      'kind',
      this.#sent,
    );
    series.tally(
      'bytes_received_total',
      'Bytes of request bodies and of messages that clients have sent.',
      undefined,
      this.#received,
    );
    series.tally('messages_received_total', 'Messages that clients have sent, by kind.', 'kind', this.#messages);
    series.tally('closes_sent_total', 'WebSocket Close frames sent to clients, by code.', 'code', this.#closes);
    series.tally(
      'connections_opened_total',
      'Client connections opened, those included that were refused.',
      undefined,
      this.#opened,
    );
    series.collected('connected_seconds_total', 'Seconds that client connections have lasted, added up.', [], () => {
      this.#pass();
      return [[{}, this.#connected / 1_000]];
    });
  }

  connectionOpened(): void {
    this.#opened.all++;
    this.#pass();
    this.#open++;
  }

  connectionClosed(): void {
    this.#pass();
    this.#open--;
  }

  bytesSent(kind: SubscriberKind, bytes: number): void {
    this.#sent[kind] += bytes;
  }

  /** An answer that was not held is over, after so many bytes of body. */
  relayed(bytes: number): void {
    this.#sent.relay += bytes;
  }

  /** A part of a request's body has come. */
  bodyReceived(bytes: number): void {
    this.#received.all += bytes;
  }

  messageReceived(bytes: number): void {
    this.#messages.ws++;
    this.#received.all += bytes;
  }

  closeSent(code: number | undefined): void {
    const label = closeLabel(code);
    this.#closes[label] = (this.#closes[label] ?? 0) + 1;
  }

  /** Adds the time since the last change for all that were open. */
  #pass(): void {
    const now = this.#now();
    this.#connected += this.#open * (now - this.#since);
    this.#since = now;
  }
}
