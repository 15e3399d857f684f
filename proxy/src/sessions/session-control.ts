/**
 * Owns: carrying out what an origin says to the proxy in the midst of a session: its control messages. Does not own:
 * their syntax, or the session.
 */
import type { Log } from '@holdfast/control-api';
import type { WsControl, WsControlInvalid } from '@holdfast/grip';
import type { SessionOutput } from './session-output.js';
import type { Subscriptions } from './subscriptions.js';
import type { TimedMessages } from './timed-messages.js';

/** The session. */
export interface SessionControlOwner {
  readonly id: string;
  /** The origin leaves, and the client stays. */
  detach(): void;
  /** A subscription was made; `live` is as of `ChannelRegistry.add`. */
  watch(live: Promise<void> | undefined): void;
  /** The origin wants more filters than there may be. */
  overFiltered(text: string): void;
}

/** What control messages have an effect on. */
export interface SessionControlParts {
  readonly subscriptions: Subscriptions;
  readonly output: SessionOutput;
  readonly timed: TimedMessages;
  readonly log: Log;
}

/** Made for sessions whose origins send control messages. */
export class SessionControl {
  readonly #owner: SessionControlOwner;
  readonly #parts: SessionControlParts;

  constructor(owner: SessionControlOwner, parts: SessionControlParts) {
    this.#owner = owner;
    this.#parts = parts;
  }

  /** Carries one out, at once; one that is invalid is ignored. */
  obey(control: WsControl | WsControlInvalid): void {
    const { subscriptions, timed, log } = this.#parts;
    switch (control.type) {
      case 'subscribe':
        this.#subscribe(control.channel, control.filters);
        break;
      case 'unsubscribe':
        this.#unsubscribe(control.channel);
        break;
      case 'detach':
        this.#owner.detach();
        break;
      case 'set-meta':
        subscriptions.setMeta(control.name, control.value);
        break;
      case 'keep-alive':
        timed.keepAlive(control);
        break;
      case 'send-delayed':
        timed.delay(control);
        break;
      case 'flush-delayed':
        timed.flush();
        break;
      case 'session':
        // The name is for an external state service, of which there is none.
        break;
      case 'invalid':
        log.debug({ id: this.#owner.id, reason: control.reason }, 'control message ignored');
    }
  }

  #subscribe(channel: string, filters: readonly string[]): void {
    const { subscriptions, output, log } = this.#parts;
    const { outcome, channel: name, isNew, live } = subscriptions.add(channel, filters);
    this.#owner.watch(live);
    if (outcome === 'subscribed' && isNew) output.subscribed(name, live);
    if (outcome === 'too-many-filters') this.#owner.overFiltered(`too many filters for channel '${channel}'`);
    else if (outcome === 'too-many-channels') {
      log.debug({ id: this.#owner.id, channel }, 'subscription ignored: too many channels');
    }
  }

  #unsubscribe(channel: string): void {
    const left = this.#parts.subscriptions.remove(channel);
    if (left !== undefined) this.#parts.output.unsubscribed(left);
  }
}
