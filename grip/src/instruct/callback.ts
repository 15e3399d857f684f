/** The callback of an instruct: a durable subscription of a server, which the origin makes or ends in its answer. */
import { type Channel, MAX_NAME_BYTES } from '../channel.js';
import { GripError } from '../errors.js';
import type { Fields } from '../wire/fields.js';
import { type Param, paramValue, parseParams } from '../wire/params.js';
import { parseInteger, textFromWire, trimWire } from '../wire/text.js';

/** What both forms say of a callback that is made, channels aside. The values are as they came, and unchecked. */
interface CallbackTerms {
  readonly id: string;
  readonly url: string;
  /** The key that signs what is sent to it. */
  readonly secret: string;
  /** Seconds; left out, as long as the node says. */
  readonly ttl?: number;
}

/** A callback is made, or changed. */
export interface CallbackStart extends CallbackTerms {
  /** As for a hold: names without the prefix of the route. */
  readonly channels: readonly Channel[];
}

/** What an instruct says of a callback: that it is there from now on, or that it ends. */
export type CallbackInstruct =
  | ({ readonly action: 'make' } & CallbackStart)
  | { readonly action: 'cancel'; readonly id: string };

/** The same without channels, which stand beside it. */
export type CallbackWish =
  | ({ readonly action: 'make' } & CallbackTerms)
  | { readonly action: 'cancel'; readonly id: string };

const CANCEL = 'cancel';

/**
 * Parses all values of Grip-Callback: `<url>; id=…; secret=…; ttl=…`, or `cancel; id=…`. There is one at most, so that commas divide nothing.
 * Undefined without the header, or with an empty one. Throws ERR_GRIP_INSTRUCT for more than one, and for one that lacks what it needs.
 */
export function parseCallback(values: readonly string[]): CallbackWish | undefined {
  if (values.length > 1) throw refused('Grip-Callback is there more than once');
  const [value = ''] = values;
  const text = trimWire(value);
  if (text === '') return undefined;
  // A URL may have semicolons.
  const end = text.startsWith('<') ? text.indexOf('>') + 1 : endOf(text, ';');
  const rest = trimWire(text.slice(end));
  const params = rest === '' ? [] : rest.startsWith(';') ? parseParams(rest.slice(1)) : undefined;
  if (params === undefined) throw refused('failed to parse Grip-Callback');
  const first = trimWire(text.slice(0, end));
  const id = paramOf(params, 'id');
  if (first.toLowerCase() === CANCEL) return { action: 'cancel', id };
  if (first.length <= 2 || !first.startsWith('<')) throw refused('failed to parse Grip-Callback value');
  const given = paramValue(params, 'ttl');
  const ttl = given === undefined ? undefined : parseInteger(given);
  if (given !== undefined && (ttl === undefined || ttl < 1)) throw refused('Grip-Callback ttl has invalid value');
  const url = textFromWire(first.slice(1, -1));
  return { action: 'make', id, url, secret: paramOf(params, 'secret'), ...(ttl !== undefined && { ttl }) };
}

function endOf(text: string, mark: string): number {
  const at = text.indexOf(mark);
  return at < 0 ? text.length : at;
}

function paramOf(params: readonly Param[], name: string): string {
  const text = paramValue(params, name);
  if (text === undefined || text === '') throw refused(`Grip-Callback does not contain '${name}'`);
  return textFromWire(text);
}

/** Reads the member `callback` of a JSON instruct, its channels aside. Throws ERR_GRIP_INSTRUCT. */
export function callbackOf(fields: Fields): CallbackWish {
  const id = fields.string('id');
  if (!id) throw fields.missing('id');
  if (fields.boolean(CANCEL) === true) return { action: 'cancel', id };
  const url = fields.string('url');
  if (!url) throw fields.missing('url');
  const secret = fields.string('secret');
  if (!secret) throw fields.missing('secret');
  const ttl = fields.integer('ttl', undefined, 1);
  return { action: 'make', id, url, secret, ...(ttl !== undefined && { ttl }) };
}

/**
 * The wish with its channels. Throws ERR_GRIP_INSTRUCT beside a hold, whose channels they would be, and without channels: nothing
 * would ever come.
 */
export function withChannels(wish: CallbackWish, channels: readonly Channel[], holds: boolean): CallbackInstruct {
  if (holds) throw refused('a callback and a hold in one instruct');
  if (wish.id.length > MAX_NAME_BYTES) throw refused(`callback id of more than ${MAX_NAME_BYTES} characters`);
  if (wish.action === 'cancel') return wish;
  if (channels.length === 0) throw refused('a callback without channels');
  if (channels.some(({ isPattern }) => isPattern)) throw refused('a callback on a pattern');
  return { ...wish, channels };
}

function refused(text: string): GripError {
  return new GripError('ERR_GRIP_INSTRUCT', text);
}
