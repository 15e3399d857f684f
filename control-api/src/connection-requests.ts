/** What requests about connections and users say: reading their queries and bodies, each with the refusal of what cannot be used. */
import {
  channelNameFault,
  GripError,
  isLongName,
  isSendableCloseCode,
  itemToJson,
  MAX_CONTROL_PAYLOAD,
  parseItem,
  readJsonBytes,
  type Writable,
} from '@holdfast/grip';
import type { CloseOrder, ConnectionFilter, PageOrder } from './cluster/connection-questions.js';
import { type Answer, answerTo, argumentRefused } from './http/answer.js';
import { type Query, readQuery } from './http/query.js';
import { MAX_PAGE_ROWS, PAGE_ROWS, readCursor } from './views/pages.js';

/**
 * @limit {} ids that `except` may name
 * @over 400
 */
export const MAX_EXCEPT = 100;

/**
 * @limit {} channels that one request may subscribe a connection to
 * @over 400
 */
export const MAX_SUBSCRIBE = 100;

/** Bytes of a Close frame's reason: its code takes two (RFC 6455 §5.5.1). */
const MAX_REASON_BYTES = MAX_CONTROL_PAYLOAD - 2;

/** The code where a request gives a reason alone: as without either. */
const USUAL_CODE = 1008;

/** The parameters of each list, and of the end of one connection, or of all those of a user. */
export const connectionQueries = {
  connections: ['user', 'channel', 'route', 'limit', 'cursor'],
  user: ['limit', 'cursor'],
  channels: ['prefix', 'limit', 'cursor'],
  end: ['code', 'reason'],
  endOfUser: ['code', 'reason', 'except'],
} as const;

/** Whether a request was refused by what reads it. */
export function isRefusal<Value extends object>(read: Value | Answer): read is Answer {
  return 'status' in read;
}

/** A page of connections. */
export function readConnectionList(query: string, channelNameMax: number): (ConnectionFilter & PageOrder) | Answer {
  const read = readQuery(query, connectionQueries.connections);
  if (isRefusal(read)) return read;
  const filter: Writable<ConnectionFilter> = {};
  for (const name of ['user', 'channel', 'route'] as const) {
    const value = read.one(name);
    if (value === undefined) continue;
    const fault = nameFault(name, value, name === 'channel' ? channelNameMax : Number.POSITIVE_INFINITY);
    if (fault !== undefined) return argumentRefused(fault);
    filter[name] = value;
  }
  const page = readPageOrder(read);
  return isRefusal(page) ? page : { ...filter, ...page };
}

/** A page of the connections of one user. */
export function readUserList(query: string): PageOrder | Answer {
  const read = readQuery(query, connectionQueries.user);
  return isRefusal(read) ? read : readPageOrder(read);
}

/** A page of channels. */
export function readChannelList(query: string): ({ readonly prefix: string } & PageOrder) | Answer {
  const read = readQuery(query, connectionQueries.channels);
  if (isRefusal(read)) return read;
  const prefix = read.one('prefix') ?? '';
  const fault = nameFault('prefix', prefix, Number.POSITIVE_INFINITY);
  if (fault !== undefined) return argumentRefused(fault);
  const page = readPageOrder(read);
  return isRefusal(page) ? page : { prefix, ...page };
}

function readPageOrder(query: Query): PageOrder | Answer {
  const limit = query.one('limit') ?? String(PAGE_ROWS);
  if (!/^[1-9]\d{0,5}$/.test(limit) || Number(limit) > MAX_PAGE_ROWS) {
    return argumentRefused(`'limit' is not a whole number from 1 to ${MAX_PAGE_ROWS}`);
  }
  const cursor = query.one('cursor');
  if (cursor === undefined) return { limit: Number(limit) };
  const after = readCursor(cursor);
  return after === undefined ? argumentRefused("'cursor' is none of a list") : { after, limit: Number(limit) };
}

/** How connections are to end, and which of them are not to. */
export interface EndOrder {
  readonly close?: CloseOrder;
  readonly except: readonly string[];
}

/** The end of one connection, or with `except` of several. */
export function readEnd(query: string, takesExcept: boolean): EndOrder | Answer {
  const read = readQuery(query, connectionQueries.end, takesExcept ? ['except'] : []);
  if (isRefusal(read)) return read;
  const except = read.all('except');
  if (except.length > MAX_EXCEPT) return argumentRefused(`'except' names more than ${MAX_EXCEPT} connections`);
  if (except.some(isLongName)) return argumentRefused("'except' has a name that no connection has");
  const [code, reason = ''] = [read.one('code'), read.one('reason')];
  if (code === undefined && reason === '') return { except };
  const number = code === undefined ? USUAL_CODE : Number(/^\d{4}$/.exec(code)?.[0] ?? Number.NaN);
  if (!isSendableCloseCode(number)) {
    return argumentRefused("'code' is none that a Close frame may have: 1000 to 1003, 1007 to 1014, 3000 to 4999");
  }
  if (Buffer.byteLength(reason) > MAX_REASON_BYTES) {
    return argumentRefused(`'reason' is longer than ${MAX_REASON_BYTES} bytes`);
  }
  return { except, close: { code: number, reason } };
}

/** Members of an item that say where it stands on a channel. */
const OF_CHANNELS = ['channel', 'id', 'prev-id', 'items'] as const;

/** An item for connections, as JSON, whose channel is empty: a body that is one object as in `items`, but for what is about channels. */
export function readDirectItem(body: Buffer): { readonly item: object } | Answer {
  const document = readObject(body);
  if ('refused' in document) return document.refused;
  const { object } = document;
  const strange = OF_CHANNELS.find((name) => Object.hasOwn(object, name));
  if (strange !== undefined) {
    return argumentRefused(`'${strange}' has no meaning here: the body is one object with 'formats'`);
  }
  try {
    return { item: itemToJson(parseItem({ ...object, channel: '' })) };
  } catch (error) {
    const isBad = error instanceof GripError;
    return answerTo(
      isBad ? new GripError('ERR_GRIP_ITEM', `Invalid format: ${error.message}`, { cause: error }) : error,
    );
  }
}

/** The channels of a body `{"channels": […]}`, each once. */
export function readSubscribe(body: Buffer, channelNameMax: number): { readonly channels: readonly string[] } | Answer {
  const document = readObject(body);
  if ('refused' in document) return document.refused;
  const { channels, ...others } = document.object;
  const [strange] = Object.keys(others);
  if (strange !== undefined) return argumentRefused(`unknown member '${strange.slice(0, 40)}': expected 'channels'`);
  if (!Array.isArray(channels) || channels.length === 0) return argumentRefused("'channels' is not a list of names");
  if (channels.length > MAX_SUBSCRIBE) return argumentRefused(`'channels' has more than ${MAX_SUBSCRIBE} names`);
  for (const [at, channel] of (channels as readonly unknown[]).entries()) {
    if (typeof channel !== 'string') return argumentRefused(`channels[${at}] is not a text`);
    const fault = nameFault(`channels[${at}]`, channel, channelNameMax);
    if (fault !== undefined) return argumentRefused(fault);
  }
  return { channels: [...new Set(channels as readonly string[])] };
}

function readObject(body: Buffer): { readonly object: Record<string, unknown> } | { readonly refused: Answer } {
  const { value, fault } = readJsonBytes(body);
  if (fault !== undefined) return { refused: argumentRefused(`the body ${fault}`) };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { refused: argumentRefused('the body is not an object') };
  }
  return { object: value as Record<string, unknown> };
}

function nameFault(what: string, name: string, channelNameMax: number): string | undefined {
  return isLongName(name) ? `'${what}' is longer than any name` : channelNameFault(name, channelNameMax);
}
