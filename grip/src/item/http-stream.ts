/** The format http-stream: what an item does to stream holds. */
import type { Buffer } from 'node:buffer';
import { Fields } from '../wire/fields.js';
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
} from './format.js';

/** Appends content to stream holds. */
export interface HttpStreamSend extends ContentFiltered {
  readonly action: 'send';
  readonly content: Buffer;
}

/** What an item does to stream holds. */
export type HttpStreamFormat = HttpStreamSend | BareAction<'hint' | 'close' | 'refresh'>;

function parse(value: unknown): HttpStreamFormat {
  const fields = new Fields(value, "'http-stream'", 'ERR_GRIP_ITEM');
  const action = actionOf(fields);
  if (action !== 'send') return { action };
  const contentFilters = contentFiltersOf(fields);
  const content = fields.bytes('content', 'content-bin');
  if (!content) throw fields.error(`${fields.name} does not contain 'content' or 'content-bin'`);
  return contentFilters === undefined ? { action, content } : { action, content, contentFilters };
}

function encode(format: HttpStreamFormat): FormatJson {
  if (format.action !== 'send') return { action: format.action };
  const json: FormatJson = {};
  addContentFilters(json, format);
  addBytes(json, 'content', format.content);
  return json;
}

/** The row of http-stream. */
export const httpStream = {
  name: 'http-stream',
  kind: 'stream',
  label: 'hold stream',
  polls: false,
  members: new Set(['action', 'content', 'content-bin', 'content-filters']),
  parse,
  encode,
  size: (format) => (format.action === 'send' ? sendBytes(format, format.content.length) : 0),
  content: (format) => (format.action === 'send' ? format.content : undefined),
  withContent: (format, content) => ({ ...format, content }) as HttpStreamFormat,
} as const satisfies FormatRow<HttpStreamFormat>;
