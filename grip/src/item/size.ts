/**
 * How much memory an item takes.
 *
 * Owns: counting all of it: names, ids, meta, and every format with its headers and content. Does not own: how much may be
 * kept, and where.
 */
import type { HttpResponseFormat, HttpStreamFormat, WsMessageFormat } from './formats.js';

/** What an item costs beside its parts: its objects, and its place in a list. Measured in round figures. */
export const ITEM_OVERHEAD = 768;

/** A text costs so much beside its characters, and a member of a map as much again. */
const TEXT_OVERHEAD = 32;

/** Content of any size costs so much beside its bytes. */
const CONTENT_OVERHEAD = 128;

/** What is counted of an item. */
interface Counted {
  readonly channel: string;
  readonly id?: string;
  readonly prevId?: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly formats: {
    readonly httpResponse?: HttpResponseFormat;
    readonly httpStream?: HttpStreamFormat;
    readonly wsMessage?: WsMessageFormat;
  };
}

/**
 * Bytes that an item takes in memory, {@link ITEM_OVERHEAD} aside. Characters count two bytes, which is what they may take:
 * it is never more in truth, and for text of Latin letters half of that.
 */
export function itemBytes({ channel, id, prevId, meta, formats }: Counted): number {
  let bytes = 2 * (channel.length + (id?.length ?? 0) + (prevId?.length ?? 0));
  for (const name in meta) bytes += 2 * (name.length + (meta[name] as string).length) + 4 * TEXT_OVERHEAD;
  const { httpResponse, httpStream, wsMessage } = formats;
  if (httpResponse !== undefined) bytes += formatBytes(httpResponse);
  if (httpStream !== undefined) bytes += formatBytes(httpStream);
  if (wsMessage !== undefined) bytes += formatBytes(wsMessage);
  return bytes;
}

function formatBytes(format: HttpResponseFormat | HttpStreamFormat | WsMessageFormat): number {
  if (format.action !== 'send') return 'reason' in format ? textsBytes([format.reason ?? '']) : 0;
  const filters = format.contentFilters === undefined ? 0 : textsBytes(format.contentFilters);
  if (!('code' in format)) return filters + CONTENT_OVERHEAD + format.content.length;
  const body = format.bodyPatch === undefined ? format.body.length : 2 * format.bodyPatch.length;
  return filters + textsBytes(format.headers) + 2 * format.reason.length + CONTENT_OVERHEAD + body;
}

function textsBytes(texts: readonly string[]): number {
  let bytes = 0;
  for (const text of texts) bytes += 2 * text.length + TEXT_OVERHEAD;
  return bytes;
}
