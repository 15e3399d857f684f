/** The routes of the control API for callbacks: /subscriptions, and one for each id. */

import { ControlError } from '../errors.js';
import { type Answer, answerTo, created, forbidden, shown } from '../http/answer.js';
import type { Principal, RouteQuery, Scope } from '../http/router.js';
import type { CallbackRecord } from './callback.js';
import type { Callbacks } from './callbacks.js';
import { readCallbackBody } from './read-callback.js';
import type { Backlog } from './store.js';

/**
 * Callbacks of one answer.
 *
 * @limit {} callbacks of one answer of `GET /subscriptions`
 * @over the others are in the next one, by its cursor
 */
export const CALLBACKS_PER_PAGE = 100;

/** What a handler needs of a request. */
export interface CallbackRouteCall {
  readonly params: Readonly<Record<string, string>>;
  readonly principal: Principal | undefined;
  readonly query?: string | undefined;
  readonly body: Buffer;
}

/** One row, but for its form of answers. */
export interface CallbackRoute {
  readonly method: string;
  readonly path: string;
  readonly query?: RouteQuery;
  readonly scope: Scope;
  readonly format: 'json';
  readonly handler: (call: CallbackRouteCall) => Promise<Answer>;
}

/** The rows. A key that is for some channels may see and change what is on none but these. */
export function callbackRoutes(callbacks: Callbacks): CallbackRoute[] {
  const one = { path: '/subscriptions/{id+}', format: 'json' } as const;
  const answering =
    (act: (call: CallbackRouteCall, id: string) => Promise<Answer>) =>
    async (call: CallbackRouteCall): Promise<Answer> => {
      try {
        return await act(call, call.params.id ?? '');
      } catch (error) {
        return answerTo(error);
      }
    };
  const page = answering(async ({ query, principal }) => {
    const after = query === undefined ? null : new URLSearchParams(query).get('after');
    const { records, next } = await callbacks.list(after === null ? undefined : cursorOf(after), CALLBACKS_PER_PAGE);
    const visible = records.filter((record) => covers(principal, 'view', record));
    return shown({ subscriptions: visible.map(viewOf), ...(next !== undefined && { next }) });
  });
  return [
    {
      method: 'GET',
      path: '/subscriptions/?',
      query: { names: ['after'], others: 'elsewhere' },
      scope: 'view',
      format: 'json',
      handler: page,
    },
    {
      ...one,
      method: 'GET',
      scope: 'view',
      handler: answering(async ({ principal }, id) => {
        const record = await callbacks.read(id);
        return covers(principal, 'view', record) ? shown(viewOf(record)) : forbidden;
      }),
    },
    {
      ...one,
      method: 'PUT',
      scope: 'subscribe',
      handler: answering(async ({ body, principal }, id) => {
        const request = readCallbackBody(id, body);
        for (const { name } of request.channels) {
          const refused = principal?.refuseChannel('subscribe', name);
          if (refused !== undefined) return refused;
        }
        if (!(await mayChange(callbacks, principal, id))) return forbidden;
        const isNew = await callbacks.make(request);
        const view = viewOf(await callbacks.read(id));
        return isNew ? created(view) : shown(view);
      }),
    },
    {
      ...one,
      method: 'DELETE',
      scope: 'subscribe',
      handler: answering(async ({ principal }, id) => {
        if (!(await mayChange(callbacks, principal, id))) return forbidden;
        const ended = await callbacks.cancel(id);
        if (ended === undefined) throw new ControlError('ERR_CALLBACK_UNKNOWN', 'No such subscription.');
        return shown({ id, ended: true });
      }),
    },
  ];
}

/** Whether a caller may change the callback that has this id now, if any. */
async function mayChange(callbacks: Callbacks, principal: Principal | undefined, id: string): Promise<boolean> {
  if (principal === undefined || principal.isUnlimited('subscribe')) return true;
  try {
    return covers(principal, 'subscribe', await callbacks.read(id));
  } catch (error) {
    if (error instanceof ControlError && error.code === 'ERR_CALLBACK_UNKNOWN') return true;
    throw error;
  }
}

function covers(principal: Principal | undefined, scope: Scope, { callback }: CallbackRecord): boolean {
  if (principal === undefined || principal.isUnlimited(scope)) return true;
  return callback.channels.every(({ name }) => principal.refuseChannel(scope, name) === undefined);
}

/** A callback as it is shown: all but its secret. */
function viewOf({ callback, status, backlog }: CallbackRecord & { readonly backlog?: Backlog }): object {
  const { id, url, channels, meta, expires } = callback;
  const { state, failures, error, errorAt, lost } = status;
  return {
    id,
    url,
    channels,
    ...(Object.keys(meta).length > 0 && { meta }),
    state,
    expires: timeOf(expires),
    failures,
    ...(error !== undefined && { error }),
    ...(errorAt !== undefined && { 'error-at': timeOf(errorAt) }),
    lost,
    ...(backlog !== undefined && { backlog: backlog.items }),
  };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** Cursors are made by the store, and read by it: of others no more than their form is looked at. */
function cursorOf(text: string): string {
  if (/^\d{1,16}(?:\.\d{1,16})?$/.test(text)) return text;
  throw new ControlError('ERR_CALLBACK_REFUSED', 'There is no such cursor.');
}
