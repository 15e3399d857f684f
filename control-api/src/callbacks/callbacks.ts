/** The callbacks of a node, as the control API and the answers of origins make, show and end them. */
import { ControlError } from '../errors.js';
import type { Clock } from '../runtime/clock.js';
import type { CallbackRecord } from './callback.js';
import type { AddressPolicy, CallbackDeliverer } from './deliverer.js';
import { assertId, type CallbackRequest, checkCallback } from './read-callback.js';
import type { Backlog, CallbackPage, CallbackStore } from './store.js';

/** What {@link Callbacks} are made of. */
export interface CallbacksOptions {
  readonly store: CallbackStore;
  readonly deliverer: CallbackDeliverer;
  readonly addresses: AddressPolicy;
  readonly channelNameMax: number;
  readonly clock: Clock;
}

/** Methods reject with `ControlError`: ERR_CALLBACK_REFUSED for what cannot be, ERR_CALLBACKS_FULL, and those of the store. */
export class Callbacks {
  readonly #options: CallbacksOptions;

  constructor(options: CallbacksOptions) {
    this.#options = options;
  }

  /** To be called once, when the backplane has started. */
  start(): Promise<void> {
    return this.#options.deliverer.start();
  }

  /** Makes a callback, or makes it anew; resolves with whether it was not there before, once items wait for it. */
  async make(request: CallbackRequest): Promise<boolean> {
    const { store, addresses, channelNameMax, clock } = this.#options;
    const isAllowed = (host: string) => addresses.isAllowed(host);
    return await store.put(checkCallback(request, { isAllowed, channelNameMax, now: clock.wall() }));
  }

  /** Ends a callback; resolves with the one that there was. */
  async cancel(id: string): Promise<CallbackRecord | undefined> {
    assertId(id);
    return await this.#options.store.remove(id);
  }

  /** @throws ControlError ERR_CALLBACK_UNKNOWN, too */
  async read(id: string): Promise<CallbackRecord & { readonly backlog: Backlog }> {
    assertId(id);
    const record = await this.#options.store.read(id);
    if (record === undefined) throw new ControlError('ERR_CALLBACK_UNKNOWN', 'No such subscription.');
    return record;
  }

  list(after: string | undefined, limit: number): Promise<CallbackPage> {
    return this.#options.store.list(after, limit);
  }

  /** Callbacks on a channel that this node keeps. */
  countOn(channel: string): number {
    return this.#options.deliverer.countOn(channel);
  }

  /** Sends nothing new, and has other nodes see to the callbacks. Never rejects. */
  close(): Promise<void> {
    return this.#options.deliverer.close();
  }
}
