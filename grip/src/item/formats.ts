/** The table of formats: each row is a form in which an item is published, and the kind of subscriber that takes it. */
import { Buffer } from 'node:buffer';
import type { Writable } from '../wire/fields.js';
import type { FormatRow } from './format.js';
import { httpRequest } from './http-request.js';
import { httpResponse } from './http-response.js';
import { httpStream } from './http-stream.js';
import { wsMessage } from './ws-message.js';
import { xmppStanza } from './xmpp-stanza.js';

const table = { httpResponse, httpStream, wsMessage, httpRequest, xmppStanza };

/** A row's key: the name of a format as an {@link Formats} has it. */
export type FormatKey = keyof typeof table;

/** The name of a format as publishers write it. */
export type FormatName = (typeof table)[FormatKey]['name'];

/** What is subscribed: each kind takes one format. */
export type SubscriberKind = (typeof table)[FormatKey]['kind'];

type Values = { readonly [Key in FormatKey]: ReturnType<(typeof table)[Key]['parse']> };

/** What an item does to each kind of subscriber. May be empty if only unknown formats were published. */
export type Formats = { readonly [Key in FormatKey]?: Values[Key] };

/** What an item does to one kind of subscriber. */
export type FormatFor<Kind extends SubscriberKind> = {
  [Key in FormatKey]: (typeof table)[Key]['kind'] extends Kind ? Values[Key] : never;
}[FormatKey];

/** The rows by their keys. */
export const formatRows: {
  readonly [Key in FormatKey]: FormatRow<Values[Key]> & Pick<(typeof table)[Key], 'name' | 'kind'>;
} = table;

/** The keys of the rows. */
export const formatKeys = Object.keys(table) as readonly FormatKey[];

/** The names of the formats. */
export const formatNames: readonly FormatName[] = formatKeys.map((key) => table[key].name);

/** The kinds of subscriber. */
export const subscriberKinds: readonly SubscriberKind[] = formatKeys.map((key) => table[key].kind);

/** What the table says of a kind of subscriber. */
export interface KindRow extends Pick<FormatRow<never>, 'label' | 'polls'> {
  /** The format that it takes. */
  readonly key: FormatKey;
  readonly name: FormatName;
}

/** The kinds of subscriber with what the table says of them. */
export const kindRows = Object.fromEntries(
  formatKeys.map((key) => {
    const { kind, name, label, polls } = table[key];
    return [kind, { key, name, label, polls }];
  }),
) as { readonly [Kind in SubscriberKind]: KindRow };

/** The names of the formats in a sentence: `a, b or c`. */
export function listFormats(conjunction: 'and' | 'or'): string {
  return `${formatNames.slice(0, -1).join(', ')} ${conjunction} ${formatNames.at(-1)}`;
}

/** A count of 0 for each kind of subscriber. */
export function zeroCounts(): Record<SubscriberKind, number> {
  const counts: Partial<Record<SubscriberKind, number>> = {};
  for (const kind of subscriberKinds) counts[kind] = 0;
  return counts as Record<SubscriberKind, number>;
}

/** Parses the value of one format and adds it. Throws ERR_GRIP_ITEM. */
export function addFormat<Key extends FormatKey>(formats: Writable<Formats>, key: Key, value: unknown): void {
  formats[key] = formatRows[key].parse(value);
}

/** The JSON of one format that an item has; undefined where it has none. */
export function encodeFormat<Key extends FormatKey>(formats: Formats, key: Key): unknown {
  const format = formats[key];
  return format === undefined ? undefined : formatRows[key].encode(format);
}

/** Bytes that one format of an item takes in memory; 0 where it has none. */
export function formatBytes<Key extends FormatKey>(formats: Formats, key: Key): number {
  const format = formats[key];
  return format === undefined ? 0 : formatRows[key].size(format);
}

/** The bytes that one format of an item delivers; undefined where there are none. */
export function contentOf<Key extends FormatKey>(formats: Formats, key: Key): Buffer | undefined {
  const format = formats[key];
  return format === undefined ? undefined : formatRows[key].content(format);
}

/** The formats with other content in one of them, of which {@link contentOf} gives some. */
function withContent<Key extends FormatKey>(formats: Formats, key: Key, content: Buffer): Formats {
  const format = formats[key];
  return format === undefined ? formats : { ...formats, [key]: formatRows[key].withContent(format, content) };
}

/**
 * The formats with content that shares its memory with nothing else; the same object where that is so already. Small Buffers are cut
 * out of slabs of 8 KiB, and messages of other processes out of what was read at once: one of them that is kept would keep all of it.
 */
export function ownContent(formats: Formats): Formats {
  let own = formats;
  for (const key of formatKeys) {
    const content = contentOf(formats, key);
    if (content === undefined || content.buffer.byteLength === content.length) continue;
    const copy = Buffer.allocUnsafeSlow(content.length);
    content.copy(copy);
    own = withContent(own, key, copy);
  }
  return own;
}
