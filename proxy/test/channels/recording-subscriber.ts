/** A subscriber that writes down what it is given. */
import type { ConnectionView } from '@holdfast/control-api';
import type { Delivery } from '../../dist/channels/delivery.js';
import type { Subscriber, SubscriberKind } from '../../dist/channels/subscriber.js';

/** Notes each call in short: an item by its id, `recover`, `drain`. */
export class RecordingSubscriber implements Subscriber {
  static #made = 0;
  readonly id = `test-${++RecordingSubscriber.#made}`;
  routeKey = '';
  readonly kind: SubscriberKind;
  readonly heard: string[] = [];
  readonly #take: (delivery: Delivery) => boolean;

  /** `take` says whether an item was of use, and may do what else a subscriber does meanwhile. */
  constructor(kind: SubscriberKind = 'stream', take: (delivery: Delivery) => boolean = () => true) {
    this.kind = kind;
    this.#take = take;
  }

  /** Whether it would take an item that is for one subscriber. */
  isFree = true;

  takes(): boolean {
    return this.isFree;
  }

  deliver(delivery: Delivery): boolean {
    this.heard.push(delivery.item.id ?? '');
    return this.#take(delivery);
  }

  recover(): void {
    this.heard.push('recover');
  }

  missed(): void {
    this.heard.push('missed');
  }

  drain(): void {
    this.heard.push('drain');
  }

  expire(): void {
    this.heard.push('expire');
  }

  expiryDue(): void {
    this.heard.push('expiryDue');
  }

  fault(): void {}

  disconnect(): void {
    this.heard.push('disconnect');
  }

  view(): ConnectionView {
    return { id: this.id, kind: this.kind, client: '', since: '', channels: [], items: 0, waiting: 0 };
  }
}
