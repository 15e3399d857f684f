/** The format http-request: the request that an item makes to the server behind a callback. */
import { Buffer } from 'node:buffer';
import { headerPairs, headersField } from '../instruct/json-response.js';
import { Fields, quoted } from '../wire/fields.js';
import { isToken, type RawHeaders } from '../wire/head.js';
import {
  actionOf,
  addBytes,
  addContentFilters,
  type BareAction,
  type ContentFiltered,
  contentFiltersOf,
  type FormatJson,
  type FormatRow,
  sendBytes,
  textsBytes,
} from './format.js';

/** Makes one request. */
export interface HttpRequestSend extends ContentFiltered {
  readonly action: 'send';
  /** As published; POST if none was. */
  readonly method: string;
  /** What is put behind the URL of the callback: empty, or from a `/` or `?` on, and without dot segments. */
  readonly path: string;
  /** As published, framing headers included: the sender of the request drops those. */
  readonly headers: RawHeaders;
  readonly body: Buffer;
}

/** What an item does to callbacks. */
export type HttpRequestFormat = HttpRequestSend | BareAction<'hint' | 'close' | 'refresh'>;

/**
 * Characters of the method.
 *
 * @limit {} characters of the method of an item's request
 * @over the publish is refused, 400
 */
export const REQUEST_METHOD_MAX = 32;

/**
 * Characters of the path, query included.
 *
 * @limit {} characters of the path of an item's request
 * @over the publish is refused, 400
 */
export const REQUEST_PATH_MAX = 2_048;

/** CONNECT asks for a tunnel (RFC 9110 §9.3.6), and TRACE may have no body and shows what the request had (§9.3.8). */
const REFUSED: ReadonlySet<string> = new Set(['CONNECT', 'TRACE']);

function parse(value: unknown): HttpRequestFormat {
  const fields = new Fields(value, "'http-request'", 'ERR_GRIP_ITEM');
  const action = actionOf(fields);
  if (action !== 'send') return { action };
  const contentFilters = contentFiltersOf(fields);
  const method = methodOf(fields);
  const path = pathOf(fields);
  const headers = headersField(fields);
  const body = fields.bytes('body', 'body-bin') ?? Buffer.alloc(0);
  const send = { action, method, path, headers, body } as const;
  return contentFilters === undefined ? send : { ...send, contentFilters };
}

function methodOf(fields: Fields): string {
  const method = fields.string('method') ?? 'POST';
  if (method.length > REQUEST_METHOD_MAX || !isToken(method)) throw fields.invalid('method', 'the name of a method');
  if (REFUSED.has(method.toUpperCase())) {
    throw fields.error(`${fields.name} contains 'method' ${quoted(method)}, which is not sent`);
  }
  return method;
}

/** What may stand in a request target (RFC 9112 §3.2.1), for none may end the request line, or lead away from the callback. */
const PATH = /^(?:[/?][\x21-\x22\x24-\x5b\x5d-\x7e]*)?$/;

/** `.` and `..`, also where a dot is percent-encoded (WHATWG URL): they would lead out of the path of the callback. */
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:\/|$)/i;

function pathOf(fields: Fields): string {
  const path = fields.string('path') ?? '';
  if (path.length > REQUEST_PATH_MAX) throw fields.invalid('path', `of at most ${REQUEST_PATH_MAX} characters`);
  if (!PATH.test(path))
    throw fields.invalid('path', "printable ASCII without '#' and '\\', that begins with '/' or '?'");
  const [before = ''] = path.split('?', 1);
  if (DOT_SEGMENT.test(before)) throw fields.invalid('path', "without the segments '.' and '..'");
  return path;
}

function encode(format: HttpRequestFormat): FormatJson {
  if (format.action !== 'send') return { action: format.action };
  const json: FormatJson = { method: format.method };
  if (format.path !== '') json.path = format.path;
  if (format.headers.length > 0) json.headers = headerPairs(format.headers);
  addContentFilters(json, format);
  addBytes(json, 'body', format.body);
  return json;
}

function size(format: HttpRequestFormat): number {
  if (format.action !== 'send') return 0;
  const { method, path, headers, body } = format;
  return textsBytes([method, path]) + textsBytes(headers) + sendBytes(format, body.length);
}

/** The row of http-request. */
export const httpRequest = {
  name: 'http-request',
  kind: 'callback',
  label: 'callback',
  polls: false,
  members: new Set(['action', 'content-filters', 'method', 'path', 'headers', 'body', 'body-bin']),
  parse,
  encode,
  size,
  content: (format) => (format.action === 'send' ? format.body : undefined),
  withContent: (format, body) => ({ ...format, body }) as HttpRequestFormat,
} as const satisfies FormatRow<HttpRequestFormat>;
