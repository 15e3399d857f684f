/** The record of a channel that a node is subscribed to, or was a moment ago. */
import type { ControlError } from '../../../errors.js';
import type { Message } from '../../backplane.js';
import type { SubscriberConnection } from '../connection/subscribers.js';
import type { ChannelKeys } from '../keys.js';
import type { ChannelCursor } from './cursor.js';

/** Interest that is not live yet, as its subscriber waits for it. */
export interface PendingInterest {
  /** When interest was declared, in ms by the monotonic clock. */
  readonly since: number;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: ControlError) => void;
}

/** One channel. */
export interface ChannelSubscription {
  /** Undefined for the internal channel of recovers. */
  readonly channel: string | undefined;
  readonly keys: ChannelKeys;
  /** Undefined once interest was withdrawn: what comes is dropped. */
  cursor: ChannelCursor<Message> | undefined;
  /** Until the interest is live. */
  pending: PendingInterest | undefined;
  /** Where SUBSCRIBE was sent, as long as that connection holds. */
  connection: SubscriberConnection | undefined;
  /** Its history is being read, or will be when it is its turn. */
  reading: boolean;
}

/** Makes a {@link PendingInterest}. */
export function pendingInterest(since: number): PendingInterest {
  let resolve: () => void = () => {};
  let reject: (error: ControlError) => void = () => {};
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  // The caller may ignore the promise.
  promise.catch(() => {});
  return { since, promise, resolve, reject };
}
