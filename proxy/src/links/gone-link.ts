/** Owns: telling an origin that a connection it held is over (GRIP `rel=gone`). Does not own: when that is. */
import type { GoneLink } from '@holdfast/grip';
import type { AnswerSink, OriginHandler } from '../origin/port.js';
import type { LinkClient } from './link-client.js';
import type { LinkScope } from './link-scope.js';

/**
 * Most bytes of an answer that are read, so that its connection can be used again; with more it is broken off.
 *
 * @limit {} bytes of the answer to a gone link
 * @over it is broken off
 */
export const ANSWER_MAX = 100_000;

/** Posts to the link once, with an empty body, if it leads anywhere. The answer is not used, and a failure only logged. */
export function reportGone(link: GoneLink, scope: LinkScope, client: LinkClient): void {
  const place = client.place(link.uri, scope);
  if (place.kind === 'nowhere') return;
  let bytes = 0;
  const handler: OriginHandler & AnswerSink = {
    onInformation() {},
    onHead: ({ status }) => {
      if (status > 299) client.tell(`gone link not taken: it was answered ${status}`, place.url, scope);
      return handler;
    },
    onData: (chunk) => {
      bytes += chunk.length;
      if (bytes > ANSWER_MAX) call.abort();
      return true;
    },
    onEnd() {},
    onError: (error) => client.tell(`gone link not delivered: ${error.message}`, place.url, scope, error),
  };
  const call = client.send({ method: 'POST', place, headers: [], body: Buffer.alloc(0) }, handler);
}
