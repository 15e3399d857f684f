/** The checks of `request_id_header`: the field must be free to be replaced on every request and answer. */
import type { Draft, Findings } from './combinations.js';

/** Fields that mean something to clients, origins or this proxy, in lower case. */
const TAKEN: ReadonlySet<string> = new Set([
  'authorization',
  'baggage',
  'cache-control',
  'cdn-loop',
  'client-cert',
  'client-cert-chain',
  'connection',
  'connection-id',
  'cookie',
  'date',
  'etag',
  'expect',
  'forwarded',
  'host',
  'keep-alive',
  'last-event-id',
  'link',
  'location',
  'origin',
  'pub-meta',
  'pushpin-check',
  'pushpin-route',
  'range',
  'referer',
  'retry-after',
  'set-cookie',
  'sub-meta',
  'te',
  'traceparent',
  'tracestate',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'vary',
  'via',
  'www-authenticate',
]);

const BEGINNINGS = /^(accept|access-control-|content-|eb9bf0f5-|grip-|http2-|if-|meta-|proxy|sec-|x-forwarded-)/;

/** Refuses a name that other parts of HTTP or GRIP need, and an answer with an id where there is none. An empty name is none. */
export function checkRequestId(draft: Draft, found: Findings): void {
  if (draft.requestIdHeader === '') draft.requestIdHeader = undefined;
  const { requestIdHeader, requestIdResponse } = draft;
  const header = found.given.get('request_id_header');
  const lower = requestIdHeader?.toLowerCase().replace(/[^a-z0-9]/g, '-') ?? '';
  if (header !== undefined && (TAKEN.has(lower) || BEGINNINGS.test(lower)))
    found.fail(
      'ERR_CONFIG_VALUE',
      header,
      'this field means something else: choose another name, such as X-Request-Id',
    );
  const response = found.given.get('request_id_response');
  if (requestIdResponse && requestIdHeader === undefined && response !== undefined)
    found.fail('ERR_CONFIG_CONFLICT', response, 'there is no id to send: set request_id_header');
}
