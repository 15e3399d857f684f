/** A callback: the durable subscription of a server, to which items are sent as requests. What it is, and how far it has come. */

/** A channel that a callback is on. */
export interface CallbackChannel {
  /** Full name. */
  readonly name: string;
  /** Names of filters, in the order in which they run; none that asks a server. */
  readonly filters: readonly string[];
}

/** What a callback is from its maker. */
export interface Callback {
  readonly id: string;
  /** http or https, without user, password and fragment. */
  readonly url: string;
  /** Keys of Standard Webhooks, see `readEventKeys`. Never shown. */
  readonly secret: string;
  /** What the names that its origin knows its channels by lack: the prefix of the route. Empty for callers of the control API. */
  readonly prefix: string;
  /** At least one, no two of one name. */
  readonly channels: readonly CallbackChannel[];
  /** Of the subscription, for filters. Without prototype. */
  readonly meta: Readonly<Record<string, string>>;
  /** When it ends, in ms since the epoch. */
  readonly expires: number;
}

/**
 * `pending`: the server has not confirmed yet that it wants the callback, and nothing is sent. `active`: items are sent as they come.
 * `parked`: nothing is sent until it is made anew; its items wait.
 */
export type CallbackState = 'pending' | 'active' | 'parked';

/** How a callback fares. */
export interface CallbackStatus {
  readonly state: CallbackState;
  /** Its server has confirmed that it wants it. */
  readonly confirmed: boolean;
  /** Attempts that have failed since the last one that did not. */
  readonly failures: number;
  /** What was wrong with the last of these: `status 503`, or a code of the system. Undefined where there was none. */
  readonly error: string | undefined;
  /** When that was, in ms since the epoch. */
  readonly errorAt: number | undefined;
  /** When the attempts began that have failed since, likewise. */
  readonly failingSince: number | undefined;
  /** Items that had to go because too many waited. */
  readonly lost: number;
}

/** As a callback begins. */
export const freshStatus: CallbackStatus = {
  state: 'pending',
  confirmed: false,
  failures: 0,
  error: undefined,
  errorAt: undefined,
  failingSince: undefined,
  lost: 0,
};

/** A callback as it is kept. */
export interface CallbackRecord {
  readonly callback: Callback;
  readonly status: CallbackStatus;
  /** Grows whenever the callback is made anew: what was found out about an earlier one does not count. */
  readonly version: number;
}

/** The status of a callback that is made anew: one that has confirmed this URL need not do it again, and one that was parked tries again. */
export function renewedStatus(known: CallbackRecord | undefined, { url }: Callback): CallbackStatus {
  if (known === undefined) return freshStatus;
  const confirmed = known.status.confirmed && known.callback.url === url;
  return { ...freshStatus, confirmed, lost: known.status.lost, state: confirmed ? 'active' : 'pending' };
}
