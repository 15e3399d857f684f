/** What a row of the table of formats is, and what its rows share. */
import { type Buffer, isUtf8 } from 'node:buffer';
import type { Fields } from '../wire/fields.js';

/** A format of items, with the kind of subscriber that it is for. Its functions take values that its `parse` has made. */
export interface FormatRow<Format> {
  /** Its key in `formats` of an item, and its `transport` in the statistics. */
  readonly name: string;
  /** The kind of subscriber: a label of metrics, a field of log lines, a member of views. No other format has it. */
  readonly kind: string;
  /** What the text of log lines calls such a subscriber. */
  readonly label: string;
  /** Whether such a subscriber ends with an item and comes back for the next one. */
  readonly polls: boolean;
  /** All members that `parse` looks at, whatever the action. */
  readonly members: ReadonlySet<string>;
  /** Reads the value published under `name`. Members that the action does not use are not looked at. Throws ERR_GRIP_ITEM. */
  parse(value: unknown): Format;
  /** A value that JSON can express; `parse` gives back an equal format. */
  encode(format: Format): unknown;
  /** Bytes that it takes in memory, counted as {@link textsBytes} does. */
  size(format: Format): number;
  /** The bytes that are delivered; undefined where the action has none, or where they depend on the subscriber. */
  content(format: Format): Buffer | undefined;
  /** The same with other content in the place of that which `content` gives; must have some. */
  withContent(format: Format, content: Buffer): Format;
}

/** An action without members. */
export interface BareAction<Name extends string> {
  readonly action: Name;
}

const actions = ['send', 'hint', 'close', 'refresh'] as const;

/** The action of a format: `send` if it names none. */
export function actionOf(fields: Fields): (typeof actions)[number] {
  const given = fields.string('action') ?? 'send';
  const action = actions.find((known) => known === given);
  if (action === undefined) throw fields.unknown('action', given, actions);
  return action;
}

/** What each `send` may have. */
export interface ContentFiltered {
  /**
   * If present, the item goes only to subscriptions whose message content filters are exactly these, in this order;
   * an empty list is not the same as none.
   */
  readonly contentFilters?: readonly string[];
}

/** The value of `content-filters`. */
export function contentFiltersOf(fields: Fields): readonly string[] | undefined {
  return fields.strings('content-filters', 'content-filters contains element with wrong type');
}

/** JSON under construction; members are assigned one by one, for the reason that `Writable` gives. */
export type FormatJson = Record<string, unknown>;

/** Adds `content-filters` to JSON. */
export function addContentFilters(json: FormatJson, { contentFilters }: ContentFiltered): void {
  if (contentFilters !== undefined) json['content-filters'] = contentFilters;
}

/** Adds bytes to JSON: text where they are UTF-8, since that is shorter, and base64 where they are not. */
export function addBytes(json: FormatJson, key: string, bytes: Buffer): void {
  if (isUtf8(bytes)) json[key] = bytes.toString('utf8');
  else json[`${key}-bin`] = bytes.toString('base64');
}

/** A text takes so many bytes beside its characters, and a member of a map as much again. */
export const TEXT_OVERHEAD = 32;

/** Content of any size takes so many bytes beside its own. */
const CONTENT_OVERHEAD = 128;

/** Bytes of texts in memory: two for each character, which it takes at most. */
export function textsBytes(texts: readonly string[]): number {
  let bytes = 0;
  for (const text of texts) bytes += 2 * text.length + TEXT_OVERHEAD;
  return bytes;
}

/** Bytes of a `send` in memory, with `content` bytes of content. */
export function sendBytes({ contentFilters }: ContentFiltered, content: number): number {
  return (contentFilters === undefined ? 0 : textsBytes(contentFilters)) + CONTENT_OVERHEAD + content;
}
