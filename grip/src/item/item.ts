/** A published item: its JSON, the POST body that carries items, and the memory that one takes. */
import { isLongName, MAX_NAME_BYTES } from '../channel.js';
import { GripError } from '../errors.js';
import { Fields, isJsonObject, type JsonObject, kindOf, type Writable } from '../wire/fields.js';
import { jsonFaultText, NOT_JSON, readJsonBytes } from '../wire/json.js';
import { isForOne } from './for-one.js';
import { TEXT_OVERHEAD } from './format.js';
import {
  addFormat,
  encodeFormat,
  type Formats,
  formatBytes,
  formatKeys,
  formatNames,
  formatRows,
  listFormats,
  ownContent,
} from './formats.js';
import { channelsOf, MAX_NAMED_CHANNELS } from './item-channels.js';
import type { ItemWarnings } from './warnings.js';

/** One publication to one channel. Immutable: one item is shared by all subscribers and backplanes. */
export interface Item {
  /** Exact name, no wildcards; may be empty. At most `MAX_NAME_BYTES`, as are the ids. */
  readonly channel: string;
  readonly id?: string;
  /** Id of the item before this one on the channel, for ordering and gap detection. */
  readonly prevId?: string;
  readonly formats: Formats;
  /** For filters. Without prototype. */
  readonly meta: Readonly<Record<string, string>>;
  /** Bytes to count instead of the content's own in the block statistics. */
  readonly size?: number;
  /** Deliver at once, whatever `prevId` says. */
  readonly noSeq: boolean;
  /** It goes to one subscriber of all nodes; absent, to all of them. */
  readonly deliver?: 'one';
  /** The state that it has: an item with an older or the same one, within an epoch, is not published. From 0 to 2^53-1. */
  readonly version?: number;
  /** Names a count of versions; another one is a later one. Only with `version`; empty if the publisher names none. */
  readonly versionEpoch?: string;
  /** The first names of formats that mean nothing, cut, for the log; absent if there are none. */
  readonly unknownFormats?: readonly string[];
}

/**
 * Parses one item from JSON, or from a decoded tnetstring (byte strings as Uint8Array). `topic`, if not empty, replaces
 * the item's own channel, which it then need not have: that is how the ZeroMQ SUB socket works. Throws ERR_GRIP_ITEM
 * with Pushpin's text.
 */
export function parseItem(value: unknown, topic = ''): Item {
  return itemOn(new Fields(value, 'publish item object', 'ERR_GRIP_ITEM'), topic);
}

/**
 * Parses what a publisher writes as one item: as {@link parseItem} does, or, where it has `channels` in the place of `channel`, as one
 * item for each of them, all with the same formats and meta. Content that several items share is in memory of its own, so that
 * each may be kept as it is.
 */
export function parsePublished(value: unknown, topic = ''): Item[] {
  const fields = new Fields(value, 'publish item object', 'ERR_GRIP_ITEM');
  const channels = topic === '' ? channelsOf(fields) : undefined;
  if (channels === undefined) return [itemOn(fields, topic)];
  const item = itemFor(fields, channels[0] as string);
  if (channels.length === 1) return [item];
  const formats = ownContent(item.formats);
  return channels.map((channel) => ({ ...item, channel, formats }));
}

function itemOn(fields: Fields, topic: string): Item {
  const channel = topic || fields.identifier('channel');
  if (channel === undefined) throw fields.missing('channel');
  if (isLongName(channel)) throw fields.error(`the topic is longer than ${MAX_NAME_BYTES} bytes`);
  return itemFor(fields, channel);
}

function itemFor(fields: Fields, channel: string): Item {
  const id = fields.identifier('id');
  const prevId = fields.identifier('prev-id');
  const formats = parseFormats(fields);
  const meta = fields.stringMap('meta');
  const size = fields.integer('size');
  const noSeq = fields.boolean('no-seq') ?? false;
  const item: Writable<Item> = { channel, formats, meta, noSeq };
  if (id !== undefined) item.id = id;
  if (prevId !== undefined) item.prevId = prevId;
  if (size !== undefined) item.size = size;
  if (isForOne(fields, item)) item.deliver = 'one';
  const version = fields.integer('version', Number.MAX_SAFE_INTEGER);
  const versionEpoch = fields.identifier('version-epoch');
  if (version !== undefined) {
    item.version = version;
    item.versionEpoch = versionEpoch ?? '';
  } else if (versionEpoch !== undefined) throw fields.missing('version');
  const unknown = unknownFormats(fields);
  if (unknown !== undefined) item.unknownFormats = unknown;
  return item;
}

/** Pushpin's text, and what is expected. */
const NO_FORMATS = `no formats specified: expected ${listFormats('or')} in 'formats'`;

/** The formats stand in `formats` or, in the old form, in the item itself. */
function parseFormats(item: Fields): Formats {
  const explicit = item.fields('formats');
  const from = explicit ?? item;
  const formats: Writable<Formats> = {};
  for (const key of formatKeys) {
    const { name } = formatRows[key];
    if (from.has(name)) addFormat(formats, key, from.value(name));
  }
  // An explicit object with unknown formats only is accepted, and delivers nothing.
  if (Object.keys(explicit?.object ?? formats).length === 0) throw item.error(NO_FORMATS);
  return formats;
}

const known: ReadonlySet<string> = new Set(formatNames);

/**
 * @limit {} names of unknown formats of an item, for the log
 * @over the others are not named
 */
const UNKNOWN_FORMATS_KEPT = 3;
/**
 * @limit {} characters of such a name
 * @over the rest is left out
 */
const UNKNOWN_FORMAT_LENGTH = 50;

/** `none` is what an item of unknown formats only becomes on its way between nodes. */
function unknownFormats(item: Fields): readonly string[] | undefined {
  const { object } = item.fields('formats') ?? {};
  if (object === undefined) return undefined;
  const unknown: string[] = [];
  for (const name in object) {
    if (known.has(name) || name === 'none' || !Object.hasOwn(object, name)) continue;
    if (unknown.push(name.slice(0, UNKNOWN_FORMAT_LENGTH)) === UNKNOWN_FORMATS_KEPT) break;
  }
  return unknown.length > 0 ? unknown : undefined;
}

/**
 * Parses the body of a POST to /publish: `{"items": [...]}`. All or nothing: one bad item fails the whole body. Throws
 * ERR_GRIP_ITEM whose message is the complete text of the 400 answer, without its newline; publishers of Pushpin know those of
 * a body that is no JSON, or no object, so that what they do not say is in `detail`. What of the items means nothing is added to
 * `warnings`; without it nobody looks.
 */
export function parseItems(body: Uint8Array, warnings?: ItemWarnings): Item[] {
  const { value: document, fault } = readJsonBytes(body);
  if (fault !== undefined) {
    const detail = fault === NOT_JSON ? jsonFaultText(body) : undefined;
    throw new GripError('ERR_GRIP_ITEM', `Body ${fault}.`, { detail });
  }
  if (!isJsonObject(document)) {
    // Pushpin does not take a scalar for JSON.
    const text = Array.isArray(document) ? 'Invalid format.' : `Body ${NOT_JSON}.`;
    const detail = `expected an object with 'items', got ${kindOf(document)}`;
    throw new GripError('ERR_GRIP_ITEM', text, { detail });
  }
  try {
    return parseItemList(document, warnings);
  } catch (cause) {
    if (!(cause instanceof GripError)) throw cause;
    throw new GripError('ERR_GRIP_ITEM', `Invalid format: ${cause.message}`, { cause });
  }
}

/**
 * Parses the member `items` of an object, as {@link parsePublished} does each. Throws ERR_GRIP_ITEM, which says which of them is
 * bad: `items[3]: …`.
 */
export function parseItemList(object: JsonObject, warnings?: ItemWarnings): Item[] {
  const fields = new Fields(object, 'object', 'ERR_GRIP_ITEM');
  const items = fields.list('items');
  if (!items) throw fields.missing('items');
  const parsed: Item[] = [];
  let named = 0;
  for (const [at, value] of items.entries()) {
    try {
      const made = parsePublished(value);
      if (made.length > 1) named += made.length;
      if (named > MAX_NAMED_CHANNELS) throw new GripError('ERR_GRIP_ITEM', TOO_MANY_CHANNELS);
      for (const item of made) parsed.push(item);
      warnings?.add(value as JsonObject, made.length);
    } catch (cause) {
      if (!(cause instanceof GripError)) throw cause;
      throw new GripError('ERR_GRIP_ITEM', `items[${at}]: ${cause.message}`, { cause });
    }
  }
  return parsed;
}

const TOO_MANY_CHANNELS = `the items up to this one name more than ${MAX_NAMED_CHANNELS} channels in 'channels'`;

/**
 * The JSON of an item, for a backplane. `parseItem(itemToJson(item))` equals `item`, also across JSON.stringify, for
 * every item that came from {@link parseItem}, but for `unknownFormats`.
 */
export function itemToJson(item: Item): JsonObject {
  const { id, prevId, formats, meta, size, version, versionEpoch } = item;
  const json: Record<string, unknown> = { channel: item.channel };
  if (id !== undefined) json.id = id;
  if (prevId !== undefined) json['prev-id'] = prevId;
  json.formats = formatsToJson(formats);
  if (Object.keys(meta).length > 0) json.meta = meta;
  if (size !== undefined) json.size = size;
  if (item.noSeq) json['no-seq'] = true;
  if (item.deliver !== undefined) json.deliver = item.deliver;
  if (version !== undefined) json.version = version;
  if (versionEpoch) json['version-epoch'] = versionEpoch;
  return json;
}

function formatsToJson(formats: Formats): JsonObject {
  const json: Record<string, unknown> = {};
  for (const key of formatKeys) {
    const value = encodeFormat(formats, key);
    if (value !== undefined) json[formatRows[key].name] = value;
  }
  // An item of unknown formats only is legal, an empty object is not.
  return Object.keys(json).length > 0 ? json : { none: {} };
}

/** What an item costs beside its parts: its objects, and its place in a list. Measured in round figures. */
export const ITEM_OVERHEAD = 768;

/**
 * Bytes that an item takes in memory, {@link ITEM_OVERHEAD} aside. Characters count two bytes, which is what they may take:
 * it is never more in truth, and for text of Latin letters half of that.
 */
export function itemBytes({ channel, id, prevId, meta, formats, versionEpoch }: Item): number {
  let bytes = 2 * (channel.length + (id?.length ?? 0) + (prevId?.length ?? 0) + (versionEpoch?.length ?? 0));
  for (const name in meta) bytes += 2 * (name.length + (meta[name] as string).length) + 4 * TEXT_OVERHEAD;
  for (const key of formatKeys) bytes += formatBytes(formats, key);
  return bytes;
}
