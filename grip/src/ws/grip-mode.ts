/**
 * The GRIP mode of a WebSocket: the `grip` extension that turns it on, and where a message of the origin goes in it. Without it
 * every message is for the client as it is.
 */
import type { Buffer } from 'node:buffer';
import { paramValue, parseElement, splitElements } from '../headers/params.js';

/** What the origin chose. */
export interface GripExtension {
  /**
   * What a message for the client begins with, as a Latin-1 string of one character per byte (see {@link readOriginMessage});
   * `m:` if the origin does not say. Empty: all messages but control messages are for the client.
   */
  readonly messagePrefix: string;
}

const NAME = 'grip';
const DEFAULT_PREFIX = 'm:';

/**
 * Finds the extension in the values of the Sec-WebSocket-Extensions headers; if it is there more than once, the first
 * counts. Undefined if it is absent or its parameters cannot be parsed, and then there is no GRIP mode. The name is
 * exact. `message-prefix=""`, `message-prefix=` and a bare `message-prefix` are all the empty prefix.
 */
export function parseGripExtension(values: readonly string[]): GripExtension | undefined {
  const text = splitElements(values).find(isGrip);
  const element = text === undefined ? undefined : parseElement(text);
  return element && { messagePrefix: paramValue(element.params, 'message-prefix') ?? DEFAULT_PREFIX };
}

/** Whether an element names the extension, whatever its parameters are. */
function isGrip(text: string): boolean {
  const semicolon = text.indexOf(';');
  return (semicolon < 0 ? text : text.slice(0, semicolon).trimEnd()) === NAME;
}

/** Where a message of the origin goes. */
export type OriginMessage =
  /** To Holdfast: the JSON after `c:`, for parseWsControl. */
  | { readonly kind: 'control'; readonly text: string }
  /** To the client, its prefix removed; a view of the message. */
  | { readonly kind: 'message'; readonly content: Buffer }
  /** Nowhere: it lacks the prefix. */
  | { readonly kind: 'dropped' };

const CONTROL_PREFIX = 'c:';

/**
 * Classifies a TEXT or BINARY message by how it begins. A text with `c:` is a control message, whatever the prefix is;
 * a binary never is. Any other must begin with `prefix`. Pings, pongs and closes are always for the client and do not
 * come here.
 *
 * `prefix` is a Latin-1 string as the header has it: it is compared byte by byte and the message is not decoded.
 *
 * `content` may be the first frame alone of a message that is relayed frame by frame, since the prefix must be in it;
 * but a control message must be whole, and one in several frames is to be dropped.
 */
export function readOriginMessage(type: 'text' | 'binary', content: Buffer, prefix: string): OriginMessage {
  if (type === 'text' && beginsWith(content, CONTROL_PREFIX)) {
    return { kind: 'control', text: content.toString('utf8', CONTROL_PREFIX.length) };
  }
  if (!beginsWith(content, prefix)) return { kind: 'dropped' };
  return { kind: 'message', content: content.subarray(prefix.length) };
}

function beginsWith(content: Buffer, prefix: string): boolean {
  if (content.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) {
    if (content[i] !== prefix.charCodeAt(i)) return false;
  }
  return true;
}
