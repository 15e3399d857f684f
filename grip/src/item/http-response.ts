/** The format http-response: what an item does to response holds. */
import type { Buffer } from 'node:buffer';
import { codeField, headerPairs, headersField, reasonField } from '../instruct/json-response.js';
import { Fields, type Writable } from '../wire/fields.js';
import { type RawHeaders, reasonPhrase } from '../wire/head.js';
import { readJson } from '../wire/json.js';
import { textFromWire } from '../wire/text.js';
import { checkedPatch } from './body-patch.js';
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

interface HttpResponseHead extends ContentFiltered {
  readonly action: 'send';
  /** 200 to 999. */
  readonly code: number;
  /** Latin-1; the IANA phrase of the code if none was published. */
  readonly reason: string;
  /** As published, Grip-* and framing headers included: the hold drops those. */
  readonly headers: RawHeaders;
}

/**
 * Answers a response hold, either with a body or with an RFC 6902 patch of the held body; test `bodyPatch`. That is the JSON
 * of operations which have been checked, and is parsed anew for each body: what is parsed once would be shared.
 */
export type HttpResponseSend = HttpResponseHead &
  ({ readonly body: Buffer; readonly bodyPatch?: never } | { readonly bodyPatch: string; readonly body?: never });

/** What an item does to response holds. */
export type HttpResponseFormat = HttpResponseSend | BareAction<'hint' | 'close' | 'refresh'>;

function parse(value: unknown): HttpResponseFormat {
  const fields = new Fields(value, "'http-response'", 'ERR_GRIP_ITEM');
  const action = actionOf(fields);
  if (action !== 'send') return { action };
  const code = codeField(fields) ?? 200;
  const head: Writable<HttpResponseHead> = {
    action,
    code,
    reason: reasonField(fields) ?? reasonPhrase(code),
    headers: headersField(fields),
  };
  const contentFilters = contentFiltersOf(fields);
  if (contentFilters !== undefined) head.contentFilters = contentFilters;
  const body = fields.bytes('body', 'body-bin');
  if (body) return { ...head, body };
  const bodyPatch = checkedPatch(fields, 'body-patch');
  if (bodyPatch !== undefined) return { ...head, bodyPatch };
  throw fields.error(`${fields.name} does not contain 'body', 'body-bin', or 'body-patch'`);
}

function encode(format: HttpResponseFormat): FormatJson {
  if (format.action !== 'send') return { action: format.action };
  const json: FormatJson = { code: format.code };
  const reason = textFromWire(format.reason);
  if (reason !== '') json.reason = reason;
  json.headers = headerPairs(format.headers);
  addContentFilters(json, format);
  if (format.bodyPatch === undefined) addBytes(json, 'body', format.body);
  else json['body-patch'] = readJson(format.bodyPatch).value;
  return json;
}

function size(format: HttpResponseFormat): number {
  if (format.action !== 'send') return 0;
  const body = format.bodyPatch === undefined ? format.body.length : 2 * format.bodyPatch.length;
  return textsBytes(format.headers) + 2 * format.reason.length + sendBytes(format, body);
}

/** The row of http-response. */
export const httpResponse = {
  name: 'http-response',
  kind: 'response',
  label: 'hold response',
  polls: true,
  members: new Set(['action', 'code', 'reason', 'headers', 'content-filters', 'body', 'body-bin', 'body-patch']),
  parse,
  encode,
  size,
  content: (format) => (format.action === 'send' ? format.body : undefined),
  withContent: (format, body) => ({ ...format, body }) as HttpResponseFormat,
} as const satisfies FormatRow<HttpResponseFormat>;
