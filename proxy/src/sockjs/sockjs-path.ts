/** What the paths of SockJS mean (protocol 0.3). */
import { isCallbackName } from '../cross-origin/jsonp.js';
import { parametersOf, pathnameOf } from '../http/request-path.js';

/** Ways in which a client receives over HTTP. Each name is the last part of its path. */
export const receivingTransports = ['xhr', 'xhr_streaming', 'eventsource', 'htmlfile', 'jsonp'] as const;

export type ReceivingTransport = (typeof receivingTransports)[number];

/** Ways in which it sends over HTTP. */
export const sendingTransports = ['xhr_send', 'jsonp_send'] as const;

export type SendingTransport = (typeof sendingTransports)[number];

/** What a path under the prefix of a SockJS service stands for. `session` is as in the path, not decoded. */
export type SockJsPlace =
  | { readonly kind: 'greeting' | 'info' | 'iframe' | 'raw-websocket' | 'nothing' }
  | { readonly kind: 'websocket'; readonly session: string }
  | { readonly kind: 'receive'; readonly transport: ReceivingTransport; readonly session: string }
  | { readonly kind: 'send'; readonly transport: SendingTransport; readonly session: string };

/**
 * Longest id of a session, in characters: it is kept as long as the session is known, and clients make up few. With a longer
 * one a path stands for nothing.
 *
 * @limit SockJS: {} characters of a session's id
 * @over 404
 */
export const SESSION_ID_MAX = 256;

/** `/server/session/transport`. The protocol has no dots in the first two, and the server is for load balancers only. */
const SESSION = /^\/[^/.]+\/([^/.]+)\/([a-z_]+)$/;

const IFRAME = /^\/iframe[^/]*\.html$/;

/** Whether a request is for the SockJS service of a route whose `sockjs` is `prefix`; `path` may have a query. */
export function isSockJsPath(prefix: string | undefined, path: string): prefix is string {
  return prefix !== undefined && path.startsWith(prefix);
}

/** The prefix as what other parts of a path come after. */
export function basePath(prefix: string): string {
  let end = prefix.length;
  while (prefix[end - 1] === '/') end--;
  return prefix.slice(0, end);
}

/** Reads a path for which `isSockJsPath` is true. Never throws. */
export function readPlace(prefix: string, path: string): SockJsPlace {
  const rest = pathnameOf(path).slice(basePath(prefix).length);
  if (rest === '' || rest === '/') return { kind: 'greeting' };
  if (rest === '/info') return { kind: 'info' };
  if (rest === '/websocket') return { kind: 'raw-websocket' };
  if (IFRAME.test(rest)) return { kind: 'iframe' };
  const [, session = '', last = ''] = SESSION.exec(rest) ?? [];
  if (session === '' || session.length > SESSION_ID_MAX) return { kind: 'nothing' };
  if (last === 'websocket') return { kind: 'websocket', session };
  const receiving = receivingTransports.find((name) => name === last);
  if (receiving !== undefined) return { kind: 'receive', transport: receiving, session };
  const sending = sendingTransports.find((name) => name === last);
  if (sending !== undefined) return { kind: 'send', transport: sending, session };
  return { kind: 'nothing' };
}

/** Methods of a transport's requests. */
export function methodsOf(transport: string): readonly string[] {
  switch (transport) {
    case 'eventsource':
    case 'htmlfile':
      return ['GET'];
    case 'jsonp':
    case 'jsonp_send':
      return ['GET', 'POST'];
    default:
      return ['POST'];
  }
}

/** What a query names for its answer to call, as `c` or `callback`. */
function namedCallback(path: string): string {
  const query = parametersOf(path);
  return query.get('callback') ?? query.get('c') ?? '';
}

/** The function that a query names for its answer; undefined when there is none that may be called. */
export function callbackOf(path: string): string | undefined {
  const name = namedCallback(path);
  return isCallbackName(name) ? name : undefined;
}

/** Why a query has no callback, for its client. */
export function callbackFault(path: string): string {
  return namedCallback(path) === '' ? '"callback" parameter required' : 'invalid "callback" parameter';
}
