/** Channels as an instruct names them: the value, how long names may be, the Grip-Channel header and the Grip-Last header. */
import { Buffer } from 'node:buffer';
import { GripError } from './errors.js';
import { MAX_FILTERS } from './filters/filter.js';
import { type Initial, parseInitial } from './position.js';
import { hasControl } from './wire/head.js';
import { type Element, paramValue, parseElement, splitElements } from './wire/params.js';
import { textFromWire, wireFromText } from './wire/text.js';

/** A subscription to one channel, or to all that a pattern matches. All strings are Unicode text, comparable with those of an item. */
export interface Channel {
  /** Exact name, or a pattern as it was written; without any route prefix. */
  readonly name: string;
  /** It was said expressly that the name is a pattern: names may have any character. What it must look like is not checked here. */
  readonly isPattern?: true;
  /** Id of the last item the origin has seen on this channel; absent if it does not track ids. May be empty. */
  readonly prevId?: string;
  /** Names of filters in the order in which they run; at most {@link MAX_FILTERS}; unknown names are kept. */
  readonly filters: readonly string[];
  /** What a client that is new on the channel gets first; absent: nothing. */
  readonly initial?: Initial;
}

/** Shared by all channels without filters, which are nearly all of them. */
const NO_FILTERS: readonly string[] = [];

/**
 * Builds a channel; throws ERR_GRIP_INSTRUCT if it names more than {@link MAX_FILTERS} filters, or if its name or id is
 * longer than {@link MAX_NAME_BYTES}. A pattern has no prev-id: one that is given is left out.
 */
export function makeChannel(
  name: string,
  prevId: string | undefined,
  filters: readonly string[],
  isPattern = false,
): Channel {
  if (isLongName(name)) {
    throw new GripError('ERR_GRIP_INSTRUCT', `channel name of more than ${MAX_NAME_BYTES} bytes`);
  }
  if (prevId !== undefined && isLongName(prevId)) {
    throw new GripError('ERR_GRIP_INSTRUCT', `prev-id of more than ${MAX_NAME_BYTES} bytes for channel '${name}'`);
  }
  if (filters.length > MAX_FILTERS) {
    throw new GripError('ERR_GRIP_INSTRUCT', `too many filters for channel '${name}'`);
  }
  // Many channels have ids of their own: one of them says nothing of where a client stands on a pattern.
  if (isPattern) return { name, isPattern, filters };
  return prevId === undefined ? { name, filters } : { name, prevId, filters };
}

/** The channel, with what the texts `initial` and `since` say. Throws ERR_GRIP_INSTRUCT where they cannot be read. */
export function withInitial(channel: Channel, initial: string | undefined, since: string | undefined): Channel {
  const read = parseInitial(initial, since);
  if (typeof read !== 'string') return read === undefined ? channel : { ...channel, initial: read };
  throw new GripError('ERR_GRIP_INSTRUCT', `channel '${channel.name}': ${read}`);
}

/**
 * Parses all values of Grip-Channel, in wire order, duplicates kept. Elements with unparsable parameters are skipped.
 * Throws ERR_GRIP_INSTRUCT for an element without a name or with too many filters.
 */
export function parseChannels(values: readonly string[]): Channel[] {
  const channels: Channel[] = [];
  for (const text of splitElements(values)) {
    const element = parseElement(text);
    if (element) channels.push(channelOf(element));
  }
  return channels;
}

function channelOf({ value, params }: Element): Channel {
  if (value === '') throw new GripError('ERR_GRIP_INSTRUCT', 'failed to parse Grip-Channel');
  if (params.length === 0) return makeChannel(textFromWire(value), undefined, NO_FILTERS);
  const prevId = paramValue(params, 'prev-id');
  // Unlike every other parameter name, `filter` must be in lower case: so does Pushpin.
  const filters = params.filter(([name]) => name === 'filter').map(([, filter]) => textFromWire(filter));
  const isPattern = paramValue(params, 'pattern') !== undefined;
  const id = prevId === undefined ? undefined : textFromWire(prevId);
  const channel = makeChannel(textFromWire(value), id, filters, isPattern);
  return withInitial(channel, paramValue(params, 'initial'), paramValue(params, 'since'));
}

/**
 * Value of a Grip-Last request header: `<channel>; last-id=<id>`. Nothing is quoted or escaped, since origins compare
 * the plain text. Names and ids can come from JSON, so control characters are replaced by spaces: the header would
 * otherwise be open to injection.
 */
export function formatGripLast(channel: string, lastId: string): string {
  const value = `${wireFromText(channel)}; last-id=${wireFromText(lastId)}`;
  return hasControl(value) ? [...value].map((char) => (hasControl(char) ? ' ' : char)).join('') : value;
}

/**
 * Bytes of a channel's name, or of an item's id, in UTF-8. Both are kept for each channel, subscription and remembered id,
 * and are keys in Redis; URLs and digests fit.
 *
 * @limit {} bytes of a channel's name, an id, a `prev-id`
 * @over refused: publish 400, instruct 502, a control message is ignored, `sub=` is an error of the routes, a view 400
 */
export const MAX_NAME_BYTES = 1_024;

/** Whether a name or id is longer than {@link MAX_NAME_BYTES}. */
export function isLongName(text: string): boolean {
  return isLongerThan(text, MAX_NAME_BYTES);
}

/** Characters of a refused name that are shown. */
const SHOWN = 40;

/**
 * Why a channel may not have this name where names are limited to `max` bytes of UTF-8 (`channel_name_max`): for its length, or
 * for a control character (C0, DEL, C1). Undefined if it may. An infinite `max` allows every name.
 */
export function channelNameFault(name: string, max: number): string | undefined {
  if (max === Number.POSITIVE_INFINITY) return undefined;
  const isLong = isLongerThan(name, max);
  if (!isLong && !/\p{Cc}/u.test(name)) return undefined;
  const shown = name.slice(0, SHOWN).replace(/\p{Cc}/gu, '?');
  const what = isLong ? `is longer than ${max} bytes` : 'contains a control character';
  return `channel name '${shown}${name.length > SHOWN ? '…' : ''}' ${what} (channel_name_max)`;
}

function isLongerThan(text: string, max: number): boolean {
  // No character has more than three bytes for each of its code units.
  return text.length * 3 > max && Buffer.byteLength(text) > max;
}
