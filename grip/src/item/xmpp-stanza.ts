/** The format xmpp-stanza: what an item does to the subscriptions of XMPP clients. */
import type { Buffer } from 'node:buffer';
import { GripError } from '../errors.js';
import { Fields } from '../wire/fields.js';
import { parseStanza } from '../wire/stanza.js';
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

/** Sends one stanza. */
export interface XmppStanzaSend extends ContentFiltered {
  readonly action: 'send';
  /** One stanza in UTF-8, as `parseStanza` takes it. Its `to` means nothing: each subscriber has its own. */
  readonly content: Buffer;
}

/** What an item does to the subscriptions of XMPP clients. */
export type XmppStanzaFormat = XmppStanzaSend | BareAction<'hint' | 'close' | 'refresh'>;

function parse(value: unknown): XmppStanzaFormat {
  const fields = new Fields(value, "'xmpp-stanza'", 'ERR_GRIP_ITEM');
  const action = actionOf(fields);
  if (action !== 'send') return { action };
  const contentFilters = contentFiltersOf(fields);
  const content = fields.bytes('content', 'content-bin');
  if (!content) throw fields.error(`${fields.name} does not contain 'content' or 'content-bin'`);
  checkStanza(content, fields);
  return contentFilters === undefined ? { action, content } : { action, content, contentFilters };
}

/** What is wrong with a stanza is known to the publisher at once, and not to each node that has subscribers. */
function checkStanza(content: Buffer, fields: Fields): void {
  try {
    parseStanza(content, 'ERR_GRIP_ITEM');
  } catch (error) {
    if (!(error instanceof GripError)) throw error;
    throw fields.error(`${fields.name} contains 'content' that is not a stanza: ${error.message}`);
  }
}

function encode(format: XmppStanzaFormat): FormatJson {
  if (format.action !== 'send') return { action: format.action };
  const json: FormatJson = {};
  addContentFilters(json, format);
  addBytes(json, 'content', format.content);
  return json;
}

/** The row of xmpp-stanza. */
export const xmppStanza = {
  name: 'xmpp-stanza',
  kind: 'xmpp',
  label: 'XMPP subscription',
  polls: false,
  members: new Set(['action', 'content', 'content-bin', 'content-filters']),
  parse,
  encode,
  size: (format) => (format.action === 'send' ? sendBytes(format, format.content.length) : 0),
  content: (format) => (format.action === 'send' ? format.content : undefined),
  withContent: (format, content) => ({ ...format, content }) as XmppStanzaFormat,
} as const satisfies FormatRow<XmppStanzaFormat>;
