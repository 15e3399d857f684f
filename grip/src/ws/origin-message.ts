/**
 * What a message of an origin is in GRIP mode.
 *
 * Owns: telling control messages, messages for the client and neither apart. Does not own: the control message itself
 * (ws-control.ts), or the mode. Without it every message is for the client as it is.
 */
import type { Buffer } from 'node:buffer';

/** Where a message of the origin goes. */
export type OriginMessage =
  /** To us: the JSON after `c:`, for parseWsControl. */
  | { readonly kind: 'control'; readonly text: string }
  /** To the client, its prefix removed; a view of the message. */
  | { readonly kind: 'message'; readonly content: Buffer }
  /** To nobody: it lacks the prefix. */
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
