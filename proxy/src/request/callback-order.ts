/** What an origin's answer asks for about a callback, as this node's control side carries it out: it is made or ended before the answer goes on. */
import type { CallbackRequest } from '@holdfast/control-api';
import { GripError, type Instruct } from '@holdfast/grip';
import { channelOf, type LimitEvents, refusedChannel } from '../routes/channel-name.js';
import type { Route } from '../routes/route.js';

/** Plain data: it may have to go to another process. */
export type CallbackOrder =
  | { readonly action: 'make'; readonly request: CallbackRequest }
  | { readonly action: 'cancel'; readonly id: string };

/**
 * What has become of an order. `refused`: it asks for what cannot be. `unavailable`: it could not be carried out for now. The reason is
 * for people.
 */
export type CallbackOutcome =
  | { readonly result: 'done' }
  | { readonly result: 'refused' | 'unavailable'; readonly reason: string };

/** Carries orders out. Never rejects. */
export type CallbackOffice = (order: CallbackOrder) => Promise<CallbackOutcome>;

/**
 * The order of an instruct, with full names: the id has the prefix of the route as channels have it, so that no origin can change the
 * callbacks of another one. Undefined where there is none.
 * @throws GripError ERR_GRIP_INSTRUCT for a name that the route may not have
 */
export function orderOf({ callback, meta }: Instruct, route: Route, events: LimitEvents): CallbackOrder | undefined {
  if (callback === undefined) return undefined;
  const nameOf = (name: string) => {
    const full = channelOf(route, name);
    if (full === undefined) throw new GripError('ERR_GRIP_INSTRUCT', refusedChannel(route, name, events));
    return full;
  };
  const id = nameOf(callback.id);
  if (callback.action === 'cancel') return { action: 'cancel', id };
  const { url, secret, ttl } = callback;
  const channels = callback.channels.map(({ name, filters }) => ({ name: nameOf(name), filters }));
  // Without a prototype it could not go to another process.
  const request = { id, url, secret, prefix: route.prefix, channels, meta: { ...meta }, ttl };
  return { action: 'make', request };
}
