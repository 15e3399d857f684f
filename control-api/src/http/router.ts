/**
 * What is behind the paths of the control API.
 *
 * Owns: path and method → action or answer. Does not own: doing it (server.ts).
 */
import type { IncomingMessage } from 'node:http';
import { type Answer, lengthRequired, methodNotAllowed, notFound, root } from './answer.js';

/** What a request can ask for. */
export type Action = 'publish' | 'recover';

/** What to do, or the answer where nothing is to be done. Exact paths: a query string makes another one. */
export function route(request: IncomingMessage): Action | Answer {
  switch (request.url) {
    case '/':
      return root;
    case '/publish':
    case '/publish/':
      return request.method === 'POST' ? publishOf(request) : methodNotAllowed(request.method ?? '');
    case '/recover':
    case '/recover/':
      return request.method === 'POST' ? 'recover' : methodNotAllowed(request.method ?? '');
    default:
      return notFound;
  }
}

/** Without any framing the body is lost (HTTP/1.0 clients that end it by closing), and an empty one is no publish. */
function publishOf({ headers }: IncomingMessage): Action | Answer {
  const framed = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  return framed ? 'publish' : lengthRequired;
}

/** The answer of a request that {@link route} refused, if it did. */
export function refusalIn(target: Action | object): Answer | undefined {
  return typeof target === 'object' && 'code' in target ? (target as Answer) : undefined;
}
