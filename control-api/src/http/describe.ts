/** Requests in the log: by what they are found, without anything that may be a secret. */
import type { IncomingMessage } from 'node:http';

/** Characters of a path, or of a header field, in the log: as long as it may be, it need not be there. */
const MAX_LOGGED = 200;

/** Of every request. */
export function describeRequest({ method, url, socket }: IncomingMessage): object {
  return { method, path: url === undefined ? undefined : withoutQuery(url), client: socket.remoteAddress };
}

/** By what a page, or a name that leads here, is found. */
export function describePage({ headers }: IncomingMessage): object {
  const { origin, host, referer } = headers;
  return {
    origin: origin?.slice(0, MAX_LOGGED),
    host: host?.slice(0, MAX_LOGGED),
    referer: referer === undefined ? undefined : withoutQuery(referer),
  };
}

/** Somebody may have put a key into the query, where it does not count. */
function withoutQuery(url: string): string {
  const at = url.indexOf('?');
  return at < 0 ? url.slice(0, MAX_LOGGED) : `${url.slice(0, Math.min(at, MAX_LOGGED))}?…`;
}
