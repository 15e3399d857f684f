/** The composition of callbacks, by the process that has the backplane; and how workers reach it. */
import { isIP } from 'node:net';
import {
  type AddressPolicy,
  type Callback,
  CallbackDeliverer,
  type CallbackReports,
  type CallbackStore,
  Callbacks,
  type CallbackWork,
  type Containment,
  ControlError,
  type CustomerEvents,
  type Log,
} from '@holdfast/control-api';
import type { Config } from '../config/config.js';
import { AddressRanges } from '../config/types/address-ranges.js';
import { isPrivate, lookupWithin } from '../origin/connect-options.js';
import type { CallbackOffice, CallbackOrder, CallbackOutcome } from '../request/callback-order.js';
import type { Clock } from '../runtime/clock.js';
import type { Metrics } from '../telemetry/metrics.js';

/** What they are made of, beside the configuration. */
export interface CallbackParts {
  /** Makes the store, where there are to be any. */
  readonly store: () => CallbackStore & CallbackWork;
  /** Undefined where the customer's own system is sent none. */
  readonly events: CustomerEvents | undefined;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly faults: Containment;
  readonly clock: Clock;
}

/** Makes them, and nothing is sent yet; undefined where they are off. */
export function makeCallbacks(config: Config, parts: CallbackParts): Callbacks | undefined {
  if (!config.callbacks) return undefined;
  const { events, log, metrics, faults, clock } = parts;
  const store = parts.store();
  const addresses = addressPolicy(config.callbacksAllow);
  const deliverer = new CallbackDeliverer({
    store,
    addresses,
    hostMax: config.callbacksHostMax,
    patience: config.callbacksPatience,
    clock,
    random: Math.random,
    reports: reportsTo(metrics, events, clock),
    log,
    faults,
  });
  metrics.callbacks.observe(
    () => deliverer.count(),
    () => deliverer.underWay,
  );
  return new Callbacks({ store, deliverer, addresses, channelNameMax: config.channelNameMax, clock });
}

/** Public addresses, and those of the ranges. */
function addressPolicy(ranges: readonly string[]): AddressPolicy {
  const allowed = new AddressRanges(ranges);
  const mayHave = (address: string) => !isPrivate(address) || allowed.has(address);
  return {
    isAllowed: (host) => {
      const address = host.replace(/^\[(.*)\]$/, '$1');
      return isIP(address) === 0 || mayHave(address);
    },
    lookup: lookupWithin(mayHave),
  };
}

function reportsTo(metrics: Metrics, events: CustomerEvents | undefined, clock: Clock): CallbackReports {
  const { callbacks } = metrics;
  const about = ({ id, channels }: Callback) => ({
    subscription: id,
    channels: channels.map(({ name }) => name),
    time: new Date(clock.wall()).toISOString(),
  });
  return {
    asked: (kind, result) => {
      callbacks.asked(kind, result);
      if (kind === 'item' && result === 'taken') metrics.itemSent('callback');
    },
    dropped: (callback, reason, count) => {
      callbacks.dropped(reason, count);
      const { channels, ...fields } = about(callback);
      // The item's own channel is not known of those that had to go.
      const channel = channels.length === 1 ? { channel: channels[0] as string } : {};
      events?.report({ type: 'item_dropped', ...channel, kind: 'callback', reason, count, ...fields });
    },
    parked: (callback, { error, failures }) => {
      callbacks.parked();
      events?.report({ type: 'subscription_parked', ...about(callback), error, failures });
    },
    ended: (callback, reason) => {
      callbacks.ended(reason);
      events?.report({ type: 'subscription_ended', ...about(callback), reason });
    },
  };
}

/** Carries out what origins ask for. */
export function callbackOffice(callbacks: Callbacks): CallbackOffice {
  return async (order) => {
    try {
      if (order.action === 'make') await callbacks.make(order.request);
      else await callbacks.cancel(order.id);
      return { result: 'done' };
    } catch (error) {
      const isRefused = error instanceof ControlError && error.code === 'ERR_CALLBACK_REFUSED';
      return { result: isRefused ? 'refused' : 'unavailable', reason: (error as Error).message };
    }
  };
}

/** That of a worker: its primary is asked. Undefined where callbacks are off. */
export function workerCallbacks(
  { callbacks }: Pick<Config, 'callbacks'>,
  ask: (order: CallbackOrder) => Promise<unknown>,
): CallbackOffice | undefined {
  if (!callbacks) return undefined;
  return (order) =>
    ask(order).then(
      (outcome) => outcome as CallbackOutcome,
      (error: Error) => ({ result: 'unavailable', reason: error.message }),
    );
}
